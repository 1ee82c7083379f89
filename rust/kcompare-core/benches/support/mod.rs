//! The records that are decoded and digested in memory, and the two loops over them: what `decode_digest` times and what
//! `examples/hot_loop.rs` counts instructions of.

use kcompare_core::digest::{CellBuilder, IsolationLevel, Profile, SliceReader, SliceSpec};
use kcompare_core::records::{BatchBuilder, BatchDecoder, Codec, Frame, peek};
use std::hint::black_box;

/// The bytes of a key; with it a record has 100 B or 1,000 B of payload.
pub const KEY_BYTES: usize = 16;
/// More than any batch needs.
pub const BUFFER_LIMIT: usize = 64 << 20;
const RECORDS_PER_BATCH: i64 = 500;
/// As in `benches/payload.py`: `X` is a random hexadecimal digit, so that codecs have as much to do as with real events.
const FIELDS: &[u8] = br#"{"customer_id":"XXXXXXXXXXXX","sku":"XXXXXXXX","note":"delivered","city":"Lyon"},"#;

/// Batches of 500 records with `size` bytes of key and value each.
pub fn batches(records: i64, size: usize, codec: Codec) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut digit = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        b"0123456789abcdef"[(state >> 60) as usize]
    };
    let pattern: Vec<u8> =
        [b'X'; KEY_BYTES].into_iter().chain(FIELDS.iter().copied().cycle().take(size - KEY_BYTES)).collect();
    let mut out = Vec::new();
    for base in (0..records).step_by(RECORDS_PER_BATCH as usize) {
        let mut builder = BatchBuilder::new(base).codec(codec).leader_epoch(0);
        for i in 0..RECORDS_PER_BATCH.min(records - base) {
            let record: Vec<u8> =
                pattern.iter().map(|&byte| if byte == b'X' { digit() } else { byte }).collect();
            let (key, value) = record.split_at(KEY_BYTES);
            builder.append(1_700_000_000_000 + base + i, Some(key), Some(value)).expect("fits");
        }
        out.extend_from_slice(&builder.build().expect("fits"));
    }
    out
}

/// Goes from batch to batch by their headers.
pub fn each_batch(bytes: &[u8], mut visit: impl FnMut(&Frame, &[u8])) {
    let mut rest = bytes;
    while let Ok(Some(frame)) = peek(rest, 0) {
        let (batch, after) = rest.split_at(frame.size);
        visit(&frame, batch);
        rest = after;
    }
}

/// CRC and decoding alone; returns how many records there were.
pub fn decode(bytes: &[u8], decoder: &mut BatchDecoder) -> u64 {
    let mut records = 0;
    each_batch(bytes, |_, batch| {
        decoder
            .decode(batch, 0, |record| {
                black_box(record.body.len());
                records += 1;
            })
            .expect("sound");
    });
    records
}

/// All that a slice of a comparison is: CRC, decoding, and every lane of every record; returns how many there were.
pub fn digest(bytes: &[u8], records: i64, profile: &Profile) -> u64 {
    let spec = SliceSpec { start: 0, stop: records, isolation_level: IsolationLevel::ReadCommitted };
    let mut reader = SliceReader::new(spec, CellBuilder::new(profile, 0, &[]), BUFFER_LIMIT);
    reader.begin_response(&[]);
    each_batch(bytes, |frame, batch| reader.push(frame, batch).expect("sound"));
    reader.finish().0.records()
}
