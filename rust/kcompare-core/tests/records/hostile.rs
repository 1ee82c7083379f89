//! v2 batches that are cut off, flipped, or wrong under a right CRC: typed errors, never a panic.

use kcompare_core::records::{
    BatchBuilder, BatchDecoder, Codec, Field, RecordErrorKind, peek, reseal, write_varint, write_varlong,
};

use super::support::{LIMIT, Owned, decode, fixtures, kind};

/// Positions to try: all of a short batch; both ends and a sample of a long one.
pub fn places(size: usize) -> impl Iterator<Item = usize> {
    (0..size).filter(move |&at| size < 3000 || at < 400 || at + 400 > size || at % 97 == 0)
}

#[test]
fn every_cut_is_a_typed_error_or_not_enough() {
    for fixture in fixtures() {
        let size = peek(&fixture.bytes, 0).unwrap().unwrap().size;
        for cut in 0..size {
            let front = &fixture.bytes[..cut];
            let seen = peek(front, 0).unwrap();
            assert_eq!(seen.is_some(), cut >= [18, 26, 61][fixture.magic as usize], "{cut}");
            assert!(matches!(kind(front), RecordErrorKind::Truncated { available, .. } if available == cut));
        }
    }
}

#[test]
fn every_cut_with_its_length_and_crc_made_right_is_an_error() {
    for fixture in fixtures() {
        let size = peek(&fixture.bytes, 0).unwrap().unwrap().size;
        for cut in places(size) {
            let mut batch = fixture.bytes[..cut].to_vec();
            if cut >= 12 {
                batch[8..12].copy_from_slice(&(cut as i32 - 12).to_be_bytes());
                reseal(&mut batch);
            }
            assert!(decode(&batch).is_err(), "{} cut at {cut}", fixture.name);
        }
    }
}

#[test]
fn every_flipped_byte_under_the_crc_is_an_error() {
    for fixture in fixtures() {
        let size = peek(&fixture.bytes, 0).unwrap().unwrap().size;
        let mut batch = fixture.bytes[..size].to_vec();
        // The CRC's own bytes and magic come first; partitionLeaderEpoch of v2 is in front of them.
        let from = if fixture.magic == 2 { 16 } else { 12 };
        for at in from..size {
            for flip in [1 << (at % 8), 0xff] {
                batch[at] ^= flip;
                let refused = BatchDecoder::new(LIMIT).decode(&batch, 0, |_| {}).unwrap_err();
                batch[at] ^= flip;
                // magic and lastOffsetDelta are refused before the CRC is computed, when they are impossible.
                if at != 16 && !(fixture.magic == 2 && (23..27).contains(&at)) {
                    let crc = matches!(refused.kind, RecordErrorKind::CrcMismatch { .. });
                    assert!(crc, "{} at {at}: {refused}", fixture.name);
                }
            }
        }
    }
}

#[test]
fn a_flipped_byte_under_a_right_crc_never_panics() {
    for fixture in fixtures() {
        let size = peek(&fixture.bytes, 0).unwrap().unwrap().size;
        let mut batch = fixture.bytes[..size].to_vec();
        let mut decoder = BatchDecoder::new(LIMIT);
        for at in places(size).filter(|&at| at >= 8) {
            for flip in [1 << (at % 8), 0xff] {
                batch[at] ^= flip;
                reseal(&mut batch);
                let outcome = decoder.decode(&batch, 0, |view| drop(Owned::of(view)));
                assert!(outcome.is_ok() || !outcome.unwrap_err().to_string().is_empty());
                batch[at] ^= flip;
            }
        }
    }
}

#[test]
fn headers_that_no_batch_can_have() {
    let mut builder = BatchBuilder::new(100);
    let good = builder.append(0, None, None).unwrap().build().unwrap();
    let with = |at: usize, bytes: &[u8]| {
        let mut batch = good.clone();
        batch[at..at + bytes.len()].copy_from_slice(bytes);
        reseal(&mut batch);
        kind(&batch)
    };
    assert_eq!(with(16, &[3]), RecordErrorKind::UnknownMagic(3));
    assert_eq!(with(16, &[0xff]), RecordErrorKind::UnknownMagic(-1));
    for length in [-1, 0, 48] {
        assert_eq!(
            with(8, &i32::to_be_bytes(length)),
            RecordErrorKind::InvalidLength { length, minimum: 49 }
        );
    }
    assert!(matches!(with(8, &i32::MAX.to_be_bytes()), RecordErrorKind::Truncated { .. }));
    for codec in 5..8 {
        assert_eq!(with(22, &[codec]), RecordErrorKind::UnknownCodec(codec));
    }
    for count in [-1, 2, i32::MAX, i32::MIN] {
        let refused = with(57, &i32::to_be_bytes(count));
        assert_eq!(refused, RecordErrorKind::InvalidRecordCount { count, available: 7 });
    }
    assert_eq!(with(57, &[0; 4]), RecordErrorKind::TrailingBytes(7));
    assert!(matches!(with(0, &(-1_i64).to_be_bytes()), RecordErrorKind::InvalidOffset { offset: -1, .. }));
    assert!(matches!(with(0, &i64::MAX.to_be_bytes()), RecordErrorKind::InvalidOffset { .. }));
    assert!(matches!(with(23, &(-1_i32).to_be_bytes()), RecordErrorKind::InvalidOffset { .. }));
}

