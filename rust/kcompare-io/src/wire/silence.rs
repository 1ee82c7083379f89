//! Since when a broker has got nobody any further: the stall clock that the fetches from one broker share.
//!
//! Each fetch waits for an absent broker as long as the stall timeout lasts. Were every fetch to count from its own
//! start, several in a row would wait several times as long for the same broker.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What a broker that has been silent for others gets all the same: one try.
pub(super) const ONE_TRY: Duration = Duration::from_secs(1);

#[derive(Debug, Clone, Copy)]
struct Quiet {
    since: Instant,
    /// The last failure. What is older than a stall timeout says nothing about now.
    last: Instant,
}

/// The brokers that fail, by endpoint.
#[derive(Debug)]
pub(crate) struct Silence {
    stall_timeout: Duration,
    quiet: Mutex<HashMap<String, Quiet>>,
}

impl Silence {
    pub(crate) fn new(stall_timeout: Duration) -> Self {
        Self { stall_timeout, quiet: Mutex::default() }
    }

    /// Something failed at `endpoint`, which has got its user nowhere since `since`.
    pub(crate) fn failed(&self, endpoint: &str, since: Instant, now: Instant) {
        let since = self.since(endpoint, now).unwrap_or(since);
        self.lock().insert(endpoint.to_owned(), Quiet { since, last: now });
    }

    /// Records came from `endpoint`.
    pub(crate) fn broken(&self, endpoint: &str) {
        self.lock().remove(endpoint);
    }

    /// Since when `endpoint` fails; `None` when it does not, as far as is known.
    pub(crate) fn since(&self, endpoint: &str, now: Instant) -> Option<Instant> {
        let quiet = self.lock().get(endpoint).copied()?;
        (now.saturating_duration_since(quiet.last) < self.stall_timeout).then_some(quiet.since)
    }

    /// Whether `endpoint` has had its time.
    pub(crate) fn is_given_up(&self, endpoint: &str, now: Instant) -> bool {
        let since = self.since(endpoint, now);
        since.is_some_and(|since| now.saturating_duration_since(since) >= self.stall_timeout)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Quiet>> {
        self.quiet.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silence_lasts_from_its_first_failure_until_records_come() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let silence = Silence::new(Duration::from_secs(60));
        assert_eq!(silence.since("a:1", at(0)), None);
        silence.failed("a:1", at(10), at(15));
        silence.failed("a:1", at(40), at(45));
        assert_eq!(silence.since("a:1", at(50)), Some(at(10)));
        assert_eq!(silence.since("b:1", at(50)), None);
        assert!(!silence.is_given_up("a:1", at(69)));
        assert!(silence.is_given_up("a:1", at(70)));
        silence.broken("a:1");
        assert_eq!(silence.since("a:1", at(70)), None);
    }

    #[test]
    fn an_old_failure_says_nothing() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let silence = Silence::new(Duration::from_secs(60));
        silence.failed("a:1", at(0), at(60));
        assert!(silence.is_given_up("a:1", at(119)));
        assert!(!silence.is_given_up("a:1", at(120)));
        silence.failed("a:1", at(300), at(301));
        assert_eq!(silence.since("a:1", at(301)), Some(at(300)));
    }
}
