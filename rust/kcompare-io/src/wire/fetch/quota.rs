//! What may be read now: the rate that the run keeps to, and the throttling that a broker asks for.

use std::time::{Duration, Instant};

use super::Fetcher;
use crate::error::WireError;
use crate::wire::Cluster;

/// A broker is never believed to throttle longer.
const LONGEST_THROTTLE: Duration = Duration::from_secs(300);
/// How long a broker tells us to wait (KIP-219). It reads nothing from the connection meanwhile, so a client that asks
/// sooner only waits in vain.
pub(super) fn throttle_time(throttle_time_ms: i32) -> Duration {
    Duration::from_millis(u64::try_from(throttle_time_ms).unwrap_or(0)).min(LONGEST_THROTTLE)
}

/// Squares what was taken from the rate limit with what is read of an answer.
pub(super) fn settle(cluster: &Cluster, taken: &mut u64, read: u64) {
    if let Some(limit) = &cluster.settings().rate_limit {
        limit.settle(std::mem::take(taken), read);
    }
}

impl Fetcher<'_, '_> {
    /// Waits for the rate limit before anything is asked for: a request in flight has its timeouts, and this wait is no
    /// fault of the broker. What turns out not to have been read is handed back.
    pub(super) fn take(&mut self, bytes: u64) -> Result<(), WireError> {
        if let Some(limit) = &self.cluster.settings().rate_limit {
            let waited_from = Instant::now();
            limit.take(bytes, self.patience.cancel())?;
            self.patience.pardon(waited_from.elapsed());
            self.taken = bytes;
        }
        Ok(())
    }

    /// Hands back what was taken from the rate limit for a request that has no answer.
    pub(super) fn hand_back(&mut self) {
        settle(self.cluster, &mut self.taken, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_throttle_is_served_in_full_up_to_five_minutes() {
        let times =
            [i32::MIN, -1, 0, 1, 299_999, 300_001, i32::MAX].map(|time| throttle_time(time).as_millis());
        assert_eq!(times, [0, 0, 0, 1, 299_999, 300_000, 300_000]);
    }
}
