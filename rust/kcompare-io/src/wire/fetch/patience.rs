//! How long a fetch waits for anything.

use std::time::{Duration, Instant};

use super::super::connection::Wait;
use super::super::settings::ClusterSettings;
use super::super::silence::ONE_TRY;
use crate::cancel::CancelToken;

/// A large batch on a slow line moves no position for a while. This many of its bytes count as progress; a peer that
/// sends a byte now and then does not.
const BYTES_OF_PROGRESS: usize = 64 << 10;
/// Throttling stops the clock, for at most so many stall timeouts between two moves of the position: a broker that
/// throttles empty answers for ever stalls us all the same.
const STALLS_PARDONED: u32 = 1;

/// The two clocks of a fetch: one for a broker's silence, one for a position that does not move.
#[derive(Debug)]
pub(super) struct Patience<'a> {
    cancel: &'a CancelToken,
    request_timeout: Duration,
    stall_timeout: Duration,
    progress_at: Instant,
    bytes: usize,
    /// How long the clock was stopped since the last progress.
    pardoned: Duration,
}

impl<'a> Patience<'a> {
    pub(super) fn new(settings: &ClusterSettings, cancel: &'a CancelToken) -> Self {
        let (request_timeout, stall_timeout) = (settings.request_timeout, settings.stall_timeout);
        Self {
            cancel,
            request_timeout,
            stall_timeout,
            progress_at: Instant::now(),
            bytes: 0,
            pardoned: Duration::ZERO,
        }
    }

    pub(super) fn cancel(&self) -> &'a CancelToken {
        self.cancel
    }

    /// The broker has got nobody any further since `since`, which counts for us too.
    pub(super) fn join_silence(&mut self, since: Instant) {
        let spent = self.stall_timeout.saturating_sub(ONE_TRY);
        let earliest = Instant::now().checked_sub(spent).unwrap_or(self.progress_at);
        self.progress_at = self.progress_at.min(since.max(earliest));
    }

    /// When there was progress, or the beginning.
    pub(super) fn progress_at(&self) -> Instant {
        self.progress_at
    }

    /// The position moved.
    pub(super) fn progress(&mut self) {
        self.progress_at = Instant::now();
        self.bytes = 0;
        self.pardoned = Duration::ZERO;
    }

    /// The cluster has told us to wait, and we did.
    pub(super) fn throttled(&mut self, waited: Duration) {
        let pardon = waited.min((self.stall_timeout * STALLS_PARDONED).saturating_sub(self.pardoned));
        self.pardoned += pardon;
        self.progress_at = (self.progress_at + pardon).min(Instant::now());
    }

    /// We have waited for ourselves.
    pub(super) fn pardon(&mut self, waited: Duration) {
        self.progress_at = (self.progress_at + waited).min(Instant::now());
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
