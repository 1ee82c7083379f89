//! Message sets of magic 0 and 1 that are wrong under right CRCs.

use std::io::Write;

use kcompare_core::records::{
    Codec, Field, LegacyRecord, LegacySet, RecordErrorKind, legacy_message_set, peek, reseal,
};

use super::support::{Owned, decode, kind};

pub fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    writer.write_all(plain).unwrap();
    writer.finish().unwrap()
}

fn message(magic: i8, offset: i64, value: Option<&[u8]>) -> Vec<u8> {
    let record = LegacyRecord { offset, timestamp: 50 + offset, key: None, value };
    legacy_message_set(&LegacySet::new(magic, Codec::None), &[record]).unwrap()
}

/// A wrapper whose value is given as it is.
pub fn wrapper(magic: i8, codec: u8, offset: i64, value: Option<&[u8]>) -> Vec<u8> {
    let mut out = message(magic, offset, value);
    out[17] |= codec;
    reseal(&mut out);
    out
}

fn gzipped(magic: i8, offset: i64, inner: &[Vec<u8>]) -> Vec<u8> {
    wrapper(magic, Codec::Gzip.id(), offset, Some(&gzip(&inner.concat())))
}

fn offsets(records: &[Owned]) -> Vec<i64> {
    records.iter().map(|record| record.offset).collect()
}

#[test]
fn wrappers_without_messages() {
    for magic in [0, 1] {
        assert_eq!(kind(&wrapper(magic, 1, 5, None)), RecordErrorKind::EmptyWrapper);
        assert_eq!(kind(&gzipped(magic, 5, &[])), RecordErrorKind::EmptyWrapper);
        assert!(matches!(kind(&wrapper(magic, 2, 5, Some(&[]))), RecordErrorKind::Decompression { .. }));
    }
}

#[test]
fn codecs_that_message_sets_do_not_have() {
    for magic in [0, 1] {
        let zstd = zstd::bulk::compress(&message(magic, 0, None), 1).unwrap();
        let refused = kind(&wrapper(magic, 4, 0, Some(&zstd)));
        assert_eq!(refused, RecordErrorKind::CodecNotAllowed { codec: Codec::Zstd, magic });
        for codec in 5..8 {
            assert_eq!(kind(&wrapper(magic, codec, 0, None)), RecordErrorKind::UnknownCodec(codec));
        }
    }
}

#[test]
fn nested_compression_is_refused() {
    for magic in [0, 1] {
        let inner = gzipped(magic, 0, &[message(magic, 0, None)]);
        assert_eq!(kind(&gzipped(magic, 5, &[inner])), RecordErrorKind::NestedCompression);
    }
}

#[test]
fn relative_and_absolute_offsets() {
    let inner = [message(1, 0, None), message(1, 3, None), message(1, 4, None)];
    assert_eq!(offsets(&decode(&gzipped(1, 1004, &inner)).unwrap().1), [1000, 1003, 1004]);
    assert_eq!(offsets(&decode(&gzipped(1, 4, &inner)).unwrap().1), [0, 3, 4]);
    let compacted = [message(1, 3, None)];
    assert_eq!(offsets(&decode(&gzipped(1, 1003, &compacted)).unwrap().1), [1003]);
    let absolute = [message(0, 1000, None), message(0, 1003, None)];
    let (summary, records) = decode(&gzipped(0, 1003, &absolute)).unwrap();
    assert_eq!(offsets(&records), [1000, 1003]);
    assert_eq!((summary.header.base_offset, summary.header.next_offset()), (1003, 1004));
}

#[test]
fn offsets_that_contradict_the_wrapper() {
    for magic in [0, 1] {
        let past = |offset, last_offset| RecordErrorKind::OffsetPastEnd { offset, last_offset };
        assert_eq!(kind(&gzipped(magic, 4, &[message(magic, 5, None)])), past(5, 4));
        assert_eq!(kind(&gzipped(magic, 0, &[message(magic, 5, None)])), past(5, 0));
        let repeated = [message(magic, 5, None), message(magic, 5, None)];
        let refused = RecordErrorKind::OffsetNotAscending { previous: 5, offset: 5 };
        assert_eq!(kind(&gzipped(magic, 5, &repeated)), refused);
        let negative = [message(magic, 0, None)];
        let mut inner = negative[0].clone();
        inner[0] = 0x80;
        assert!(matches!(kind(&gzipped(magic, 5, &[inner])), RecordErrorKind::InvalidOffset { .. }));
    }
}

