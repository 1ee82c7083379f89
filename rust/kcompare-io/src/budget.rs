//! One memory budget for everything in flight and decoded.
//!
//! Half of it is divided among the workers once and for all. The other half serves batches too large for a worker's
//! own share, and one worker at a time holds it as a whole: two workers that each held a part and waited for more
//! would wait for ever, and parts added up would no longer be a bound.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};
use std::time::Duration;

use crate::cancel::{CancelToken, Cancelled};

/// The longest wait between two looks at the cancel token.
const POLL: Duration = Duration::from_millis(50);

/// The budget of one run. Share it by reference or in an `Arc`.
#[derive(Debug)]
pub struct MemoryBudget {
    total: usize,
    workers: usize,
    large: Mutex<LargeState>,
    freed: Condvar,
}

#[derive(Debug, Default)]
struct LargeState {
    holder: Option<ThreadId>,
    /// How many shares the holder has: its sink may ask for the large half while the reader that calls it holds it.
    depth: usize,
    reserved: usize,
}

impl MemoryBudget {
    /// A budget of `total_bytes` for `workers` threads (at least one).
    pub fn new(total_bytes: usize, workers: usize) -> Self {
        Self { total: total_bytes, workers: workers.max(1), large: Mutex::default(), freed: Condvar::new() }
    }

    /// What every worker always has, in bytes: half of the total divided by the workers. Whoever uses it splits it
    /// between its wire buffer and its scratch space.
    pub fn base_share(&self) -> usize {
        self.total / 2 / self.workers
    }

    /// The large half, in bytes: no batch above this size is read.
    pub fn large_limit(&self) -> usize {
        self.total / 2
    }

    /// Waits until no other thread holds the large half, then holds it until the share is dropped. The same thread may
    /// acquire it again; what its shares reserve is added up against one limit.
    pub fn acquire_large(&self, cancel: &CancelToken) -> Result<LargeShare<'_>, Cancelled> {
        let me = thread::current().id();
        let mut state = self.lock();
        loop {
            cancel.check()?;
            if state.holder.is_none_or(|holder| holder == me) {
                state.holder = Some(me);
                state.depth += 1;
                return Ok(LargeShare { budget: self, reserved: 0 });
            }
            state = self.freed.wait_timeout(state, POLL).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn lock(&self) -> MutexGuard<'_, LargeState> {
        self.large.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to use the large half of the budget, until it is dropped.
#[derive(Debug)]
pub struct LargeShare<'a> {
    budget: &'a MemoryBudget,
    reserved: usize,
}

impl LargeShare<'_> {
    /// What is not reserved yet of the large half, in bytes.
    pub fn available(&self) -> usize {
        self.budget.large_limit().saturating_sub(self.budget.lock().reserved)
    }

    /// Reserves `bytes` for this share; false, with nothing reserved, when that much is not available.
    pub fn reserve(&mut self, bytes: usize) -> bool {
        let mut state = self.budget.lock();
        let fits = bytes <= self.budget.large_limit().saturating_sub(state.reserved);
        if fits {
            state.reserved += bytes;
            self.reserved += bytes;
        }
        fits
    }
}

impl Drop for LargeShare<'_> {
    fn drop(&mut self) {
        let mut state = self.budget.lock();
        state.reserved = state.reserved.saturating_sub(self.reserved);
        state.depth = state.depth.saturating_sub(1);
        if state.depth == 0 {
            state.holder = None;
            self.budget.freed.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn halves_add_up_to_the_total() {
        let budget = MemoryBudget::new(64 << 20, 4);
        assert_eq!(budget.base_share() * 4 + budget.large_limit(), 64 << 20);
        assert_eq!(MemoryBudget::new(64, 0).base_share(), 32);
    }

    #[test]
    fn one_holder_at_a_time() {
        let budget = MemoryBudget::new(1000, 8);
        let inside = AtomicUsize::new(0);
        let cancel = CancelToken::new();
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let mut share = budget.acquire_large(&cancel).unwrap();
                    assert!(share.reserve(500));
                    assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                    thread::sleep(Duration::from_millis(2));
                    inside.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
    }

    #[test]
    fn the_holder_may_acquire_again_under_the_same_limit() {
        let budget = MemoryBudget::new(1000, 1);
        let cancel = CancelToken::new();
        let mut outer = budget.acquire_large(&cancel).unwrap();
        assert!(outer.reserve(300));
        let mut inner = budget.acquire_large(&cancel).unwrap();
        assert_eq!(inner.available(), 200);
        assert!(!inner.reserve(201));
        assert!(inner.reserve(200));
        drop(inner);
        assert_eq!(outer.available(), 200);
    }

    #[test]
    fn waiting_ends_on_cancel() {
        let budget = MemoryBudget::new(1000, 2);
        let cancel = CancelToken::new();
        let held = budget.acquire_large(&cancel).unwrap();
        thread::scope(|scope| {
            let waiter = scope.spawn(|| budget.acquire_large(&cancel).map(|_| ()));
            thread::sleep(Duration::from_millis(10));
            cancel.cancel();
            assert_eq!(waiter.join().unwrap(), Err(Cancelled));
        });
        drop(held);
    }
}
