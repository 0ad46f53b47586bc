//! Why something is not the answer: what separates it from the first hypothesis.

use super::{Discriminator, Hypothesis};

/// One term of both scores.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    pub name: String,
    /// Nats of the one asked about and of the first hypothesis.
    pub own: f64,
    pub first: f64,
    /// What the term of the one asked about says, or the first one's where it has none.
    pub said: String,
}

impl Difference {
    /// By how much the first hypothesis gains from this term.
    pub fn lead(&self) -> f64 {
        self.first - self.own
    }
}

/// Why something is not the answer.
pub enum WhyNot<'d> {
    /// It is the first hypothesis.
    IsFirst(&'d Hypothesis),
    /// It is one of the others.
    Behind {
        own: &'d Hypothesis,
        first: &'d Hypothesis,
        /// Largest lead of the first one at the top.
        terms: Vec<Difference>,
        /// What it looked for and could not see.
        unseen: Vec<&'d str>,
        /// Checks of either against the other, with whose they are, cheapest first.
        checks: Vec<(&'d Hypothesis, &'d Discriminator)>,
    },
    /// Its signature ran and did not match.
    Rejected(&'d str),
    /// Its signature could not run.
    Skipped(&'d [String]),
    /// Nothing that is called so is known.
    Unknown,
}
