//! One flag that stops everything: an interrupt sets it, every loop and every wait looks at it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// The longest nap between two looks at the flag. It keeps an interrupt below 0.2 s.
const NAP: Duration = Duration::from_millis(50);

/// Work was stopped on request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the work was cancelled")]
pub struct Cancelled;

/// A flag shared by everyone who works on one run. Clones are the same flag.
#[derive(Debug, Clone, Default)]
pub struct CancelToken(Arc<AtomicBool>);

impl CancelToken {
    /// A flag that is not set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the flag; it is never cleared.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Whether the flag is set.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    /// `Err` once the flag is set, so that loops can use `?`.
    pub fn check(&self) -> Result<(), Cancelled> {
        if self.is_cancelled() { Err(Cancelled) } else { Ok(()) }
    }

    /// Sleeps for `duration`, or until the flag is set.
    pub fn sleep(&self, duration: Duration) -> Result<(), Cancelled> {
        let end = Instant::now().checked_add(duration);
        loop {
            self.check()?;
            let left = end.map_or(NAP, |end| end.saturating_duration_since(Instant::now()));
            if left.is_zero() {
                return Ok(());
            }
            std::thread::sleep(left.min(NAP));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clone_is_the_same_flag() {
        let token = CancelToken::new();
        let other = token.clone();
        assert_eq!(token.check(), Ok(()));
        other.cancel();
        assert_eq!(token.check(), Err(Cancelled));
    }

    #[test]
    fn a_sleep_ends_early_when_the_flag_is_set() {
        let token = CancelToken::new();
        let other = token.clone();
        let started = Instant::now();
        let sleeper = std::thread::spawn(move || other.sleep(Duration::from_secs(20)));
        std::thread::sleep(Duration::from_millis(20));
        token.cancel();
        assert_eq!(sleeper.join().unwrap(), Err(Cancelled));
        assert!(started.elapsed() < Duration::from_secs(2));
    }

    #[test]
    fn a_sleep_lasts_as_long_as_asked() {
        let started = Instant::now();
        assert_eq!(CancelToken::new().sleep(Duration::from_millis(70)), Ok(()));
        assert!(started.elapsed() >= Duration::from_millis(70));
    }
}
