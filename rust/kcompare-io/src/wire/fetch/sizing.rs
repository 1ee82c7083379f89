//! How much to ask for.

/// No request asks for less: a broker reads a page or two anyway.
const SMALLEST: u64 = 64 << 10;
/// What an offset is taken to need while nothing is known.
const UNKNOWN_BYTES_PER_OFFSET: u64 = 4 << 10;
/// Less than this says little about the average.
const ENOUGH_BYTES: u64 = 32 << 10;

/// Sizes requests by the bytes that an offset took so far, so that little is fetched behind the end of the range.
#[derive(Debug)]
pub(super) struct Sizing {
    bytes: u64,
    offsets: u64,
    hint: u64,
    largest: u64,
    /// A batch that is known to need this much.
    floor: u64,
}

impl Sizing {
    pub(super) fn new(hint: u32, largest: usize) -> Self {
        let largest = (largest as u64).clamp(SMALLEST, i32::MAX as u64);
        Self { bytes: 0, offsets: 0, hint: u64::from(hint), largest, floor: 0 }
    }

    /// A batch took `bytes` for `offsets`.
    pub(super) fn saw(&mut self, bytes: usize, offsets: i64) {
        self.bytes += bytes as u64;
        self.offsets += u64::try_from(offsets).unwrap_or(0);
    }

    /// The next request must have room for a batch of `bytes`.
    pub(super) fn at_least(&mut self, bytes: u64) {
        self.floor = self.floor.max(bytes);
    }

    /// The floor is met; it need not hold for ever.
    pub(super) fn reset_floor(&mut self) {
        self.floor = 0;
    }

    /// `max_bytes` for a request that has `remaining` offsets before it.
    pub(super) fn max_bytes(&self, remaining: i64) -> i32 {
        let remaining = u128::from(u64::try_from(remaining).unwrap_or(0));
        let (bytes, offsets) = if self.offsets > 0 && self.bytes >= ENOUGH_BYTES {
            (self.bytes, self.offsets)
        } else if self.hint > 0 {
            (self.hint, 1)
        } else {
            (UNKNOWN_BYTES_PER_OFFSET, 1)
        };
        let expected = remaining * u128::from(bytes) / u128::from(offsets);
        // Two per cent and the smallest request on top: a second request costs more than a few bytes too many.
        let expected = expected + expected / 50 + u128::from(SMALLEST);
        let wanted =
            u64::try_from(expected).unwrap_or(u64::MAX).clamp(SMALLEST, self.largest).max(self.floor);
        i32::try_from(wanted).unwrap_or(i32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_range_is_asked_for_in_the_largest_pieces() {
        let sizing = Sizing::new(0, 16 << 20);
        assert_eq!(sizing.max_bytes(1_000_000), 16 << 20);
        assert_eq!(sizing.max_bytes(i64::MAX), 16 << 20);
    }

    #[test]
    fn the_last_request_is_sized_by_what_was_seen() {
        let mut sizing = Sizing::new(0, 16 << 20);
        sizing.saw(1_000_000, 10_000);
        assert_eq!(sizing.max_bytes(1000), 100_000 + 2000 + (64 << 10));
        assert_eq!(sizing.max_bytes(0), 64 << 10);
    }

    #[test]
    fn a_hint_counts_until_enough_was_seen() {
        let mut sizing = Sizing::new(100, 16 << 20);
        sizing.saw(10, 1);
        assert_eq!(sizing.max_bytes(1000), 100_000 + 2000 + (64 << 10));
    }

    #[test]
    fn a_known_batch_raises_the_size_past_the_maximum() {
        let mut sizing = Sizing::new(1, 64 << 10);
        sizing.at_least(5 << 20);
        assert_eq!(sizing.max_bytes(1), 5 << 20);
        sizing.reset_floor();
        assert_eq!(sizing.max_bytes(1), 64 << 10);
    }
}
