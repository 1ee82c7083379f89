//! The names of files and directories in a log directory.

/// Why a partition directory is not the partition's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SetAsideKind {
    /// `TOPIC-N.UUID-delete`: the partition was deleted and the files are about to go.
    Delete,
    /// `TOPIC-N.UUID-future`: a copy that is being moved from another log directory (KIP-113).
    Future,
    /// `TOPIC-N.UUID-stray`: a replica that the cluster says does not belong to this broker.
    Stray,
}

impl SetAsideKind {
    const ALL: [Self; 3] = [Self::Delete, Self::Future, Self::Stray];

    /// The suffix without its dash.
    pub fn name(self) -> &'static str {
        match self {
            Self::Delete => "delete",
            Self::Future => "future",
            Self::Stray => "stray",
        }
    }
}

/// What the name of a directory says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum DirectoryName {
    /// A partition's own directory.
    Partition {
        topic: String,
        partition: i32,
    },
    SetAside {
        topic: String,
        partition: i32,
        kind: SetAsideKind,
    },
    /// Nothing that a broker would make of a topic.
    Other,
}

impl DirectoryName {
    pub(super) fn of(name: &str) -> Self {
        for kind in SetAsideKind::ALL {
            let marked = name.strip_suffix(kind.name()).and_then(|rest| rest.strip_suffix('-'));
            // TOPIC-N.UUID: the id has no dots, the topic may have some.
            if let Some((front, id)) = marked.and_then(|front| front.rsplit_once('.'))
                && !id.is_empty()
                && let Some((topic, partition)) = topic_and_partition(front)
            {
                return Self::SetAside { topic, partition, kind };
            }
        }
        match topic_and_partition(name) {
            Some((topic, partition)) => Self::Partition { topic, partition },
            None => Self::Other,
        }
    }
}

fn topic_and_partition(name: &str) -> Option<(String, i32)> {
    let (topic, number) = name.rsplit_once('-')?;
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    let is_topic = !topic.is_empty() && topic.len() <= 249 && topic.bytes().all(legal);
    if !is_topic || topic == "." || topic == ".." || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    number.parse().ok().map(|partition| (topic.to_owned(), partition))
}

/// What stands behind the offset in the name of a segment file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SegmentSuffix {
    None,
    Swap,
    Cleaned,
    Deleted,
}

/// The base offset in the name of a `.log` file, and its suffix. Brokers write 20 digits and look for no other name.
pub(super) fn segment_name(name: &str) -> Option<(i64, SegmentSuffix)> {
    let (offset, suffix) = offset_name(name)?;
    let suffix = match suffix.strip_prefix("log")? {
        "" => SegmentSuffix::None,
        ".swap" => SegmentSuffix::Swap,
        ".cleaned" => SegmentSuffix::Cleaned,
        ".deleted" => SegmentSuffix::Deleted,
        _ => return None,
    };
    Some((offset, suffix))
}

/// The offset of a name that begins with one, as all files of a segment do, and what stands behind the dot.
pub(super) fn offset_name(name: &str) -> Option<(i64, &str)> {
    let (offset, rest) = name.split_once('.')?;
    let is_offset = offset.len() == 20 && offset.bytes().all(|byte| byte.is_ascii_digit());
    is_offset.then(|| offset.parse().ok().map(|offset| (offset, rest))).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partition(topic: &str, partition: i32) -> DirectoryName {
        DirectoryName::Partition { topic: topic.to_owned(), partition }
    }

    fn set_aside(topic: &str, partition: i32, kind: SetAsideKind) -> DirectoryName {
        DirectoryName::SetAside { topic: topic.to_owned(), partition, kind }
    }

    #[test]
    fn a_partition_is_behind_the_last_dash() {
        assert_eq!(DirectoryName::of("orders-0"), partition("orders", 0));
        assert_eq!(DirectoryName::of("a-b.c_d-12"), partition("a-b.c_d", 12));
        assert_eq!(DirectoryName::of("x.1-delete-3"), partition("x.1-delete", 3));
        for name in [
            "",
            "-0",
            "orders",
            "orders-",
            "orders--",
            "orders-x",
            "orders-+1",
            "..-1",
            "a b-1",
            "a-2147483648",
        ] {
            assert_eq!(DirectoryName::of(name), DirectoryName::Other, "{name}");
        }
        assert_eq!(DirectoryName::of(&format!("{}-0", "t".repeat(250))), DirectoryName::Other);
    }

    #[test]
    fn what_was_set_aside_carries_an_id_and_a_word() {
        let id = "bcc8f8d6c1d14cd2a9c9a5e0ba3c11d5";
        assert_eq!(
            DirectoryName::of(&format!("a.b-7.{id}-delete")),
            set_aside("a.b", 7, SetAsideKind::Delete)
        );
        assert_eq!(DirectoryName::of(&format!("t-0.{id}-future")), set_aside("t", 0, SetAsideKind::Future));
        assert_eq!(DirectoryName::of(&format!("t-0.{id}-stray")), set_aside("t", 0, SetAsideKind::Stray));
        assert_eq!(DirectoryName::of("t-0.-stray"), DirectoryName::Other);
        assert_eq!(DirectoryName::of("t-delete"), DirectoryName::Other);
    }

    #[test]
    fn segments_have_twenty_digits() {
        assert_eq!(segment_name("00000000000000000042.log"), Some((42, SegmentSuffix::None)));
        assert_eq!(segment_name("00000000000000000042.log.swap"), Some((42, SegmentSuffix::Swap)));
        assert_eq!(segment_name("00000000000000000042.log.cleaned"), Some((42, SegmentSuffix::Cleaned)));
        assert_eq!(segment_name("00000000000000000042.log.deleted"), Some((42, SegmentSuffix::Deleted)));
        for name in
            ["42.log", "00000000000000000042.index", "99999999999999999999.log", "0000000000000000004x.log"]
        {
            assert_eq!(segment_name(name), None, "{name}");
        }
        assert_eq!(offset_name("00000000000000000007.timeindex.swap"), Some((7, "timeindex.swap")));
    }
}
