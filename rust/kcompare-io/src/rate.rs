//! A limit on bytes per second for everything that reads in one run: all workers, both sides.
//!
//! Whoever wants to read says how much *before* it asks, and settles the difference when it knows what came. So no byte
//! is on its way that was not allowed, nothing half-read waits in a socket, and a connection without a request in flight
//! has no timeout but the broker's idle limit.

use std::collections::VecDeque;
use std::num::NonZeroU64;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::cancel::{CancelToken, Cancelled};

/// What may be read at once after a pause, as time at the full rate: a meter that looks once a second sees a quarter
/// more at most.
const BURST: Duration = Duration::from_millis(250);
/// One request asks for no more than this part of a burst, so that workers take turns.
const REQUESTS_PER_BURST: u64 = 2;
/// The longest wait between two looks at the cancel token.
const NAP: Duration = Duration::from_millis(50);
/// Credit is counted in bytes times this, so that no fraction of a byte is lost between two looks at the clock.
const UNIT: i128 = 1_000_000_000;

/// A token bucket over a clock that is handed in.
#[derive(Debug)]
struct Bucket {
    bytes_per_second: i128,
    burst: i128,
    /// Negative after answers that were larger than what was paid for.
    credit: i128,
    at: Duration,
}

impl Bucket {
    fn new(bytes_per_second: u64) -> Self {
        let bytes_per_second = i128::from(bytes_per_second);
        let burst = (bytes_per_second * BURST.as_nanos() as i128).max(UNIT);
        Self { bytes_per_second, burst, credit: burst, at: Duration::ZERO }
    }

    /// Adds what the time since the last look is worth, up to `most`. What was handed back may lie above that, because
    /// it was paid for.
    fn refill(&mut self, now: Duration, most: i128) {
        let passed = now.saturating_sub(self.at).as_nanos();
        self.at = self.at.max(now);
        let earned = self.bytes_per_second.saturating_mul(i128::try_from(passed).unwrap_or(i128::MAX));
        self.credit = self.credit.max(self.credit.saturating_add(earned).min(most));
    }

