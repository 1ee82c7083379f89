//! Owned records, fixtures, and the short ways to decode.

use std::path::PathBuf;

use kcompare_core::records::{
    BatchDecoder, BatchSummary, RecordError, RecordErrorKind, RecordView, encode_body, peek,
};
use serde_json::Value;

pub const LIMIT: usize = 4 << 20;

pub type Header = (Vec<u8>, Option<Vec<u8>>);

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Owned {
    pub offset: i64,
    pub timestamp: i64,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub headers: Vec<Header>,
}

impl Owned {
    /// Copies a record, and checks what must hold for every record that a decoder delivers.
    pub fn of(view: &RecordView<'_>) -> Self {
        let headers = view.headers.iter().map(|(name, value)| (name.to_vec(), value.map(<[u8]>::to_vec)));
        let headers: Vec<Header> = headers.collect();
        assert_eq!(headers.len(), view.headers.len());
        if view.canonical {
            let mut body = Vec::new();
            encode_body(&mut body, view.key, view.value, view.headers.iter()).unwrap();
            assert_eq!(view.body, body, "a canonical body is what the encoder writes");
        }
        Self {
            offset: view.offset,
            timestamp: view.timestamp,
            key: view.key.map(<[u8]>::to_vec),
            value: view.value.map(<[u8]>::to_vec),
            headers,
        }
    }
}

pub fn decode(bytes: &[u8]) -> Result<(BatchSummary, Vec<Owned>), RecordError> {
    let mut records = Vec::new();
    let summary = BatchDecoder::new(LIMIT).decode(bytes, 0, |view| records.push(Owned::of(view)))?;
    assert_eq!(summary.records as usize, records.len());
    assert_eq!(summary.first_offset, records.first().map(|record| record.offset));
    assert_eq!(summary.last_offset, records.last().map(|record| record.offset));
    Ok((summary, records))
}

pub fn kind(bytes: &[u8]) -> RecordErrorKind {
    decode(bytes).expect_err("this batch must be refused").kind
}

/// Decodes a stream of batches, with one decoder, to its end.
pub fn decode_stream(bytes: &[u8]) -> Vec<Owned> {
    let mut decoder = BatchDecoder::new(LIMIT);
    let mut records = Vec::new();
    let mut rest = bytes;
    while let Some(frame) = peek(rest, 0).unwrap() {
        let summary = decoder.decode(rest, 0, |view| records.push(Owned::of(view))).unwrap();
        assert_eq!(summary.header, frame.header);
        rest = &rest[frame.size..];
    }
    assert!(rest.is_empty(), "a fixture ends with its last batch");
    records
}

pub struct Fixture {
    pub name: String,
    pub magic: i64,
    pub bytes: Vec<u8>,
    pub records: Vec<Owned>,
}

pub fn fixtures() -> Vec<Fixture> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/records");
    let text = std::fs::read_to_string(folder.join("records.json")).unwrap();
    let document: Value = serde_json::from_str(&text).unwrap();
    let files = document["files"].as_object().unwrap();
    let read = |(name, described): (&String, &Value)| {
        let with_headers = described["headers"].as_bool().unwrap();
        let rows = document["record_sets"][described["record_set"].as_str().unwrap()].as_array().unwrap();
        let records = rows.iter().map(|row| {
            let mut record = expected(row);
            record.timestamp = described["timestamp"].as_i64().unwrap_or(record.timestamp);
            if !with_headers {
                record.headers.clear();
            }
            record
        });
        Fixture {
            name: name.clone(),
            magic: described["magic"].as_i64().unwrap(),
            bytes: std::fs::read(folder.join(name)).unwrap(),
            records: records.collect(),
        }
    };
    files.iter().map(read).collect()
}

fn expected(row: &Value) -> Owned {
    let headers = row["headers"].as_array().unwrap();
    Owned {
        offset: row["offset"].as_i64().unwrap(),
        timestamp: row["timestamp"].as_i64().unwrap(),
        key: base64(&row["key"]),
        value: base64(&row["value"]),
        headers: headers.iter().map(|pair| (base64(&pair[0]).unwrap(), base64(&pair[1]))).collect(),
    }
}

fn base64(value: &Value) -> Option<Vec<u8>> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let text = value.as_str()?.trim_end_matches('=');
    let mut out = Vec::new();
    let (mut bits, mut held) = (0_u32, 0);
    for byte in text.bytes() {
        let digit = ALPHABET.iter().position(|&letter| letter == byte).unwrap();
        bits = bits << 6 | digit as u32;
        held += 6;
        if held >= 8 {
            held -= 8;
            out.push((bits >> held) as u8);
        }
    }
    Some(out)
}
