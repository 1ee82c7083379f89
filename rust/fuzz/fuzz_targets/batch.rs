#![no_main]
//! Any bytes as a v2 batch: as they are, and with length and CRC made right.

use kcompare_fuzz::{decode, mend};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    decode(bytes);
    decode(&mend(bytes, 2));
});
