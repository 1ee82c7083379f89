//! Reading Kafka's primitive types from bytes that nobody vouches for.
//!
//! The generated decoders of the protocol crate reserve memory for as many elements as an array *claims* to have,
//! which lets twelve bytes abort the process. So answers are decoded here: no count is believed that the remaining
//! bytes cannot hold, and every failure is an error that names the field.
//!
//! # References
//! - <https://kafka.apache.org/protocol#protocol_types>
//! - KIP-482 for compact types and tagged fields

use crate::error::WireError;

/// No more elements than this are reserved ahead of their bytes.
const RESERVE: usize = 1024;

/// Bytes of one answer, in order.
pub(crate) trait Input {
    /// Takes the next `count` bytes; an error when the answer has fewer.
    fn take(&mut self, count: usize, field: &'static str) -> Result<&[u8], WireError>;
    /// Passes over `count` bytes.
    fn skip(&mut self, count: u64, field: &'static str) -> Result<(), WireError>;
    /// Bytes of the answer that are not taken yet.
    fn left(&self) -> u64;
    /// An error about the answer.
    fn malformed(&self, detail: String) -> WireError;

    fn i8(&mut self, field: &'static str) -> Result<i8, WireError> {
        Ok(i8::from_be_bytes(array(self.take(1, field)?)))
    }

    fn i16(&mut self, field: &'static str) -> Result<i16, WireError> {
        Ok(i16::from_be_bytes(array(self.take(2, field)?)))
    }

    fn i32(&mut self, field: &'static str) -> Result<i32, WireError> {
        Ok(i32::from_be_bytes(array(self.take(4, field)?)))
    }

    fn i64(&mut self, field: &'static str) -> Result<i64, WireError> {
        Ok(i64::from_be_bytes(array(self.take(8, field)?)))
    }

    fn uuid(&mut self, field: &'static str) -> Result<[u8; 16], WireError> {
        Ok(array(self.take(16, field)?))
    }

    fn unsigned_varint(&mut self, field: &'static str) -> Result<u32, WireError> {
        let mut value = 0u64;
        for shift in [0, 7, 14, 21, 28] {
            let byte = u64::from(self.take(1, field)?[0]);
            value |= (byte & 0x7f) << shift;
            if byte < 0x80 {
                return u32::try_from(value)
                    .map_err(|_| self.malformed(format!("{field} is {value}, which is no 32-bit number")));
            }
        }
        Err(self.malformed(format!("{field} is a varint of more than five bytes")))
    }

    /// The length of nullable bytes: `None` for null.
    fn length(&mut self, compact: bool, field: &'static str) -> Result<Option<u64>, WireError> {
        let length =
            if compact { i64::from(self.unsigned_varint(field)?) - 1 } else { i64::from(self.i32(field)?) };
        self.checked_length(length, 1, field)
    }

    /// The number of elements of a nullable array whose elements take `smallest` bytes at least.
    fn count(&mut self, compact: bool, smallest: u64, field: &'static str) -> Result<Option<u64>, WireError> {
        let count =
            if compact { i64::from(self.unsigned_varint(field)?) - 1 } else { i64::from(self.i32(field)?) };
        self.checked_length(count, smallest, field)
    }

    fn checked_length(&self, length: i64, unit: u64, field: &'static str) -> Result<Option<u64>, WireError> {
        match u64::try_from(length) {
            Err(_) if length == -1 => Ok(None),
            Ok(length) if length.saturating_mul(unit) <= self.left() => Ok(Some(length)),
            _ => Err(self.malformed(format!("{field} has length {length}, {} bytes are left", self.left()))),
        }
    }

    fn nullable_string(&mut self, compact: bool, field: &'static str) -> Result<Option<String>, WireError> {
        let length =
            if compact { i64::from(self.unsigned_varint(field)?) - 1 } else { i64::from(self.i16(field)?) };
        let Some(length) = self.checked_length(length, 1, field)? else { return Ok(None) };
        let bytes = self.take(length as usize, field)?.to_vec();
        String::from_utf8(bytes).map(Some).map_err(|_| self.malformed(format!("{field} is not UTF-8")))
    }

    fn string(&mut self, compact: bool, field: &'static str) -> Result<String, WireError> {
        match self.nullable_string(compact, field)? {
            Some(text) => Ok(text),
            None => Err(self.malformed(format!("{field} is null"))),
        }
    }

    /// Passes over the tagged fields that end every structure of a flexible version.
    fn skip_tags(&mut self, flexible: bool) -> Result<(), WireError> {
        if !flexible {
            return Ok(());
        }
        for _ in 0..self.unsigned_varint("number of tagged fields")? {
            self.unsigned_varint("tag")?;
            let size = self.unsigned_varint("size of a tagged field")?;
            self.skip(u64::from(size), "tagged field")?;
        }
        Ok(())
    }

    /// A non-null array; `read` gets one element at a time.
    fn elements<T>(
        &mut self,
        compact: bool,
        smallest: u64,
        field: &'static str,
        mut read: impl FnMut(&mut Self) -> Result<T, WireError>,
    ) -> Result<Vec<T>, WireError>
    where
        Self: Sized,
    {
        let count = self.count(compact, smallest, field)?.unwrap_or(0);
        let mut out = Vec::with_capacity(RESERVE.min(count as usize));
        for _ in 0..count {
            out.push(read(self)?);
        }
        Ok(out)
    }

    /// Nothing may be left when an answer is decoded.
    fn finish(&self) -> Result<(), WireError> {
        match self.left() {
            0 => Ok(()),
            left => Err(self.malformed(format!("{left} bytes are left over"))),
        }
    }
}

fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(bytes);
    out
}

/// An answer that is in memory as a whole.
#[derive(Debug)]
pub(crate) struct Slice<'a> {
    bytes: &'a [u8],
    endpoint: &'a str,
    request: &'static str,
}