#[test]
fn magics_may_mix_as_in_kafkas_reader_but_v2_may_not_lie_inside() {
    let (_, records) = decode(&gzipped(1, 11, &[message(0, 0, None), message(1, 1, None)])).unwrap();
    assert_eq!(offsets(&records), [10, 11]);
    assert_eq!((records[0].timestamp, records[1].timestamp), (-1, 51));
    let batch = kcompare_core::records::BatchBuilder::new(0).build().unwrap();
    assert_eq!(kind(&gzipped(1, 0, &[batch])), RecordErrorKind::InnerMagic { wrapper: 1, inner: 2 });
}

#[test]
fn each_message_inside_has_its_own_crc() {
    for magic in [0, 1] {
        let mut inner = vec![message(magic, 0, Some(b"one")), message(magic, 1, Some(b"two"))];
        *inner[1].last_mut().unwrap() ^= 1;
        assert!(matches!(kind(&gzipped(magic, 1, &inner)), RecordErrorKind::CrcMismatch { .. }));
    }
}

#[test]
fn part_of_a_message_inside_is_an_error_and_no_end() {
    let inner = [message(1, 0, Some(b"one")), message(1, 1, Some(b"two"))].concat();
    let whole = message(1, 0, Some(b"one")).len();
    for cut in 1..inner.len() {
        let batch = wrapper(1, 1, 1, Some(&gzip(&inner[..cut])));
        // Where the cut lies between two messages, the set is whole, and ends below its wrapper's offset.
        assert_eq!(decode(&batch).is_ok(), cut == whole, "{cut}");
    }
    let refused = kind(&wrapper(1, 1, 1, Some(&gzip(&inner[..whole + 16]))));
    assert_eq!(refused, RecordErrorKind::TrailingBytes(16));
}

#[test]
fn lengths_that_do_not_fit_the_message() {
    let short = |field, value, available| RecordErrorKind::InvalidFieldLength { field, value, available };
    for (magic, key_at) in [(0, 18), (1, 26)] {
        let with = |at: usize, value: i32| {
            let mut batch = message(magic, 5, Some(b"four"));
            batch[at..at + 4].copy_from_slice(&value.to_be_bytes());
            reseal(&mut batch);
            decode(&batch).unwrap_err()
        };
        assert_eq!(with(key_at, -2).kind, short(Field::KeyLength, -2, 8));
        assert_eq!(with(key_at, i32::MAX).kind, short(Field::KeyLength, i64::from(i32::MAX), 8));
        assert_eq!(with(key_at, 5).kind, short(Field::ValueLength, 4, 3));
        assert_eq!(with(key_at + 4, 5).kind, short(Field::ValueLength, 5, 4));
        assert_eq!(with(key_at + 4, -2).kind, short(Field::ValueLength, -2, 4));
        let refused = with(key_at + 4, 3);
        assert_eq!(refused.kind, RecordErrorKind::RecordNotFilled { unused: 1 });
        assert_eq!((refused.base_offset, refused.position), (5, key_at as u64 + 11));
        let minimum = key_at as i32 - 4;
        assert_eq!(
            with(8, minimum - 1).kind,
            RecordErrorKind::InvalidLength { length: minimum - 1, minimum }
        );
    }
}

#[test]
fn only_magic_0_passes_over_the_header_checksum_of_lz4() {
    for magic in [0, 1] {
        let record = LegacyRecord { offset: 0, timestamp: 1, key: None, value: Some(b"value") };
        let good = legacy_message_set(&LegacySet::new(magic, Codec::Lz4), &[record]).unwrap();
        let frame_at = good.windows(4).position(|bytes| bytes == [0x04, 0x22, 0x4d, 0x18]).unwrap();
        for checksum in 0..=255 {
            let mut batch = good.clone();
            batch[frame_at + 6] = checksum;
            reseal(&mut batch);
            let right = checksum == good[frame_at + 6];
            assert_eq!(decode(&batch).is_ok(), right || magic == 0, "{checksum}");
        }
    }
}

#[test]
fn unused_attribute_bits_are_passed_over() {
    let mut batch = message(0, 5, None);
    batch[17] = 0xf8;
    reseal(&mut batch);
    let header = peek(&batch, 0).unwrap().unwrap().header;
    assert!(!header.is_log_append_time() && !header.is_control() && !header.is_transactional());
    assert_eq!(decode(&batch).unwrap().1[0].timestamp, -1);
}
