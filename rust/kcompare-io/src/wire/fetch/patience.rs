//! How long a fetch waits for anything.

use std::time::{Duration, Instant};

use super::super::connection::Wait;
use super::super::settings::ClusterSettings;
use crate::cancel::CancelToken;

/// A large batch on a slow line moves no position for a while. This many of its bytes count as progress; a peer that
/// sends a byte now and then does not.
const BYTES_OF_PROGRESS: usize = 64 << 10;

/// The two clocks of a fetch: one for a broker's silence, one for a position that does not move.
#[derive(Debug)]
pub(super) struct Patience<'a> {
    cancel: &'a CancelToken,
    request_timeout: Duration,
    stall_timeout: Duration,
    progress_at: Instant,
    bytes: usize,
}

impl<'a> Patience<'a> {
    pub(super) fn new(settings: &ClusterSettings, cancel: &'a CancelToken) -> Self {
        let (request_timeout, stall_timeout) = (settings.request_timeout, settings.stall_timeout);
        Self { cancel, request_timeout, stall_timeout, progress_at: Instant::now(), bytes: 0 }
    }

    pub(super) fn cancel(&self) -> &'a CancelToken {
        self.cancel
    }

    /// The position moved, or the cluster has told us to wait.
    pub(super) fn progress(&mut self) {
        self.progress_at = Instant::now();
        self.bytes = 0;
    }

    pub(super) fn received(&mut self, bytes: usize) {
        self.bytes += bytes;
        if self.bytes >= BYTES_OF_PROGRESS {
            self.progress();
        }
    }

    /// How long there has been no progress.
    pub(super) fn waited(&self) -> Duration {
        self.progress_at.elapsed()
    }

    /// The same, once it is too long.
    pub(super) fn stalled_for(&self) -> Option<Duration> {
        let waited = self.waited();
        (waited >= self.stall_timeout).then_some(waited)
    }

    /// What is left before the fetch counts as stalled.
    pub(super) fn left(&self) -> Duration {
        self.stall_timeout.saturating_sub(self.progress_at.elapsed())
    }

    /// The limit for the next bytes.
    pub(super) fn wait(&self) -> Wait<'a> {
        Wait::new(self.request_timeout.min(self.left()), self.cancel)
    }
}
