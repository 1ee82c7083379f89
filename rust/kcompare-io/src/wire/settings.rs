//! How to talk to a cluster: names, time limits, sizes.

use std::sync::Arc;
use std::time::Duration;

use crate::rate::RateLimit;

/// Everything that the wire client can be told. `Default` has no bootstrap server.
#[derive(Debug, Clone)]
pub struct ClusterSettings {
    /// The brokers to ask first, as host and port.
    pub bootstrap: Vec<(String, u16)>,
    /// `client.id`, which brokers show in their logs and quotas.
    pub client_id: String,
    /// `client.rack`; only with it does a leader send us to a follower (KIP-392).
    pub rack_id: Option<String>,
    /// How long one attempt to connect may take.
    pub connect_timeout: Duration,
    /// How long a broker may send nothing while it owes an answer.
    pub request_timeout: Duration,
    /// How long a fetch may make no progress before it is given up.
    pub stall_timeout: Duration,
    /// Tries after the first one; progress starts the count again. A fetch does not count them while the leader is
    /// away: then the stall timeout is the limit.
    pub retries: u32,
    /// The pause before the first retry; it doubles with every further one. Without jitter: few clients, same report.
    pub retry_backoff: Duration,
    /// The longest pause between two retries.
    pub retry_backoff_max: Duration,
    /// The largest answer that a Fetch asks for, in bytes. Memory does not depend on it: answers are streamed.
    pub max_fetch_bytes: usize,
    /// How long a broker may hold a Fetch back that has nothing to return, in milliseconds.
    pub max_wait_ms: u32,
    /// How fast records may be read, together with everything else that shares the limit.
    pub rate_limit: Option<Arc<RateLimit>>,
}

impl Default for ClusterSettings {
    fn default() -> Self {
        Self {
            bootstrap: Vec::new(),
            client_id: "kcompare".to_owned(),
            rack_id: None,
            connect_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(30),
            stall_timeout: Duration::from_secs(60),
            retries: 8,
            retry_backoff: Duration::from_millis(100),
            retry_backoff_max: Duration::from_secs(2),
            max_fetch_bytes: 16 << 20,
            max_wait_ms: 500,
            rate_limit: None,
        }
    }
}

impl ClusterSettings {
    /// The pause before retry number `attempt` (0 is the first).
    pub(crate) fn backoff(&self, attempt: u32) -> Duration {
        self.retry_backoff.saturating_mul(1u32 << attempt.min(16)).min(self.retry_backoff_max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_maximum() {
        let settings = ClusterSettings::default();
        let pauses: Vec<u128> = (0..6).map(|attempt| settings.backoff(attempt).as_millis()).collect();
        assert_eq!(pauses, [100, 200, 400, 800, 1600, 2000]);
        assert_eq!(settings.backoff(u32::MAX), Duration::from_secs(2));
    }
}
