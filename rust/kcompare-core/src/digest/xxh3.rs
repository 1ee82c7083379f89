//! XXH3-128 under one seed, with everything that follows from the seed alone worked out once.
//!
//! A library is given the seed with every call, adds it to each word of the secret that it touches, and above 240 bytes
//! derives 192 bytes of secret first. Records are short, so that is a good part of their digest. Up to 16 bytes and
//! above 240 a library still does the work; the values are those of XXH3-128 at every length.
//!
//! # References
//! <https://github.com/Cyan4973/xxHash/blob/v0.8.3/doc/xxhash_spec.md#xxh3-algorithm-overview>

use twox_hash::XxHash3_128;
use twox_hash::xxhash3_128::{DEFAULT_SECRET_LENGTH, SecretBuffer};
use xxhash_rust::xxh3::xxh3_128_with_seed;

const PRIME64_1: u64 = 0x9e37_79b1_85eb_ca87;
const PRIME64_2: u64 = 0xc2b2_ae3d_27d4_eb4f;
const PRIME64_4: u64 = 0x85eb_ca77_c2b2_ae63;
const PRIME_MX1: u64 = 0x1656_6791_9e37_79f9;

/// Rounds of 32 bytes that the first 128 bytes take.
const FIRST_ROUNDS: usize = 4;
/// Rounds of 32 bytes that bytes 128 to 240 take.
const LATER_ROUNDS: usize = 3;
/// Where in the secret the later rounds start.
const LATER_FROM: usize = 3;
/// Where in the secret the last round of more than 128 bytes reads: 17 bytes before the end of the smallest secret,
/// and 16 more.
const LAST_AT: usize = 103;

/// The secret of one round, with the seed in it: two words for each of its two halves.
type Round = [[u64; 2]; 2];

/// XXH3-128 under a seed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Xxh3 {
    seed: u64,
    first: [Round; FIRST_ROUNDS],
    later: [Round; LATER_ROUNDS],
    last: Round,
    /// For inputs of more than 240 bytes.
    secret: [u8; DEFAULT_SECRET_LENGTH],
}

impl Xxh3 {
    pub(super) fn new(seed: u64) -> Self {
        // The secret of seed 0 is the published one.
        let published = derived_secret(0);
        let round = |at: usize, seed: u64| {
            [at, at + 16].map(|at| {
                let [low, high] = words(&published, at);
                [low.wrapping_add(seed), high.wrapping_sub(seed)]
            })
        };
        Self {
            seed,
            first: std::array::from_fn(|i| round(32 * i, seed)),
            later: std::array::from_fn(|i| round(LATER_FROM + 32 * i, seed)),
            last: round(LAST_AT, seed.wrapping_neg()),
            secret: derived_secret(seed),
        }
    }

    pub(super) fn seed(&self) -> u64 {
        self.seed
    }

    #[inline]
    pub(super) fn digest(&self, bytes: &[u8]) -> u128 {
        match bytes.len() {
            17..=128 => self.up_to_128(bytes),
            129..=240 => self.up_to_240(bytes),
            0..=16 => xxh3_128_with_seed(bytes, self.seed),
            _ => self.long(bytes),
        }
    }

    /// The digest of 24 bytes, which are in registers.
    #[inline]
    pub(super) fn digest_24(&self, [low, middle, high]: [u64; 3]) -> u128 {
        let mut halves = Halves::new(24);
        halves.mix([low, middle], [middle, high], &self.first[0]);
        halves.finish(24, self.seed)
    }

    #[inline]
    fn up_to_128(&self, bytes: &[u8]) -> u128 {
        let length = bytes.len();
        let mut halves = Halves::new(length);
        // From the middle outwards.
        if length > 32 {
            if length > 64 {
                if length > 96 {
                    halves.mix(words(bytes, 48), words(bytes, length - 64), &self.first[3]);
                }
                halves.mix(words(bytes, 32), words(bytes, length - 48), &self.first[2]);
            }
            halves.mix(words(bytes, 16), words(bytes, length - 32), &self.first[1]);
        }
        halves.mix(words(bytes, 0), words(bytes, length - 16), &self.first[0]);
        halves.finish(length, self.seed)
    }

