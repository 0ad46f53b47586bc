//! The window of a recording in slices: the past at once, what is still to come as it passes.

use super::pace::Signals;
use crate::model::{Micros, SECOND, Window};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Length of a slice of the time that passes.
const SLICE: Micros = 300 * SECOND;
/// Time after which a server has what it scraped or was sent.
pub const SETTLE: Micros = 10 * SECOND;

/// A half-open stretch of the window.
pub type Slice = Window;

/// Hands out slices in order, each when its time has passed.
pub struct Slices {
    window: Window,
    /// What was past when the recording was first started.
    started: Micros,
    now: fn() -> Micros,
    next: Mutex<Micros>,
}

impl Slices {
    /// Slices of a window; the same ones in every try, for `started` is the first one's.
    pub fn new(window: Window, started: Micros, now: fn() -> Micros) -> Self {
        Slices { window, started, now, next: Mutex::new(window.from) }
    }

    /// Waits until the next slice has passed; `None` after the last, or when stopped. A recording
    /// that is to finish gets what has passed as its last slice.
    pub fn next(&self, signals: &Signals) -> Option<Slice> {
        let mut next = self.next.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let from = *next;
        if from >= self.window.to || signals.stopped() {
            return None;
        }
        let to = match from < self.started {
            true => self.started.min(self.window.to),
            false => (from + SLICE).min(self.window.to),
        };
        // The past has settled by itself.
        let due = if to <= self.started { to } else { to + SETTLE };
        let left = (due - (self.now)()).max(0);
        signals.wait(Instant::now() + Duration::from_micros(left.unsigned_abs()));
        let now = (self.now)();
        if signals.stopped() {
            return None;
        }
        if now >= due {
            *next = to;
            return Some(Slice { from, to });
        }
        *next = self.window.to;
        (now > from).then_some(Slice { from, to: to.min(now) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::Ordering;

    /// A time long past every slice.
    const LATE: fn() -> Micros = || 10_000 * SECOND;

    fn all(slices: &Slices) -> Vec<(i64, i64)> {
        let signals = Signals::default();
        let next = || slices.next(&signals).map(|s| (s.from / SECOND, s.to / SECOND));
        std::iter::from_fn(next).collect()
    }

    #[test]
    fn slices_cover_the_window_once() {
        let window = Window { from: 0, to: 2_400 * SECOND };
        let slices = Slices::new(window, 1_700 * SECOND, LATE);
        assert_eq!(all(&slices), [(0, 1700), (1700, 2000), (2000, 2300), (2300, 2400)]);
        let past = Slices::new(window, 9_000 * SECOND, LATE);
        assert_eq!(all(&past), [(0, 2400)]);
        let empty = Slices::new(Window { from: 5, to: 5 }, 9, LATE);
        assert!(all(&empty).is_empty());
    }

    #[test]
    fn a_recording_that_is_to_finish_gets_what_has_passed() {
        let now: fn() -> Micros = || 100 * SECOND;
        let window = Window { from: 40 * SECOND, to: 400 * SECOND };
        let signals = Signals::default();
        signals.finish.store(true, Ordering::Relaxed);
        let slices = Slices::new(window, 40 * SECOND, now);
        let last = slices.next(&signals).expect("a minute has passed");
        assert_eq!((last.from, last.to), (40 * SECOND, 100 * SECOND));
        assert_eq!(slices.next(&signals), None);
        signals.stop.store(true, Ordering::Relaxed);
        assert_eq!(Slices::new(window, 0, LATE).next(&signals), None);
    }
}
