//! What a control record says.

use super::error::RecordErrorKind;
use super::header::be_i16;

/// The type of a control record. It stands in the record's *key*; the value only adds details.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ControlRecordType {
    /// The producer's transaction was aborted (KIP-98).
    Abort,
    /// The producer's transaction was committed (KIP-98).
    Commit,
    /// Any other type, such as the markers of a metadata log.
    Other(i16),
}

impl ControlRecordType {
    /// Reads the key of a control record. Later versions may only append, so bytes behind the type are ignored.
    pub fn from_key(key: Option<&[u8]>) -> Result<Self, RecordErrorKind> {
        let Some(key) = key.filter(|key| key.len() >= 4) else {
            return Err(RecordErrorKind::InvalidControlKey(key.map(<[u8]>::len)));
        };
        // version: INT16, type: INT16
        let version = be_i16(key, 0);
        if version < 0 {
            return Err(RecordErrorKind::InvalidControlVersion(version));
        }
        Ok(match be_i16(key, 2) {
            0 => Self::Abort,
            1 => Self::Commit,
            other => Self::Other(other),
        })
    }

    /// The key that says this, at version 0.
    pub fn to_key(self) -> [u8; 4] {
        let kind = match self {
            Self::Abort => 0,
            Self::Commit => 1,
            Self::Other(other) => other,
        };
        let [high, low] = kind.to_be_bytes();
        [0, 0, high, low]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_back() {
        for kind in [ControlRecordType::Abort, ControlRecordType::Commit, ControlRecordType::Other(5)] {
            assert_eq!(ControlRecordType::from_key(Some(&kind.to_key())), Ok(kind));
        }
    }

    #[test]
    fn later_versions_are_read_and_bad_keys_refused() {
        assert_eq!(ControlRecordType::from_key(Some(&[0, 7, 0, 0, 9])), Ok(ControlRecordType::Abort));
        assert_eq!(ControlRecordType::from_key(None), Err(RecordErrorKind::InvalidControlKey(None)));
        let short = ControlRecordType::from_key(Some(&[0, 0, 0]));
        assert_eq!(short, Err(RecordErrorKind::InvalidControlKey(Some(3))));
        let negative = ControlRecordType::from_key(Some(&[0xff, 0xff, 0, 0]));
        assert_eq!(negative, Err(RecordErrorKind::InvalidControlVersion(-1)));
    }
}