    #[inline(never)]
    fn up_to_240(&self, bytes: &[u8]) -> u128 {
        let length = bytes.len();
        let mut halves = Halves::new(length);
        let mut rounds = bytes.chunks_exact(32);
        for (chunk, secret) in rounds.by_ref().take(FIRST_ROUNDS).zip(&self.first) {
            halves.mix(words(chunk, 0), words(chunk, 16), secret);
        }
        halves = Halves { low: avalanche(halves.low), high: avalanche(halves.high) };
        for (chunk, secret) in rounds.zip(&self.later) {
            halves.mix(words(chunk, 0), words(chunk, 16), secret);
        }
        halves.mix(words(bytes, length - 16), words(bytes, length - 32), &self.last);
        halves.finish(length, self.seed)
    }

    /// More than 240 bytes are walked in stripes, and an implementation that picks SIMD at run time is two to three
    /// times faster there than one that was compiled for baseline x86-64.
    #[inline(never)]
    fn long(&self, bytes: &[u8]) -> u128 {
        XxHash3_128::oneshot_with_seed_and_secret(self.seed, &self.secret, bytes)
            .expect("the secret has the length of the published one")
    }
}

/// The two halves of a digest on their way.
#[derive(Clone, Copy)]
struct Halves {
    low: u64,
    high: u64,
}

impl Halves {
    #[inline]
    fn new(length: usize) -> Self {
        Self { low: (length as u64).wrapping_mul(PRIME64_1), high: 0 }
    }

    #[inline]
    fn mix(&mut self, one: [u64; 2], other: [u64; 2], secret: &Round) {
        self.low = self.low.wrapping_add(fold(one, secret[0])) ^ other[0].wrapping_add(other[1]);
        self.high = self.high.wrapping_add(fold(other, secret[1])) ^ one[0].wrapping_add(one[1]);
    }

    #[inline]
    fn finish(self, length: usize, seed: u64) -> u128 {
        let Self { low, high } = self;
        let lengthened = (length as u64).wrapping_sub(seed).wrapping_mul(PRIME64_2);
        let mixed =
            low.wrapping_mul(PRIME64_1).wrapping_add(high.wrapping_mul(PRIME64_4)).wrapping_add(lengthened);
        let (low, high) = (avalanche(low.wrapping_add(high)), avalanche(mixed).wrapping_neg());
        u128::from(low) | u128::from(high) << 64
    }
}

/// Both halves of the product of the two words, each under its secret.
#[inline]
fn fold(input: [u64; 2], secret: [u64; 2]) -> u64 {
    let product = u128::from(input[0] ^ secret[0]) * u128::from(input[1] ^ secret[1]);
    product as u64 ^ (product >> 64) as u64
}

#[inline]
fn avalanche(mut value: u64) -> u64 {
    value = (value ^ value >> 37).wrapping_mul(PRIME_MX1);
    value ^ value >> 32
}

/// The 16 bytes at `at`, as two words.
#[inline]
fn words(bytes: &[u8], at: usize) -> [u64; 2] {
    let (low, high) = bytes[at..at + 16].split_at(8);
    [low, high].map(|half| u64::from_le_bytes(half.try_into().expect("halves of 16 bytes")))
}

fn derived_secret(seed: u64) -> [u8; DEFAULT_SECRET_LENGTH] {
    SecretBuffer::with_seed(seed, [0; DEFAULT_SECRET_LENGTH])
        .expect("the array has that length")
        .into_secret()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Two libraries, which share no code, are held against it at every kind of length.
        #[test]
        fn every_length_has_the_digest_of_xxh3(bytes in prop::collection::vec(any::<u8>(), 0..3000), seed: u64) {
            let expected = xxh3_128_with_seed(&bytes, seed);
            prop_assert_eq!(Xxh3::new(seed).digest(&bytes), expected);
            prop_assert_eq!(XxHash3_128::oneshot_with_seed(seed, &bytes), expected);
        }

        #[test]
        fn every_short_length_has_the_digest_of_xxh3(bytes in prop::collection::vec(any::<u8>(), 300), seed: u64) {
            let hasher = Xxh3::new(seed);
            for length in 0..=bytes.len() {
                let bytes = &bytes[..length];
                prop_assert_eq!(hasher.digest(bytes), xxh3_128_with_seed(bytes, seed), "{} bytes", length);
            }
        }

        #[test]
        fn three_words_have_the_digest_of_their_bytes(words: [u64; 3], seed: u64) {
            let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
            prop_assert_eq!(Xxh3::new(seed).digest_24(words), xxh3_128_with_seed(&bytes, seed));
        }
    }
}