#[test]
fn records_claimed_in_zero_bytes() {
    for codec in Codec::ALL {
        let mut batch = BatchBuilder::new(0).codec(codec).build().unwrap();
        batch[60] = 1;
        reseal(&mut batch);
        assert_eq!(kind(&batch), RecordErrorKind::InvalidRecordCount { count: 1, available: 0 });
    }
}

#[test]
fn a_zero_filled_tail_is_an_error_that_says_so() {
    assert_eq!(peek(&[0; 16], 0), Ok(None));
    let refused = peek(&[0; 17], 900).unwrap_err();
    assert_eq!(refused.kind, RecordErrorKind::InvalidLength { length: 0, minimum: 14 });
    assert_eq!((refused.base_offset, refused.position), (0, 900));
}

/// attributes, timestampDelta and offsetDelta, then whatever the test puts behind.
fn record(timestamp_delta: i64, offset_delta: i32, rest: &[u8]) -> Vec<u8> {
    let mut out = vec![0];
    write_varlong(&mut out, timestamp_delta);
    write_varint(&mut out, offset_delta);
    out.extend_from_slice(rest);
    out
}

fn batch_of(records: &[Vec<u8>]) -> Vec<u8> {
    let mut builder = BatchBuilder::new(100).base_timestamp(10).last_offset_delta(9);
    for record in records {
        builder.push_encoded(record).unwrap();
    }
    builder.build().unwrap()
}

const NULLS: &[u8] = &[1, 1, 0];

#[test]
fn fields_that_do_not_fit_their_record() {
    let short = |field, value, available| RecordErrorKind::InvalidFieldLength { field, value, available };
    let varint = RecordErrorKind::InvalidVarint;
    let cases: &[(&[u8], RecordErrorKind)] = &[
        (&[3, 1, 0, 0], short(Field::KeyLength, -2, 3)),
        (&[8, 1, 1, 0], short(Field::KeyLength, 4, 3)),
        (&[0xfe, 0xff, 0xff, 0xff, 0x0f, 1, 0], short(Field::KeyLength, i64::from(i32::MAX), 2)),
        (&[1, 3, 0, 0], short(Field::ValueLength, -2, 2)),
        (&[1, 6, 0, 0], short(Field::ValueLength, 3, 2)),
        (&[1, 1, 1, 0], short(Field::HeadersCount, -1, 1)),
        (&[1, 1, 4, 0, 1, 0], short(Field::HeadersCount, 2, 3)),
        (&[1, 1, 2, 1, 0, 0], short(Field::HeaderKeyLength, -1, 2)),
        (&[1, 1, 2, 6, 0, 0], short(Field::HeaderKeyLength, 3, 2)),
        (&[1, 1, 2, 0, 6, 0], short(Field::HeaderValueLength, 3, 1)),
        (&[1, 1, 2, 0, 3, 0], short(Field::HeaderValueLength, -2, 1)),
        (&[1, 1, 0, 9], RecordErrorKind::RecordNotFilled { unused: 1 }),
        (&[1, 1, 0x80, 0x80], varint(Field::HeadersCount)),
        (&[0x80, 0x80, 0x80, 0x80, 0x80, 0, 1, 0], varint(Field::KeyLength)),
        (&[0xff, 0xff, 0xff, 0xff, 0x1f, 1, 0], varint(Field::KeyLength)),
        (&[1, 0x80, 0x80, 0x80], varint(Field::ValueLength)),
        (&[1, 1, 2, 2, b'n', 0x80], varint(Field::HeaderValueLength)),
    ];
    for (rest, expected) in cases {
        // A good record in front shows that the position is that of the bad one.
        let batch = batch_of(&[record(0, 0, NULLS), record(0, 1, rest)]);
        let refused = decode(&batch).unwrap_err();
        assert_eq!(&refused.kind, expected, "{rest:?}");
        assert_eq!((refused.base_offset, refused.position), (100, 61 + 7));
    }
}

#[test]
fn record_lengths_that_do_not_fit_the_batch() {
    let longer = |length: i32| {
        let mut batch = batch_of(&[record(0, 0, NULLS)]);
        batch[61] = (length << 1) as u8;
        reseal(&mut batch);
        kind(&batch)
    };
    assert!(matches!(longer(7), RecordErrorKind::InvalidFieldLength { field: Field::Length, value: 7, .. }));
    assert!(matches!(longer(5), RecordErrorKind::InvalidVarint(Field::HeadersCount)));
    assert!(matches!(longer(2), RecordErrorKind::InvalidVarint(Field::OffsetDelta)));
    assert!(matches!(longer(1), RecordErrorKind::InvalidVarint(Field::TimestampDelta)));
    assert!(matches!(longer(0), RecordErrorKind::InvalidFieldLength { field: Field::Attributes, .. }));
    let mut negative = batch_of(&[record(0, 0, NULLS)]);
    negative[61] = 1;
    reseal(&mut negative);
    assert!(matches!(
        kind(&negative),
        RecordErrorKind::InvalidFieldLength { field: Field::Length, value: -1, .. }
    ));
}

