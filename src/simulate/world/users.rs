//! Users: they come by a Poisson process whose rate follows a curve, and their requests are the
//! ledger of what was promised and what they got.

use super::engine::Event;
use super::{NONE, World};
use crate::simulate::station::{Nanos, SECOND};

/// Classes of the latency histogram: from a millisecond up, each 12 % wider.
const CLASSES: usize = 112;
const CLASS_GROWTH: f64 = 1.12;
const FIRST_CLASS_S: f64 = 0.001;
/// Most windows in a ledger; a longer run has longer ones.
const WINDOWS: f64 = 4_000.0;
/// Least length of a window, in seconds.
const WINDOW_S: f64 = 10.0;

/// Requests of the users in one stretch of time.
#[derive(Clone, Debug)]
pub struct Stretch {
    pub good: u64,
    pub failed: u64,
    classes: [u32; CLASSES],
}

impl Stretch {
    fn new() -> Stretch {
        Stretch { good: 0, failed: 0, classes: [0; CLASSES] }
    }

    /// Latency below which this share of the successful requests stayed, in seconds; 0 of none.
    pub fn quantile_s(&self, share: f64) -> f64 {
        let all: u64 = self.classes.iter().map(|n| u64::from(*n)).sum();
        let wanted = (all as f64 * share).ceil() as u64;
        let mut seen = 0;
        for (at, n) in self.classes.iter().enumerate() {
            seen += u64::from(*n);
            if all > 0 && seen >= wanted {
                return FIRST_CLASS_S * CLASS_GROWTH.powf(at as f64 + 0.5);
            }
        }
        0.0
    }
}

/// What the users got.
#[derive(Clone, Debug)]
pub struct Ledger {
    /// Length of a stretch, in seconds.
    pub step_s: f64,
    pub stretches: Vec<Stretch>,
    usd_seconds: f64,
    billed: f64,
    /// Added to the bill by actions, in US dollars a month.
    pub extra_usd: f64,
}

impl Ledger {
    pub fn new(duration_s: f64) -> Ledger {
        let step_s = (duration_s / WINDOWS).max(WINDOW_S);
        Ledger { step_s, stretches: Vec::new(), usd_seconds: 0.0, billed: 0.0, extra_usd: 0.0 }
    }

    fn add(&mut self, at_s: f64, took_s: f64, good: bool) {
        let at = (at_s / self.step_s) as usize;
        while self.stretches.len() <= at {
            self.stretches.push(Stretch::new());
        }
        let stretch = &mut self.stretches[at];
        if !good {
            stretch.failed += 1;
            return;
        }
        stretch.good += 1;
        let class = (took_s / FIRST_CLASS_S).max(1.0).ln() / CLASS_GROWTH.ln();
        stretch.classes[(class as usize).min(CLASSES - 1)] += 1;
    }

    /// Everything in one.
    pub fn total(&self) -> Stretch {
        self.span(0, self.stretches.len())
    }

    /// The stretches `from..to` in one, of those that there are.
    pub fn span(&self, from: usize, to: usize) -> Stretch {
        let mut total = Stretch::new();
        let to = to.min(self.stretches.len());
        for s in &self.stretches[from.min(to)..to] {
            total.good += s.good;
            total.failed += s.failed;
            total.classes.iter_mut().zip(s.classes).for_each(|(t, n)| *t += n);
        }
        total
    }

    /// One more second of the bill.
    pub fn bill(&mut self, usd: f64, recording: bool) {
        if recording {
            self.usd_seconds += usd + self.extra_usd;
            self.billed += 1.0;
        }
    }

    /// Mean bill, in US dollars a month.
    pub fn usd_per_month(&self) -> f64 {
        if self.billed > 0.0 { self.usd_seconds / self.billed } else { 0.0 }
    }
}

impl World {
    /// Seconds from the start of the recording; negative while the system settles.
    pub fn clock_s(&self) -> f64 {
        self.seconds_from_zero(self.now)
    }

    /// Begin of the recording, in seconds since 1970.
    pub fn record_start_s(&self) -> f64 {
        self.start_us as f64 / 1e6
    }

    /// A time of the simulation in seconds from the begin of the recording.
    pub fn seconds_from_zero(&self, at: Nanos) -> f64 {
        (at as f64 - self.zero as f64) / SECOND as f64
    }

    /// Puts the next arrival of a source into the calendar.
    pub fn plan_arrival(&mut self, source: u16) {
        let now = self.now;
        let s = &mut self.sources[usize::from(source)];
        let most = s.curve.iter().map(|(_, f)| *f).fold(0.0, f64::max);
        let most = if s.curve.is_empty() { 1.0 } else { most };
        let rate = s.rate * s.factor * most;
        let gap = match rate > 0.0 {
            true => (s.draw.exponential(1.0 / rate) * SECOND as f64) as Nanos,
            false => SECOND,
        };
        self.calendar.add(now + gap.max(1), Event::Arrive { source });
    }

    /// A user comes, if the curve has one at this time (thinning of a process at the peak's rate).
    pub fn arrive(&mut self, source: u16) {
        self.plan_arrival(source);
        let clock = self.clock_s();
        let share = self.record.trace_share;
        let s = &mut self.sources[usize::from(source)];
        if s.rate * s.factor <= 0.0 || !s.curve.is_empty() && !s.thinned(clock) {
            return;
        }
        if s.addresses > 0 {
            let address = s.draw.below(s.addresses);
            s.seen.insert(address);
        }
        let key = match s.hot {
            Some((hot, share)) if s.draw.hits(share) => hot,
            _ => s.draw.key(s.keys.count, s.keys.zipf),
        };
        let program = s.program;
        let traced = self.chance.hits(share);
        let task = self.new_task(program, 0);
        self.traces += u32::from(traced);
        let t = &mut self.tasks[task as usize];
        t.caller = NONE;
        t.key = key;
        t.trace = if traced { self.traces } else { 0 };
        self.step(task);
    }

    /// A user's request came to an end.
    pub fn served(&mut self, task: u32, status: u16) {
        let took = (self.now - self.tasks[task as usize].arrived) as f64 / SECOND as f64;
        let at = self.clock_s();
        if at >= 0.0 {
            self.ledger.add(at, took, status == 200);
        }
    }
}

impl super::parts::Source {
    /// Says whether a candidate at this time is one.
    fn thinned(&mut self, clock: f64) -> bool {
        let most = self.curve.iter().map(|(_, f)| *f).fold(0.0, f64::max);
        let now = self.level(clock);
        most > 0.0 && self.draw.unit() * most < now
    }

    /// The curve's factor at a time; its ends go on.
    fn level(&self, clock: f64) -> f64 {
        let after = self.curve.iter().position(|(s, _)| *s > clock);
        match after {
            Some(0) => self.curve[0].1,
            Some(at) => {
                let ((s0, f0), (s1, f1)) = (self.curve[at - 1], self.curve[at]);
                f0 + (f1 - f0) * (clock - s0) / (s1 - s0).max(1e-9)
            }
            None => self.curve.last().map_or(1.0, |(_, f)| *f),
        }
    }
}
