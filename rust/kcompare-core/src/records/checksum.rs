//! The checksum of a batch that is read in pieces: a damaged length field may claim a gigabyte.

use super::header::{LEGACY_CRC_FROM, V2_CRC_FROM};

/// Checks the CRC of one batch or legacy entry, piece by piece.
///
/// A magic above 2 is read as 2 and one below 0 as a legacy entry, as Kafka's own log does it.
#[derive(Debug)]
pub struct BatchChecksum(Kind);

#[expect(clippy::large_enum_variant, reason = "one lives at a time, and only on the stack")]
enum Kind {
    V2(crc_fast::Digest),
    Legacy(crc32fast::Hasher),
}

impl std::fmt::Debug for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::V2(_) => "V2",
            Self::Legacy(_) => "Legacy",
        })
    }
}

impl BatchChecksum {
    /// The checksum that a batch with this magic carries.
    pub fn of_magic(magic: i8) -> Self {
        Self(if magic < 2 {
            Kind::Legacy(crc32fast::Hasher::new())
        } else {
            Kind::V2(crc_fast::Digest::new(crc_fast::CrcAlgorithm::Crc32Iscsi))
        })
    }

    /// Where in the batch the bytes begin that it covers.
    pub fn covers_from(&self) -> usize {
        match self.0 {
            Kind::V2(_) => V2_CRC_FROM,
            Kind::Legacy(_) => LEGACY_CRC_FROM,
        }
    }

    /// Takes the next bytes, the first of which is the one at [`Self::covers_from`].
    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.0 {
            Kind::V2(digest) => digest.update(bytes),
            Kind::Legacy(hasher) => hasher.update(bytes),
        }
    }

    /// The checksum of everything taken.
    pub fn finish(self) -> u32 {
        match self.0 {
            Kind::V2(digest) => digest.finalize() as u32,
            Kind::Legacy(hasher) => hasher.finalize(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::{BatchBuilder, Codec, LegacyRecord, LegacySet, legacy_message_set, peek};

    fn in_pieces(batch: &[u8], piece: usize) -> u32 {
        let header = peek(batch, 0).unwrap().unwrap().header;
        let mut checksum = BatchChecksum::of_magic(header.magic);
        for part in batch[checksum.covers_from()..].chunks(piece) {
            checksum.update(part);
        }
        checksum.finish()
    }

    #[test]
    fn pieces_give_the_checksum_that_the_batch_carries() {
        let mut builder = BatchBuilder::new(7);
        for at in 0..40 {
            builder.append(at, Some(b"key"), Some(b"some value")).unwrap();
        }
        let batch = builder.build().unwrap();
        let stored = peek(&batch, 0).unwrap().unwrap().header.crc;
        for piece in [1, 7, 64, batch.len()] {
            assert_eq!(in_pieces(&batch, piece), stored);
        }
    }

    #[test]
    fn a_legacy_entry_has_the_older_checksum() {
        let record = LegacyRecord { offset: 3, timestamp: 5, key: Some(b"k"), value: Some(b"v") };
        let entry = legacy_message_set(&LegacySet::new(1, Codec::None), &[record]).unwrap();
        let stored = peek(&entry, 0).unwrap().unwrap().header.crc;
        assert_eq!(in_pieces(&entry, 3), stored);
    }
}
