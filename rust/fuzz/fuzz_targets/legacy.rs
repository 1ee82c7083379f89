#![no_main]
//! Any bytes as an entry of magic 0 or 1, and as the messages inside a compressed wrapper.

use kcompare_core::records::{Codec, LegacyRecord, LegacySet, legacy_message_set, reseal};
use kcompare_fuzz::{decode, mend};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    for magic in [0, 1] {
        decode(&mend(bytes, magic));
        wrapped(bytes, magic as i8);
    }
});

/// Puts the bytes inside a wrapper, with the CRC of every message made right.
fn wrapped(bytes: &[u8], magic: i8) {
    let mut inner = bytes.to_vec();
    let mut at = 0;
    while let Some(length) = inner.get(at + 8..at + 12) {
        let length = u32::from_be_bytes(length.try_into().expect("four bytes")) as usize;
        let end = (at + 12).saturating_add(length).min(inner.len());
        reseal(&mut inner[at..end]);
        at = end;
    }
    let value = snap_block(&inner);
    let record = LegacyRecord { offset: 1 << 40, timestamp: 5, key: None, value: Some(&value) };
    let Ok(mut wrapper) = legacy_message_set(&LegacySet::new(magic, Codec::None), &[record]) else { return };
    wrapper[17] |= Codec::Snappy.id();
    reseal(&mut wrapper);
    decode(&wrapper);
}

/// A raw snappy block of literals: the least that a codec can do.
fn snap_block(plain: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut length = plain.len();
    while length >= 0x80 {
        out.push(length as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
    for chunk in plain.chunks(60) {
        out.push(((chunk.len() - 1) << 2) as u8);
        out.extend_from_slice(chunk);
    }
    out
}
