//! Zigzag varints as records use them.
//!
//! A fault here is only "no value": the caller knows which field it was reading and where.

/// Reads a 32-bit varint (at most five bytes), and clears `minimal` when it is longer than it has to be.
///
/// One and two bytes are read inline: nearly every length and delta is that short.
#[inline]
pub(super) fn read_varint(rest: &mut &[u8], minimal: &mut bool) -> Option<i32> {
    match *rest {
        [first, tail @ ..] if *first < 0x80 => {
            *rest = tail;
            Some(unzigzag(*first as u32))
        }
        [first, second, tail @ ..] if *second < 0x80 => {
            *rest = tail;
            *minimal &= *second != 0;
            Some(unzigzag((*first & 0x7f) as u32 | (*second as u32) << 7))
        }
        _ => {
            let raw = read_long(rest, minimal, 32)?;
            Some(unzigzag(raw as u32))
        }
    }
}

/// Reads a 64-bit varint (at most ten bytes): timestampDelta is one, although two clients read it as 32 bits.
#[inline]
pub(super) fn read_varlong(rest: &mut &[u8]) -> Option<i64> {
    match *rest {
        [first, tail @ ..] if *first < 0x80 => {
            *rest = tail;
            Some(i64::from(unzigzag(*first as u32)))
        }
        [first, second, tail @ ..] if *second < 0x80 => {
            *rest = tail;
            Some(i64::from(unzigzag((*first & 0x7f) as u32 | (*second as u32) << 7)))
        }
        _ => {
            let raw = read_long(rest, &mut true, 64)?;
            Some((raw >> 1) as i64 ^ -((raw & 1) as i64))
        }
    }
}

/// Bytes of a record's front, or of one of its fields, in one register: the next byte is the lowest.
///
/// Nearly every length and delta takes one or two bytes; reading them out of a register needs one bounds check for all
/// of them. `None` means a longer one, which is no fault: the caller starts again with [`read_varint`].
#[derive(Clone, Copy)]
pub(super) struct Word {
    bits: u64,
    taken: usize,
}

impl Word {
    /// The first eight bytes, where there are that many.
    #[inline]
    pub(super) fn first(bytes: &[u8]) -> Option<Self> {
        bytes.first_chunk().map(|chunk| Self { bits: u64::from_le_bytes(*chunk), taken: 0 })
    }

    /// How many bytes were taken; at most seven may be before the next varint.
    #[inline]
    pub(super) fn taken(self) -> usize {
        self.taken
    }

    /// Passes over one byte.
    #[inline]
    pub(super) fn skip(&mut self) {
        self.bits >>= 8;
        self.taken += 1;
    }

    /// A minimal varint of one or two bytes.
    #[inline]
    pub(super) fn short(&mut self) -> Option<i32> {
        let raw = self.bits as u32;
        if raw & 0x80 == 0 {
            self.skip();
            return Some(unzigzag(raw & 0x7f));
        }
        // A second byte of 0 is not minimal, and one with its top bit is not the last.
        if raw & 0x8000 != 0 || raw & 0x7f00 == 0 {
            return None;
        }
        self.bits >>= 16;
        self.taken += 2;
        Some(unzigzag((raw & 0x7f) | (raw >> 1 & 0x3f80)))
    }
}

/// The general case; `None` for a varint that is cut off, too long, or has bits beyond `bits`.
#[inline(never)]
fn read_long(rest: &mut &[u8], minimal: &mut bool, bits: u32) -> Option<u64> {
    let mut value = 0_u64;
    let mut shift = 0;
    for (index, &byte) in rest.iter().enumerate() {
        let part = u64::from(byte & 0x7f);
        if shift >= bits || (bits - shift < 7 && part >> (bits - shift) != 0) {
            return None;
        }
        value |= part << shift;
        if byte < 0x80 {
            *minimal &= index == 0 || byte != 0;
            *rest = &rest[index + 1..];
            return Some(value);
        }
        shift += 7;
    }
    None
}

#[inline]
fn unzigzag(raw: u32) -> i32 {
    (raw >> 1) as i32 ^ -((raw & 1) as i32)
}

/// Appends the minimal varint of `value`.
pub fn write_varint(out: &mut Vec<u8>, value: i32) {
    write_raw(out, u64::from(((value << 1) ^ (value >> 31)) as u32));
}

/// Appends the minimal varlong of `value`.
pub fn write_varlong(out: &mut Vec<u8>, value: i64) {
    write_raw(out, ((value << 1) ^ (value >> 63)) as u64);
}

fn write_raw(out: &mut Vec<u8>, mut raw: u64) {
    while raw >= 0x80 {
        out.push(raw as u8 | 0x80);
        raw >>= 7;
    }
    out.push(raw as u8);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn varint(bytes: &[u8]) -> Option<(i32, bool, usize)> {
        let mut rest = bytes;
        let mut minimal = true;
        read_varint(&mut rest, &mut minimal).map(|value| (value, minimal, rest.len()))
    }

    #[test]
    fn known_encodings() {
        for (value, bytes) in [
            (0, &[0][..]),
            (-1, &[1]),
            (1, &[2]),
            (63, &[0x7e]),
            (-64, &[0x7f]),
            (64, &[0x80, 1]),
            (-65, &[0x81, 1]),
            (8192, &[0x80, 0x80, 1]),
            (i32::MAX, &[0xfe, 0xff, 0xff, 0xff, 0x0f]),
            (i32::MIN, &[0xff, 0xff, 0xff, 0xff, 0x0f]),
        ] {
            let mut out = Vec::new();
            write_varint(&mut out, value);
            assert_eq!(out, bytes);
            assert_eq!(varint(bytes), Some((value, true, 0)));
        }
    }

    #[test]
    fn non_minimal_is_read_and_told() {
        assert_eq!(varint(&[0x81, 0x00, 9]), Some((-1, false, 1)));
        assert_eq!(varint(&[0x80, 0x80, 0x00]), Some((0, false, 0)));
        assert_eq!(varint(&[0x80, 0x80, 0x80, 0x80, 0x00]), Some((0, false, 0)));
    }

    #[test]
    fn too_long_overflowing_or_cut_off_is_refused() {
        assert_eq!(varint(&[]), None);
        assert_eq!(varint(&[0x80]), None);
        assert_eq!(varint(&[0x80, 0x80, 0x80, 0x80]), None);
        assert_eq!(varint(&[0xff, 0xff, 0xff, 0xff, 0x1f]), None);
        assert_eq!(varint(&[0x80, 0x80, 0x80, 0x80, 0x80, 0x00]), None);
        let mut long = [0xff; 10];
        long[9] = 0x01;
        assert_eq!(read_varlong(&mut &long[..]), Some(i64::MIN));
        long[9] = 0x02;
        assert_eq!(read_varlong(&mut &long[..]), None);
        assert_eq!(read_varlong(&mut &[0x80; 11][..]), None);
    }

    proptest! {
        #[test]
        fn every_value_comes_back(value: i32, wide: i64) {
            let mut out = Vec::new();
            write_varint(&mut out, value);
            prop_assert_eq!(varint(&out), Some((value, true, 0)));
            out.clear();
            write_varlong(&mut out, wide);
            let mut rest = &out[..];
            prop_assert_eq!(read_varlong(&mut rest), Some(wide));
            prop_assert!(rest.is_empty());
        }
    }
}
