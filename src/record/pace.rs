//! When to ask next: a limit of requests a second, growing pauses between tries, and waits that end
//! when the recording is to stop.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Longest sleep without a look at the signals.
const NAP: Duration = Duration::from_millis(50);
/// Longest pause, also where a server asks for more (`Retry-After`).
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// What the user's signals say.
#[derive(Clone, Debug, Default)]
pub struct Signals {
    /// Stop now; what is done stays, and the same command goes on.
    pub stop: Arc<AtomicBool>,
    /// End a recording that follows: fetch what is left and finish.
    pub finish: Arc<AtomicBool>,
}

impl Signals {
    /// Says whether to stop now.
    pub fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Says whether to come to an end.
    pub fn finishing(&self) -> bool {
        self.stopped() || self.finish.load(Ordering::Relaxed)
    }

    /// Sleeps; gives `false` when it was woken to stop.
    pub fn sleep(&self, how_long: Duration) -> bool {
        let until = Instant::now() + how_long;
        while !self.stopped() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return true;
            }
            std::thread::sleep(left.min(NAP));
        }
        false
    }

    /// Sleeps until `until` is reached or the recording is to end.
    pub fn wait(&self, until: Instant) {
        while !self.finishing() && Instant::now() < until {
            std::thread::sleep(until.saturating_duration_since(Instant::now()).min(NAP));
        }
    }
}

/// At most so many requests a second to one server.
#[derive(Debug)]
pub struct Pace {
    apart: Duration,
    next: Mutex<Option<Instant>>,
}

impl Pace {
    /// `rate` requests a second, above 0.
    pub fn new(rate: f64) -> Self {
        Pace { apart: Duration::from_secs_f64(1.0 / rate), next: Mutex::new(None) }
    }

    /// Waits for its turn; gives `false` when it was woken to stop.
    pub fn turn(&self, signals: &Signals) -> bool {
        let now = Instant::now();
        let at = {
            let mut next = self.next.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            let at = next.map_or(now, |n| n.max(now));
            *next = Some(at + self.apart);
            at
        };
        signals.sleep(at.saturating_duration_since(now))
    }
}

/// Pause before try number `tried + 1`: the first one, doubled each time, or what the server asks
/// for; half a minute at most.
pub fn pause(first: Duration, tried: u32, asked: Option<Duration>) -> Duration {
    let own = first.saturating_mul(2u32.saturating_pow(tried.saturating_sub(1)));
    asked.unwrap_or(own).min(PAUSE_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_a_server_may_ask_for_its_own() {
        let first = Duration::from_millis(500);
        let millis = |tried| pause(first, tried, None).as_millis();
        assert_eq!([millis(1), millis(2), millis(3)], [500, 1000, 2000]);
        assert_eq!(pause(first, 99, None), PAUSE_MAX);
        assert_eq!(pause(first, 1, Some(Duration::from_secs(3600))), PAUSE_MAX);
        assert_eq!(pause(first, 3, Some(Duration::ZERO)), Duration::ZERO);
    }

    #[test]
    fn requests_keep_their_distance() {
        let (pace, signals) = (Pace::new(50.0), Signals::default());
        let start = Instant::now();
        assert!((0..4).all(|_| pace.turn(&signals)));
        assert!(start.elapsed() >= Duration::from_millis(60), "{:?}", start.elapsed());
    }

    #[test]
    fn a_signal_ends_a_wait() {
        let signals = Signals::default();
        signals.stop.store(true, Ordering::Relaxed);
        assert!(!signals.sleep(Duration::from_secs(60)));
        assert!(!Pace::new(0.001).turn(&signals) && signals.finishing());
    }
}
