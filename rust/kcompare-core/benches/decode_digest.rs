//! What a slice costs in memory: decoding, CRC and every lane, beside CRC-32C and XXH3-128 alone over the same batches.
//!
//! `cargo bench -p kcompare-core` prints records (or bytes) a second of one core, for the code that the wheel ships: no
//! target-cpu flags.

#![allow(missing_docs, reason = "criterion's macros write undocumented items")]

mod support;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use kcompare_core::digest::Profile;
use kcompare_core::records::{BatchDecoder, Codec};
use std::hint::black_box;

/// As many records as a fetch of some megabytes holds.
const RECORDS: i64 = 60_000;
/// CRC-32C in one go over what it covers.
const CRC_FROM: usize = 21;

fn bench(criterion: &mut Criterion) {
    let profile = Profile::default();
    for (name, size) in [("100B", 100), ("1KB", 1000)] {
        let mut group = criterion.benchmark_group(name);
        // Throughput is of keys and values, so that codecs compare.
        let bytes = RECORDS as u64 * size as u64;
        group.throughput(Throughput::ElementsAndBytes { elements: RECORDS as u64, bytes });
        for codec in [Codec::None, Codec::Lz4, Codec::Zstd] {
            let stored = support::batches(RECORDS, size, codec);
            group.bench_function(BenchmarkId::new("crc32c_and_xxh3_alone", codec), |bencher| {
                bencher.iter(|| {
                    support::each_batch(&stored, |_, batch| {
                        let crc = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32Iscsi, &batch[CRC_FROM..]);
                        black_box((crc, profile.digest(&batch[CRC_FROM..])));
                    });
                });
            });
            group.bench_function(BenchmarkId::new("decode_and_crc", codec), |bencher| {
                let mut decoder = BatchDecoder::new(support::BUFFER_LIMIT);
                bencher.iter(|| assert_eq!(support::decode(&stored, &mut decoder), RECORDS as u64));
            });
            group.bench_function(BenchmarkId::new("all_lanes", codec), |bencher| {
                bencher.iter(|| assert_eq!(support::digest(&stored, RECORDS, &profile), RECORDS as u64));
            });
        }
        group.finish();
    }
}

criterion_group!(benches, bench);
criterion_main!(benches);
