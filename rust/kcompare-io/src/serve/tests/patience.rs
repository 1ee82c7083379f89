//! Peers that take their time, and records that stay in files until they are sent.

use std::io::{self, Read, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use kafka_protocol::messages::fetch_response::{AbortedTransaction, FetchableTopicResponse, PartitionData};
use kafka_protocol::messages::{ApiVersionsRequest, FetchResponse, ResponseHeader};
use kafka_protocol::protocol::{Decodable, HeaderVersion};

use super::super::fetch_encode::{self, FetchAnswer};
use super::super::piece::{Piece, ReadAt};
use super::super::wire_types::wire_id;
use super::super::{Broker, BrokerConfig, Patience};
use super::{Client, ID, fetch_request, name, store};

const SHORT: Duration = Duration::from_millis(300);
const LONG: Duration = Duration::from_secs(60);

/// A broker that is patient but for what `change` says.
fn impatient(change: impl FnOnce(&mut Patience)) -> Broker {
    let mut patience =
        Patience { first_request: LONG, idle: LONG, request: LONG, write: LONG, write_rate: 1024 };
    change(&mut patience);
    let store = store();
    store.append_unchecked(super::TOPIC, 1, vec![0_u8; 32 << 20], 1).unwrap();
    Broker::start(BrokerConfig { patience, ..BrokerConfig::default() }, store).unwrap()
}

/// Whether the broker ends the connection soon, and not at once.
fn gives_up(client: &mut Client) {
    let started = Instant::now();
    assert!(client.is_closed(Duration::from_secs(10)));
    assert!(started.elapsed() >= SHORT / 2, "closed after {:?}", started.elapsed());
}

#[test]
fn a_connection_without_a_request_is_closed() {
    let broker = impatient(|patience| patience.first_request = SHORT);
    gives_up(&mut Client::new(&broker));
}

#[test]
fn an_idle_connection_is_closed() {
    let broker = impatient(|patience| patience.idle = SHORT);
    let mut client = Client::new(&broker);
    assert_eq!(client.call(0, &ApiVersionsRequest::default()).error_code, 0);
    gives_up(&mut client);
}

#[test]
fn bytes_that_trickle_in_do_not_buy_time() {
    let broker = impatient(|patience| patience.request = SHORT);
    let mut client = Client::new(&broker);
    client.stream.write_all(&[0, 0, 1, 0]).unwrap();
    let started = Instant::now();
    while client.stream.write_all(&[0]).is_ok() {
        std::thread::sleep(Duration::from_millis(20));
        assert!(started.elapsed() < Duration::from_secs(5), "the request is nearly whole");
    }
    assert!(started.elapsed() >= SHORT);
}

#[test]
fn a_reader_that_takes_nothing_is_given_up() {
    let broker = impatient(|patience| patience.write = SHORT);
    let mut client = Client::new(&broker);
    let mut request = fetch_request(0).with_max_bytes(i32::MAX);
    request.topics[0].partitions[0].partition = 1;
    request.topics[0].partitions[0].partition_max_bytes = i32::MAX;
    client.send(12, &request);
    std::thread::sleep(2 * SHORT + Duration::from_millis(400));
    let mut taken = Vec::new();
    let _ = client.stream.read_to_end(&mut taken);
    assert!(taken.len() < 32 << 20, "{} bytes came", taken.len());
}

#[test]
fn a_reader_that_takes_next_to_nothing_is_given_up() {
    let broker = impatient(|patience| (patience.write, patience.write_rate) = (SHORT, 1 << 30));
    let mut client = Client::new(&broker);
    let mut request = fetch_request(0).with_max_bytes(i32::MAX);
    request.topics[0].partitions[0].partition = 1;
    request.topics[0].partitions[0].partition_max_bytes = i32::MAX;
    client.send(12, &request);
    let (mut total, mut part) = (0, vec![0; 64 << 10]);
    while let Ok(count @ 1..) = client.stream.read(&mut part) {
        total += count;
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(total < 32 << 20, "{total} bytes came");
}

/// Bytes in memory that are read like those of a file; what lies behind `end` is gone.
struct Shrinking {
    bytes: Bytes,
    end: usize,
}

impl ReadAt for Shrinking {
    fn read_exact_at(&self, buffer: &mut [u8], position: u64) -> io::Result<()> {
        let start = position as usize;
        let found = self.bytes.slice(..self.end);
        let part = found.get(start..start + buffer.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        buffer.copy_from_slice(part);
        Ok(())
    }
}

#[test]
fn a_file_that_shrinks_is_an_error() {
    let bytes = Bytes::from_static(&[7; 100]);
    let file = Arc::new(Shrinking { bytes, end: 50 });
    let whole = Piece::Stored { file: Arc::<Shrinking>::clone(&file), position: 0, length: 50 };
    assert_eq!(whole.read().unwrap(), &[7; 50][..]);
    let cut = Piece::Stored { file, position: 10, length: 41 };
    assert_eq!(cut.read().unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
}

/// What the pieces of a response make up is what the decoder of `kafka-protocol` takes for that response.
#[test]
fn the_pieces_make_up_the_response_at_every_version() {
    for length in [0_usize, 1, 126, 127, 128, 16_383, 16_384, 300_000] {
        for version in 4..=17 {
            let stored = Bytes::from(vec![9; length]);
            let file = Arc::new(Shrinking { bytes: stored.clone(), end: length });
            let partition = |number| {
                let aborted = AbortedTransaction::default().with_first_offset(3);
                PartitionData::default()
                    .with_partition_index(number)
                    .with_high_watermark(5)
                    .with_aborted_transactions(Some(vec![aborted]))
                    .with_records(Some(Bytes::new()))
            };
            let topic = FetchableTopicResponse::default().with_partitions(vec![partition(0), partition(1)]);
            let topic =
                if version < 13 { topic.with_topic(name()) } else { topic.with_topic_id(wire_id(ID)) };
            let response =
                FetchResponse::default().with_throttle_time_ms(1).with_responses(vec![topic.clone(), topic]);
            let piece = || Piece::Stored { file: Arc::<Shrinking>::clone(&file), position: 0, length };
            let records = vec![piece(), Piece::default(), Piece::default(), piece()];
            let pieces =
                fetch_encode::frame(FetchAnswer { response: response.clone(), records }, 77, version);
            let read = pieces.ok().unwrap();
            let mut frame = Bytes::from(read.iter().flat_map(|one| one.read().unwrap()).collect::<Vec<u8>>());
            assert_eq!(frame.split_to(4)[..], i32::try_from(frame.len()).unwrap().to_be_bytes());
            let header = ResponseHeader::decode(&mut frame, FetchResponse::header_version(version)).unwrap();
            assert_eq!(header.correlation_id, 77);
            let decoded = FetchResponse::decode(&mut frame, version).unwrap();
            assert!(frame.is_empty());
            let mut expected = response;
            expected.responses[0].partitions[0].records = Some(stored.clone());
            expected.responses[1].partitions[1].records = Some(stored);
            assert_eq!(decoded, expected, "version {version}, {length} bytes");
        }
    }
}
