//! What the builder writes, the decoder gives back.

use kcompare_core::records::{
    BatchBuilder, Codec, LegacyRecord, LegacySet, NewRecord, SnappyFraming, legacy_message_set, peek,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::support::{Owned, decode, decode_stream};

fn bytes() -> impl Strategy<Value = Option<Vec<u8>>> {
    prop_oneof![
        1 => Just(None),
        1 => Just(Some(Vec::new())),
        6 => vec(any::<u8>(), 0..200).prop_map(Some),
        1 => (any::<u8>(), 0..70_000_usize).prop_map(|(byte, length)| Some(vec![byte; length])),
    ]
}

fn headers() -> impl Strategy<Value = Vec<(Vec<u8>, Option<Vec<u8>>)>> {
    let name = prop_oneof![Just(b"repeated".to_vec()), vec(any::<u8>(), 0..6)];
    prop_oneof![Just(Vec::new()), vec((name, option::of(vec(any::<u8>(), 0..80))), 0..90)]
}

/// Records with gaps between their offsets and timestamps anywhere from -1 to the far future.
fn records(base: i64) -> impl Strategy<Value = Vec<Owned>> {
    let gap = prop_oneof![Just(0_i64), 0..200_i64, Just(1 << 20)];
    let timestamp = prop_oneof![Just(-1), 0..=i64::MAX - 1, 1_700_000_000_000..1_700_000_100_000_i64];
    vec((gap, timestamp, bytes(), bytes(), headers()), 0..20).prop_map(move |rows| {
        let mut next = base;
        let place = |(gap, timestamp, key, value, headers)| {
            let offset = next + gap;
            next = offset + 1;
            Owned { offset, timestamp, key, value, headers }
        };
        rows.into_iter().map(place).collect()
    })
}

fn codec() -> impl Strategy<Value = Codec> {
    proptest::sample::select(Codec::ALL.to_vec())
}

fn framing() -> impl Strategy<Value = SnappyFraming> {
    prop_oneof![Just(SnappyFraming::Raw), Just(SnappyFraming::Xerial)]
}

pub fn push(builder: &mut BatchBuilder, record: &Owned) {
    let headers: Vec<_> =
        record.headers.iter().map(|(name, value)| (name.as_slice(), value.as_deref())).collect();
    let new = NewRecord {
        offset: record.offset,
        timestamp: record.timestamp,
        key: record.key.as_deref(),
        value: record.value.as_deref(),
        headers: &headers,
    };
    builder.push(&new).unwrap();
}

proptest! {
    #[test]
    fn v2(codec in codec(), framing in framing(), base in 0..1_i64 << 50, written in (0..1_i64 << 50).prop_flat_map(records)) {
        let shift = base - written.first().map_or(0, |record| record.offset);
        let written: Vec<Owned> =
            written.into_iter().map(|record| Owned { offset: record.offset + shift, ..record }).collect();
        let mut builder = BatchBuilder::new(base).codec(codec).snappy_framing(framing).leader_epoch(9);
        for record in &written {
            push(&mut builder, record);
        }
        let batch = builder.build().unwrap();
        let (summary, read) = decode(&batch).unwrap();
        prop_assert_eq!(&read, &written);
        prop_assert_eq!(summary.header.codec(), Ok(codec));
        prop_assert_eq!(summary.header.partition_leader_epoch, 9);
        prop_assert_eq!(summary.header.last_offset(), written.last().map_or(base, |record| record.offset));
        prop_assert_eq!(summary.decompressed_bytes, builder.body_size());
        prop_assert_eq!(peek(&batch, 0).unwrap().unwrap().size, batch.len());
    }

    #[test]
    fn v2_log_append_time(codec in codec(), stamp in 0..i64::MAX, written in records(17)) {
        let mut builder = BatchBuilder::new(17).codec(codec).log_append_time(stamp).last_offset_delta(1 << 30);
        for record in &written {
            push(&mut builder, record);
        }
        let (summary, read) = decode(&builder.build().unwrap()).unwrap();
        let stamped: Vec<_> = written.into_iter().map(|record| Owned { timestamp: stamp, ..record }).collect();
        prop_assert_eq!(read, stamped);
        prop_assert_eq!(summary.header.next_offset(), 18 + (1 << 30));
    }

    #[test]
    fn legacy(
        magic in 0..2_i8,
        codec in proptest::sample::select(Codec::ALL[..4].to_vec()),
        snappy_framing in framing(),
        log_append_time in option::of(0..i64::MAX),
        absolute_offsets: bool,
        written in records(1 << 40),
    ) {
        prop_assume!(!written.is_empty());
        let log_append_time = log_append_time.filter(|_| magic == 1);
        let set = LegacySet { magic, codec, snappy_framing, log_append_time, absolute_offsets };
        let messages: Vec<_> = written
            .iter()
            .map(|record| LegacyRecord {
                offset: record.offset,
                timestamp: record.timestamp,
                key: record.key.as_deref(),
                value: record.value.as_deref(),
            })
            .collect();
        let read = decode_stream(&legacy_message_set(&set, &messages).unwrap());
        let stamp = if magic == 0 { Some(-1) } else { log_append_time };
        let expected: Vec<_> = written
            .into_iter()
            .map(|record| Owned { timestamp: stamp.unwrap_or(record.timestamp), headers: Vec::new(), ..record })
            .collect();
        prop_assert_eq!(read, expected);
    }
}

#[test]
fn an_empty_batch_that_compaction_kept_is_valid() {
    for codec in Codec::ALL {
        let batch = BatchBuilder::new(5).codec(codec).producer(7, 0, 3).last_offset_delta(4).build().unwrap();
        assert_eq!(batch.len(), 61);
        let (summary, records) = decode(&batch).unwrap();
        assert!(records.is_empty());
        assert_eq!((summary.first_offset, summary.last_offset), (None, None));
        assert_eq!(summary.header.next_offset(), 10);
    }
}

#[test]
fn with_a_delete_horizon_deltas_still_count_from_base_timestamp() {
    let mut builder = BatchBuilder::new(0).delete_horizon(5_000);
    builder.append(1_000, None, None).unwrap().append(9_000, None, None).unwrap();
    let (summary, records) = decode(&builder.build().unwrap()).unwrap();
    assert_eq!(summary.header.delete_horizon_ms(), Some(5_000));
    assert_eq!(records.iter().map(|record| record.timestamp).collect::<Vec<_>>(), [1_000, 9_000]);
}

#[test]
fn timestamps_farther_apart_than_32_bits() {
    let mut builder = BatchBuilder::new(0).base_timestamp(-1);
    builder.append(i64::MAX - 1, None, None).unwrap().append(0, None, None).unwrap();
    let (_, records) = decode(&builder.build().unwrap()).unwrap();
    assert_eq!(records[0].timestamp, i64::MAX - 1);
    assert_eq!(records[1].timestamp, 0);
}
