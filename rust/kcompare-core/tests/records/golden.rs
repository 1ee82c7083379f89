//! Batches that other people's encoders wrote; `tests/golden/records/PROVENANCE.md` says which.

use kcompare_core::records::{BatchDecoder, Codec, ControlRecordType, peek};

use super::support::{Fixture, LIMIT, decode, decode_stream, fixtures};

fn fixture(name: &str) -> Fixture {
    fixtures().into_iter().find(|fixture| fixture.name == name).unwrap()
}

#[test]
fn every_fixture_gives_its_records() {
    let all = fixtures();
    assert_eq!(all.len(), 24);
    for fixture in all {
        let magic = peek(&fixture.bytes, 0).unwrap().unwrap().header.magic;
        assert_eq!(i64::from(magic), fixture.magic, "{}", fixture.name);
        assert_eq!(decode_stream(&fixture.bytes), fixture.records, "{}", fixture.name);
    }
}

#[test]
fn all_fixtures_in_one_stream_with_one_decoder() {
    let all = fixtures();
    let stream: Vec<u8> = all.iter().flat_map(|fixture| fixture.bytes.clone()).collect();
    let records: Vec<_> = all.into_iter().flat_map(|fixture| fixture.records).collect();
    assert_eq!(decode_stream(&stream), records);
}

#[test]
fn headers_say_what_the_script_wrote() {
    let header = decode(&fixture("v2_transactional.bin").bytes).unwrap().0.header;
    assert!(header.is_transactional() && !header.is_control() && !header.is_log_append_time());
    assert_eq!((header.producer_id, header.producer_epoch, header.base_sequence), (4711, 3, 0));
    assert_eq!((header.partition_leader_epoch, header.base_offset, header.next_offset()), (7, 5, 8));

    let header = decode(&fixture("v2_log_append_time.bin").bytes).unwrap().0.header;
    assert!(header.is_log_append_time());
    assert_eq!(header.codec(), Ok(Codec::Lz4));

    let header = decode(&fixture("v1_log_append_time.bin").bytes).unwrap().0.header;
    assert!(header.is_log_append_time());
    assert_eq!((header.records_count, header.producer_id, header.partition_leader_epoch), (-1, -1, -1));
    assert_eq!(header.next_offset(), 1_000_502);
}

#[test]
fn markers_are_known_by_their_key() {
    for (name, control) in [("abort", ControlRecordType::Abort), ("commit", ControlRecordType::Commit)] {
        let (summary, _) = decode(&fixture(&format!("v2_{name}_marker.bin")).bytes).unwrap();
        assert!(summary.header.is_control());
        assert_eq!(summary.control, Some(control));
    }
}

#[test]
fn other_encoders_write_the_canonical_form() {
    for fixture in fixtures() {
        let mut decoder = BatchDecoder::new(LIMIT);
        let check = |view: &kcompare_core::records::RecordView<'_>| {
            assert_eq!(view.canonical, fixture.magic == 2);
            assert_eq!(view.body.is_empty(), fixture.magic < 2);
        };
        decoder.decode(&fixture.bytes, 0, check).unwrap();
    }
}
