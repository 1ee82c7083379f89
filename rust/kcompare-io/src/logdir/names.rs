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

/// A directory that brokers pass over, whatever its name: they keep the indexes of remote segments in it.
const REMOTE_CACHE: &str = "remote-log-index-cache";

/// Whether a broker that finds a directory of this name in a log directory ends over it: the name is none that it gives to
/// a partition. `lost+found` of a file system and `.snapshot` of a storage are such names.
///
/// References: `LogManager.loadLogs` and `UnifiedLog.parseTopicPartitionName` of Kafka 4.3.
pub(super) fn ends_a_broker(name: &str) -> bool {
    if name == REMOTE_CACHE {
        return false;
    }
    let mut front = name;
    for kind in SetAsideKind::ALL {
        if let Some(marked) = name.strip_suffix(kind.name()).and_then(|rest| rest.strip_suffix('-')) {
            let Some((topic_and_partition, id)) = marked.rsplit_once('.') else { return true };
            if id.is_empty() || name.contains(char::is_whitespace) {
                return true;
            }
            front = topic_and_partition;
        }
    }
    let Some((topic, partition)) = front.rsplit_once('-') else { return true };
    topic.is_empty() || partition.parse::<i32>().is_err()
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

    /// Each name was put into the log directory of a broker of Kafka 4.3.1, which was then started.
    #[test]
    fn a_broker_ends_over_a_directory_that_is_no_partition_s() {
        for name in
            ["lost+found", ".snapshot", "foo", "t-x", "t-0-delete", "t-2-future", "-0", "a b-0.78-stray"]
        {
            assert!(ends_a_broker(name), "{name}");
        }
        for name in ["t-0", "a b-0", "t-+7", "t-1.0123-stray", "a.b-7.0123-delete", "remote-log-index-cache"]
        {
            assert!(!ends_a_broker(name), "{name}");
        }
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