    /// How long until there is credit for `wanted`.
    fn wait_for(&self, wanted: i128) -> Duration {
        let nanos = (wanted - self.credit + self.bytes_per_second - 1) / self.bytes_per_second;
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

/// The bucket and the queue before it, as (ticket, what is wanted). Only the front is served, so that a large wish is
/// not overtaken by small ones for ever.
#[derive(Debug)]
struct Queue {
    bucket: Bucket,
    waiting: VecDeque<(u64, i128)>,
    next_ticket: u64,
}

impl Queue {
    fn new(bytes_per_second: u64) -> Self {
        Self { bucket: Bucket::new(bytes_per_second), waiting: VecDeque::new(), next_ticket: 0 }
    }

    fn join(&mut self, bytes: u64, now: Duration) -> u64 {
        if self.waiting.is_empty() {
            // Time that nobody has waited through is worth no more than a burst.
            self.bucket.refill(now, self.bucket.burst);
        }
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        self.waiting.push_back((ticket, i128::from(bytes) * UNIT));
        ticket
    }

    /// Serves the holder of `ticket` if it is its turn. `None` when it may go; else how long to wait.
    fn serve(&mut self, ticket: u64, now: Duration) -> Option<Duration> {
        let (front, wanted) = *self.waiting.front()?;
        if front != ticket {
            return Some(NAP);
        }
        self.bucket.refill(now, self.bucket.burst.max(wanted));
        if self.bucket.credit < wanted {
            return Some(self.bucket.wait_for(wanted));
        }
        self.bucket.credit -= wanted;
        self.waiting.pop_front();
        None
    }

    /// Lets a waiter go that will read nothing.
    fn leave(&mut self, ticket: u64) {
        self.waiting.retain(|(waiting, _)| *waiting != ticket);
        self.bucket.credit = self.bucket.credit.min(self.bucket.burst);
    }

    fn settle(&mut self, taken: u64, read: u64) {
        self.bucket.credit += (i128::from(taken) - i128::from(read)) * UNIT;
    }
}

/// So many bytes per second. Share it in an `Arc`.
#[derive(Debug)]
pub struct RateLimit {
    bytes_per_second: NonZeroU64,
    start: Instant,
    queue: Mutex<Queue>,
    moved: Condvar,
}

impl RateLimit {
    /// A limit that allows a quarter of a second's bytes at once.
    pub fn new(bytes_per_second: NonZeroU64) -> Self {
        let queue = Mutex::new(Queue::new(bytes_per_second.get()));
        Self { bytes_per_second, start: Instant::now(), queue, moved: Condvar::new() }
    }

    /// Waits until `bytes` may be read. First come, first served.
    pub fn take(&self, bytes: u64, cancel: &CancelToken) -> Result<(), Cancelled> {
        if bytes == 0 {
            return cancel.check();
        }
        let mut queue = self.lock();
        let ticket = queue.join(bytes, self.start.elapsed());
        loop {
            if let Err(cancelled) = cancel.check() {
                queue.leave(ticket);
                self.moved.notify_all();
                return Err(cancelled);
            }
            let Some(wait) = queue.serve(ticket, self.start.elapsed()) else {
                self.moved.notify_all();
                return Ok(());
            };
            queue = self.moved.wait_timeout(queue, wait.min(NAP)).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Corrects what was taken by what was read: the rest is handed back, what came beyond it is owed by whoever comes
    /// next.
    pub fn settle(&self, taken: u64, read: u64) {
        self.lock().settle(taken, read);
        self.moved.notify_all();
    }

    /// The most that one request should ask for, in bytes.
    pub fn request_limit(&self) -> usize {
        let burst = u128::from(self.bytes_per_second.get()) * BURST.as_nanos() / UNIT as u128;
        usize::try_from(burst / u128::from(REQUESTS_PER_BURST)).unwrap_or(usize::MAX)
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn limit(bytes_per_second: u64) -> RateLimit {
        RateLimit::new(NonZeroU64::new(bytes_per_second).unwrap())
    }

    /// Serves one wish alone; when it has everything.
    fn served_at(queue: &mut Queue, bytes: u64, mut now: Duration) -> Duration {
        let ticket = queue.join(bytes, now);
        while let Some(wait) = queue.serve(ticket, now) {
            assert!(wait > Duration::ZERO);
            now += wait;
        }
        now
    }

    #[test]
    fn a_burst_is_a_quarter_of_a_second_and_the_rest_waits() {
        let mut queue = Queue::new(1000);
        assert_eq!(served_at(&mut queue, 250, Duration::ZERO), Duration::ZERO);
        assert_eq!(served_at(&mut queue, 1, Duration::ZERO), Duration::from_millis(1));
        // An hour of silence earns no more than the burst.
        let hour = Duration::from_secs(3600);
        assert_eq!(served_at(&mut queue, 251, hour), hour + Duration::from_millis(1));
    }

    #[test]
    fn a_wish_larger_than_the_burst_takes_its_time() {
        let mut queue = Queue::new(1000);
        assert_eq!(served_at(&mut queue, 10_250, Duration::ZERO), Duration::from_secs(10));
    }

    #[test]
    fn the_front_of_the_queue_is_served_first_whatever_it_wants() {
        let mut queue = Queue::new(1000);
        let (large, small) = (queue.join(1250, Duration::ZERO), queue.join(1, Duration::ZERO));
        assert_eq!(queue.serve(small, Duration::ZERO), Some(NAP));
        assert_eq!(queue.serve(large, Duration::ZERO), Some(Duration::from_secs(1)));
        assert_eq!(queue.serve(small, Duration::from_millis(500)), Some(NAP));
        assert_eq!(queue.serve(large, Duration::from_secs(1)), None);
        assert_eq!(queue.serve(small, Duration::from_millis(1001)), None);
    }

    #[test]
    fn who_leaves_pays_nothing_and_holds_nobody_up() {
        let mut queue = Queue::new(1000);
        let (first, second) = (queue.join(1000, Duration::ZERO), queue.join(250, Duration::ZERO));
        assert!(queue.serve(first, Duration::ZERO).is_some());
        assert!(queue.serve(first, Duration::from_millis(700)).is_some());
        queue.leave(first);
        assert_eq!(queue.serve(second, Duration::from_millis(700)), None);
        assert_eq!(queue.bucket.credit, 0);
    }

    #[test]
    fn what_was_not_read_is_handed_back_and_what_was_read_beyond_is_owed() {
        let mut queue = Queue::new(1000);
        assert_eq!(served_at(&mut queue, 1250, Duration::ZERO), Duration::from_secs(1));
        queue.settle(1250, 50);
        assert_eq!(served_at(&mut queue, 1200, Duration::from_secs(1)), Duration::from_secs(1));
        queue.settle(0, 500);
        assert_eq!(served_at(&mut queue, 100, Duration::from_secs(1)), Duration::from_millis(1600));
    }

    #[test]
    fn a_byte_per_second_is_a_limit_too() {
        let mut queue = Queue::new(1);
        assert_eq!(served_at(&mut queue, 3, Duration::ZERO), Duration::from_secs(2));
        assert_eq!((limit(1).request_limit(), limit(8 << 20).request_limit()), (0, 1 << 20));
        assert!(served_at(&mut Queue::new(u64::MAX), u64::MAX, Duration::ZERO) >= Duration::from_millis(750));
    }

    proptest! {
        /// The promise: by any moment, no more was granted than the burst and the time are worth; and no time is lost.
        #[test]
        fn never_more_than_the_rate_and_never_much_less(
            rate in 1u64..1_000_000_000,
            wishes in prop::collection::vec((1u64..5_000_000, 0u64..400), 1..40),
        ) {
            let mut queue = Queue::new(rate);
            let burst = queue.bucket.burst;
            let (mut now, mut granted, mut idle) = (Duration::ZERO, 0u128, Duration::ZERO);
            for (bytes, pause_ms) in wishes {
                let pause = Duration::from_millis(pause_ms);
                (now, idle) = (now + pause, idle + pause);
                now = served_at(&mut queue, bytes, now);
                granted += u128::from(bytes);
                let worth = u128::from(rate) * now.as_nanos() + burst as u128;
                prop_assert!(granted * UNIT as u128 <= worth);
                let busy = u128::from(rate) * now.saturating_sub(idle).as_nanos();
                prop_assert!(granted * UNIT as u128 + UNIT as u128 * 2 + u128::from(rate) * 40 >= busy);
            }
        }
    }

    #[test]
    fn threads_share_one_rate() {
        let limit = limit(1_000_000);
        let started = Instant::now();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..10 {
                        limit.take(10_000, &CancelToken::new()).unwrap();
                    }
                });
            }
        });
        // 400,000 bytes, of which 250,000 are the burst.
        assert!(started.elapsed() >= Duration::from_millis(150), "{:?}", started.elapsed());
        assert!(limit.lock().waiting.is_empty());
    }

    #[test]
    fn a_set_token_ends_the_wait_and_frees_the_queue() {
        let limit = limit(1);
        let cancel = CancelToken::new();
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| limit.take(1_000_000, &cancel));
            while limit.lock().waiting.is_empty() {
                std::thread::yield_now();
            }
            cancel.cancel();
            assert_eq!(waiter.join().unwrap(), Err(Cancelled));
        });
        assert!(limit.lock().waiting.is_empty());
    }
}