#[test]
fn offsets_must_ascend_within_the_batch() {
    let ascending = |previous, offset| RecordErrorKind::OffsetNotAscending { previous, offset };
    let past = |offset| RecordErrorKind::OffsetPastEnd { offset, last_offset: 109 };
    let deltas = |first, second| kind(&batch_of(&[record(0, first, NULLS), record(0, second, NULLS)]));
    assert_eq!(deltas(3, 3), ascending(103, 103));
    assert_eq!(deltas(3, 2), ascending(103, 102));
    assert_eq!(deltas(-1, 2), ascending(99, 99));
    assert_eq!(deltas(i32::MIN, 2), ascending(99, 100 + i64::from(i32::MIN)));
    assert_eq!(deltas(0, 10), past(110));
    assert_eq!(deltas(0, i32::MAX), past(100 + i64::from(i32::MAX)));
}

#[test]
fn timestamps_must_not_overflow() {
    let refused = kind(&batch_of(&[record(i64::MAX, 0, NULLS)]));
    assert_eq!(refused, RecordErrorKind::TimestampOverflow { base: 10, delta: i64::MAX });
    // The deltas of a LogAppendTime batch mean nothing.
    let mut builder = BatchBuilder::new(0).base_timestamp(10).log_append_time(77);
    let batch = builder.push_encoded(&record(i64::MAX, 0, NULLS)).unwrap().build().unwrap();
    assert_eq!(decode(&batch).unwrap().1[0].timestamp, 77);
}

#[test]
fn a_body_that_is_not_canonical_is_told() {
    let flag = |rest: &[u8]| {
        let mut seen = None;
        let batch = batch_of(&[record(0, 0, rest)]);
        BatchDecoder::new(LIMIT)
            .decode(&batch, 0, |view| {
                assert_eq!(view.body, rest);
                seen = Some((view.canonical, Owned::of(view)));
            })
            .unwrap();
        seen.unwrap()
    };
    let (canonical, same) = flag(&[2, b'k', 2, b'v', 2, 2, b'n', 1]);
    assert!(canonical);
    for rest in [
        &[0x82, 0, b'k', 2, b'v', 2, 2, b'n', 1][..],
        &[2, b'k', 0x82, 0, b'v', 2, 2, b'n', 1],
        &[2, b'k', 2, b'v', 0x82, 0, 2, b'n', 1],
        &[2, b'k', 2, b'v', 2, 0x82, 0x80, 0, b'n', 1],
        &[2, b'k', 2, b'v', 2, 2, b'n', 0x81, 0],
        &[0x82, 0x80, 0x80, 0x80, 0, b'k', 2, b'v', 2, 2, b'n', 1],
    ] {
        assert_eq!(flag(rest), (false, same.clone()), "{rest:?}");
    }
}

#[test]
fn long_varints_outside_the_body_do_not_matter() {
    let encoded = [0, 0x80, 0x80, 0x80, 0, 0x80, 0, 1, 1, 0];
    let batch = batch_of(&[encoded.to_vec()]);
    BatchDecoder::new(LIMIT).decode(&batch, 0, |view| assert!(view.canonical)).unwrap();
}

#[test]
fn control_records_need_a_version_and_a_type() {
    let with_key = |key: Option<&[u8]>| {
        let mut builder = BatchBuilder::new(0).control();
        builder.append(0, key, None).unwrap().build().unwrap()
    };
    assert_eq!(kind(&with_key(None)), RecordErrorKind::InvalidControlKey(None));
    assert_eq!(kind(&with_key(Some(&[0, 0, 1]))), RecordErrorKind::InvalidControlKey(Some(3)));
    assert_eq!(kind(&with_key(Some(&[0x80, 0, 0, 1]))), RecordErrorKind::InvalidControlVersion(i16::MIN));
    let empty = BatchBuilder::new(0).control().build().unwrap();
    assert_eq!(decode(&empty).unwrap().0.control, None);
}

#[test]
fn errors_name_the_place() {
    let mut batch = batch_of(&[record(0, 0, NULLS)]);
    batch[64] ^= 1;
    let refused = BatchDecoder::new(LIMIT).decode(&batch, 5_000, |_| {}).unwrap_err();
    assert_eq!((refused.base_offset, refused.position), (100, 5_021));
    let text = refused.to_string();
    assert!(text.starts_with("record batch at offset 100, byte 5021: CRC 0x"), "{text}");
}