impl<'a> Slice<'a> {
    pub(crate) fn new(bytes: &'a [u8], endpoint: &'a str, request: &'static str) -> Self {
        Self { bytes, endpoint, request }
    }
}

impl Input for Slice<'_> {
    fn take(&mut self, count: usize, field: &'static str) -> Result<&[u8], WireError> {
        let Some((taken, rest)) = self.bytes.split_at_checked(count) else {
            let left = self.bytes.len();
            return Err(self.malformed(format!("{field} needs {count} bytes, {left} are left")));
        };
        self.bytes = rest;
        Ok(taken)
    }

    fn skip(&mut self, count: u64, field: &'static str) -> Result<(), WireError> {
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        self.take(count, field).map(|_| ())
    }

    fn left(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn malformed(&self, detail: String) -> WireError {
        WireError::Protocol { endpoint: self.endpoint.to_owned(), request: self.request, detail }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input(bytes: &[u8]) -> Slice<'_> {
        Slice::new(bytes, "broker:9092", "Metadata")
    }

    #[test]
    fn an_array_that_claims_too_much_is_refused_before_any_memory_is_taken() {
        let mut claimed = input(&[0x7f, 0xff, 0xff, 0xff, 0, 0]);
        let error = claimed.count(false, 1, "brokers").unwrap_err();
        assert!(error.to_string().contains("brokers has length 2147483647, 2 bytes are left"), "{error}");
        assert!(input(&[0xff, 0xff, 0xff, 0xff, 0x0f]).count(true, 1, "brokers").is_err());
    }

    #[test]
    fn null_and_negative_lengths_differ() {
        assert_eq!(input(&[0xff; 4]).count(false, 1, "topics"), Ok(None));
        assert!(input(&[0xff, 0xff, 0xff, 0xfe]).count(false, 1, "topics").is_err());
        assert_eq!(input(&[0]).length(true, "records"), Ok(None));
        assert_eq!(input(&[1]).length(true, "records"), Ok(Some(0)));
    }

    #[test]
    fn varints_are_limited_to_32_bits() {
        assert_eq!(input(&[0x80, 0x01]).unsigned_varint("tag"), Ok(128));
        assert_eq!(input(&[0xff, 0xff, 0xff, 0xff, 0x0f]).unsigned_varint("tag"), Ok(u32::MAX));
        assert!(input(&[0xff, 0xff, 0xff, 0xff, 0x1f]).unsigned_varint("tag").is_err());
        assert!(input(&[0xff, 0xff, 0xff, 0xff, 0xff, 0x01]).unsigned_varint("tag").is_err());
    }

    #[test]
    fn tagged_fields_are_passed_over() {
        let mut tagged = input(&[2, 0, 1, 0xaa, 7, 2, 0xbb, 0xcc, 5]);
        tagged.skip_tags(true).unwrap();
        assert_eq!(tagged.i8("rest"), Ok(5));
        assert_eq!(tagged.finish(), Ok(()));
        assert!(input(&[1, 0, 200, 1]).skip_tags(true).is_err());
    }

    #[test]
    fn strings_must_be_text() {
        assert!(input(&[0, 1, 0xff]).string(false, "host").is_err());
        assert_eq!(input(&[3, b'h', b'i']).string(true, "host").unwrap(), "hi");
        assert_eq!(input(&[0xff, 0xff]).nullable_string(false, "rack"), Ok(None));
    }
}
