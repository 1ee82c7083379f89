//! The hot loop alone, for tools that count: `hot_loop decode|digest SIZE CODEC PASSES`.
//!
//! It goes PASSES times over the same batches, so that two runs which differ in PASSES differ in nothing else: the
//! difference is the loop. `python -m benches.instructions` runs it under callgrind.

#[path = "../benches/support/mod.rs"]
mod support;

use std::process::ExitCode;

use kcompare_core::digest::Profile;
use kcompare_core::records::{BatchDecoder, Codec};

/// Few enough for an emulated processor; `benches/instructions.py` divides by it.
const RECORDS: i64 = 10_000;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [what, size, codec, passes] = arguments.as_slice() else { return ExitCode::from(2) };
    let codec = Codec::ALL.into_iter().find(|each| each.name() == codec);
    let (Ok(size @ 17..), Some(codec), Ok(passes)) = (size.parse::<usize>(), codec, passes.parse::<u64>())
    else {
        return ExitCode::from(2);
    };
    let stored = support::batches(RECORDS, size, codec);
    let mut records = 0;
    match what.as_str() {
        "decode" => {
            let mut decoder = BatchDecoder::new(support::BUFFER_LIMIT);
            for _ in 0..passes {
                records += support::decode(&stored, &mut decoder);
            }
        }
        "digest" => {
            let profile = Profile::default();
            for _ in 0..passes {
                records += support::digest(&stored, RECORDS, &profile);
            }
        }
        _ => return ExitCode::from(2),
    }
    // A loop that lost records would seem fast.
    ExitCode::from(u8::from(records != passes * RECORDS as u64))
}
