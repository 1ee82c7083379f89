//! What must hold whatever the bytes are.

use kcompare_core::records::{BatchDecoder, BatchSummary, RecordView, encode_body, peek, reseal};

/// Small enough that a bomb is found by passing it, large enough for the fixtures.
pub const LIMIT: usize = 1 << 20;

/// Decodes, and checks every record that is delivered and the summary against each other.
pub fn decode(bytes: &[u8]) -> Option<BatchSummary> {
    let mut decoder = BatchDecoder::new(LIMIT);
    let mut last = None;
    let mut count = 0;
    let outcome = decoder.decode(bytes, 0, |view| {
        check(view);
        assert!(last.is_none_or(|last| last < view.offset), "offsets ascend");
        last = Some(view.offset);
        count += 1;
    });
    assert!(decoder.scratch_bytes() <= LIMIT, "memory stays within the limit");
    let summary = outcome.ok()?;
    assert_eq!((summary.records, summary.last_offset), (count, last));
    assert!(last.is_none_or(|last| last <= summary.header.last_offset()));
    let frame = peek(bytes, 0).expect("decoded").expect("decoded");
    assert_eq!(frame.header, summary.header);
    assert!(decode_again(&bytes[..frame.size]), "bytes behind the batch do not matter");
    Some(summary)
}

fn decode_again(bytes: &[u8]) -> bool {
    BatchDecoder::new(LIMIT).decode(bytes, 0, |_| {}).is_ok()
}

fn check(view: &RecordView<'_>) {
    let headers = view.headers.iter();
    assert_eq!(headers.clone().count(), view.headers.len());
    if view.body.is_empty() {
        return;
    }
    let mut body = Vec::new();
    encode_body(&mut body, view.key, view.value, headers).expect("a view fits 32-bit lengths");
    // The canonical flag is exactly "encoding it again changes nothing".
    assert_eq!(view.canonical, body == view.body);
}

/// Makes magic, length and CRC right, so that what lies behind them is reached.
pub fn mend(bytes: &[u8], magic: u8) -> Vec<u8> {
    let mut batch = bytes.to_vec();
    if batch.len() > 16 {
        // Offsets below 2^63, or nothing would get past the front.
        batch[0] &= 0x7f;
        let length = batch.len() as u32 - 12;
        batch[8..12].copy_from_slice(&length.to_be_bytes());
        batch[16] = magic;
        reseal(&mut batch);
    }
    batch
}
