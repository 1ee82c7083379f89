//! What a digest is a digest of: version, seed, and the record digest itself.

use super::sequence::Base;
use super::xxh3::Xxh3;
use crate::records::{Headers, RecordView, encode_body};

/// Version of the digests. Two fingerprints compare only when theirs are the same.
pub const DIGEST_VERSION: u32 = 1;

/// The published seed: the ASCII bytes of `kcompare`, little endian. Digests of different people compare.
pub const DEFAULT_SEED: u64 = u64::from_le_bytes(*b"kcompare");

/// Text whose digest under the seed is the base of the polynomials.
const BASE_TEXT: &[u8] = b"kcompare sequence base 1";

/// How records are digested; a plain value that both sides must share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    xxh3: Xxh3,
    base: Base,
}

/// Digests of a record's fields, to name those that differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldDigests {
    /// Digest of the key; that of nothing for null, which [`super::RecordRow`] tells from empty by its length.
    pub key: u128,
    /// Digest of the value, likewise.
    pub value: u128,
    /// Digest of the canonical form of a record with these headers, null key and null value.
    pub headers: u128,
}

impl Default for Profile {
    fn default() -> Self {
        Self::new(DEFAULT_SEED)
    }
}

impl Profile {
    /// A profile with its base derived from the seed.
    pub fn new(seed: u64) -> Self {
        let xxh3 = Xxh3::new(seed);
        let base = Base::new(xxh3.digest(BASE_TEXT));
        Self { xxh3, base }
    }

    /// The seed.
    pub fn seed(&self) -> u64 {
        self.xxh3.seed()
    }

    /// The base of the sequence digests.
    #[inline]
    pub fn base(&self) -> &Base {
        &self.base
    }

    /// XXH3-128 of `bytes` under the seed.
    #[inline]
    pub fn digest(&self, bytes: &[u8]) -> u128 {
        self.xxh3.digest(bytes)
    }

    /// The content digest of a record: XXH3-128 of the canonical form of key, value and headers.
    ///
    /// The canonical form is the bytes from `keyLength` to the end of the headers of a v2 record with minimal varints,
    /// which is what Kafka's own writers produce: the slice is hashed in place. Anything else is written into
    /// `scratch` first. Null and empty differ by construction (length -1 and 0).
    #[inline]
    pub fn content(&self, record: &RecordView<'_>, scratch: &mut Vec<u8>) -> u128 {
        if record.canonical {
            return self.digest(record.body);
        }
        self.content_of_fields(record, scratch)
    }

    #[inline(never)]
    fn content_of_fields(&self, record: &RecordView<'_>, scratch: &mut Vec<u8>) -> u128 {
        write_canonical(record.key, record.value, record.headers, scratch);
        self.digest(scratch)
    }

    /// The joint digest of content and timestamp: XXH3-128 of the 16 bytes of one and the 8 bytes of the other,
    /// little endian. Sums need it because nothing ties two sums.
    #[inline]
    pub fn joint(&self, content: u128, timestamp: i64) -> u128 {
        self.xxh3.digest_24([content as u64, (content >> 64) as u64, timestamp as u64])
    }

    /// Digests of each field on its own.
    pub fn fields(&self, record: &RecordView<'_>, scratch: &mut Vec<u8>) -> FieldDigests {
        write_canonical(None, None, record.headers, scratch);
        FieldDigests {
            key: self.digest(record.key.unwrap_or_default()),
            value: self.digest(record.value.unwrap_or_default()),
            headers: self.digest(scratch),
        }
    }
}

/// The canonical form of a record with this key, value and these headers.
fn write_canonical(key: Option<&[u8]>, value: Option<&[u8]>, headers: Headers<'_>, out: &mut Vec<u8>) {
    out.clear();
    encode_body(out, key, value, headers.iter()).expect("lengths that came from 32-bit fields fit them");
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_joint_digest_is_that_of_the_bytes_of_both(content: u128, timestamp: i64, seed: u64) {
            let profile = Profile::new(seed);
            let bytes = [&content.to_le_bytes()[..], &timestamp.to_le_bytes()].concat();
            prop_assert_eq!(profile.joint(content, timestamp), profile.digest(&bytes));
        }
    }

    #[test]
    fn the_published_seed_spells_the_project() {
        assert_eq!(&DEFAULT_SEED.to_le_bytes(), b"kcompare");
    }
}
