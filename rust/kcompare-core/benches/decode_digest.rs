//! What a slice costs in memory: decoding, CRC and every lane, beside CRC-32C and XXH3-128 alone over the same batches.
//!
//! `cargo bench -p kcompare-core` prints records (or bytes) a second of one core, for the code that the wheel ships: no
//! target-cpu flags.

#![allow(missing_docs, reason = "criterion's macros write undocumented items")]

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use kcompare_core::digest::{CellBuilder, IsolationLevel, Profile, SliceReader, SliceSpec};
use kcompare_core::records::{BatchBuilder, BatchDecoder, Codec, peek};
use std::hint::black_box;

/// As many records as a fetch of some megabytes holds.
const RECORDS: i64 = 60_000;
const RECORDS_PER_BATCH: i64 = 500;
/// CRC-32C in one go over what it covers.
const CRC_FROM: usize = 21;

/// Batches of records with 16-byte keys and incompressible values.
fn batches(value_bytes: usize, codec: Codec) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move |bytes: &mut [u8]| {
        for chunk in bytes.chunks_mut(8) {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            chunk.copy_from_slice(&(state ^ (state >> 29)).to_le_bytes()[..chunk.len()]);
        }
    };
    let (mut key, mut value) = (vec![0; 16], vec![0; value_bytes]);
    let mut out = Vec::new();
    for base in (0..RECORDS).step_by(RECORDS_PER_BATCH as usize) {
        let mut builder = BatchBuilder::new(base).codec(codec).leader_epoch(0);
        for i in 0..RECORDS_PER_BATCH {
            random(&mut key);
            random(&mut value);
            builder.append(1_700_000_000_000 + base + i, Some(&key), Some(&value)).expect("fits");
        }
        out.extend_from_slice(&builder.build().expect("fits"));
    }
    out
}

fn each_batch(bytes: &[u8], mut visit: impl FnMut(&kcompare_core::records::Frame, &[u8])) {
    let mut rest = bytes;
    while let Ok(Some(frame)) = peek(rest, 0) {
        let (batch, after) = rest.split_at(frame.size);
        visit(&frame, batch);
        rest = after;
    }
}

fn all_lanes(bytes: &[u8], profile: &Profile) -> u64 {
    let spec = SliceSpec { start: 0, stop: RECORDS, isolation_level: IsolationLevel::ReadCommitted };
    let mut reader = SliceReader::new(spec, CellBuilder::new(profile, 0, &[]), 64 << 20);
    reader.begin_response(&[]);
    each_batch(bytes, |frame, batch| reader.push(frame, batch).expect("sound"));
    reader.finish().0.records()
}

fn bench(criterion: &mut Criterion) {
    let profile = Profile::default();
    for (name, value_bytes) in [("100B", 84), ("1KB", 1008)] {
        let bytes = batches(value_bytes, Codec::None);
        let mut group = criterion.benchmark_group(name);
        group
            .throughput(Throughput::ElementsAndBytes { elements: RECORDS as u64, bytes: bytes.len() as u64 });
        group.bench_function(BenchmarkId::from_parameter("crc32c_and_xxh3_alone"), |bencher| {
            bencher.iter(|| {
                each_batch(&bytes, |_, batch| {
                    let crc = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32Iscsi, &batch[CRC_FROM..]);
                    black_box((crc, profile.digest(&batch[CRC_FROM..])));
                });
            });
        });
        group.bench_function(BenchmarkId::from_parameter("decode_and_crc"), |bencher| {
            let mut decoder = BatchDecoder::new(64 << 20);
            bencher.iter(|| {
                each_batch(&bytes, |_, batch| {
                    decoder
                        .decode(batch, 0, |record| {
                            black_box(record.body.len());
                        })
                        .expect("sound");
                });
            });
        });
        group.bench_function(BenchmarkId::from_parameter("all_lanes"), |bencher| {
            bencher.iter(|| assert_eq!(all_lanes(&bytes, &profile), RECORDS as u64));
        });
        group.finish();
    }
    let mut group = criterion.benchmark_group("100B_compressed");
    group.throughput(Throughput::Elements(RECORDS as u64));
    for codec in [Codec::Lz4, Codec::Zstd] {
        let bytes = batches(84, codec);
        group.bench_function(BenchmarkId::from_parameter(codec.name()), |bencher| {
            bencher.iter(|| assert_eq!(all_lanes(&bytes, &profile), RECORDS as u64));
        });
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
