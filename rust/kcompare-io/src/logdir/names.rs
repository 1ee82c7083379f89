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
    /// The suffix without its dash.
    pub fn name(self) -> &'static str {
        match self {
            Self::Delete => "delete",
            Self::Future => "future",
            Self::Stray => "stray",
        }
    }
}
