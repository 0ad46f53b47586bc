//! Points. In: what was lost and why, and the guesses with their confidence. Out: the score by
//! category. The part for confidence is a proper scoring rule: who says what he believes does best.

/// A part of the score.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    Cause,
    Symptoms,
    Economy,
    Calibration,
    Mitigation,
}

/// Every part with what it is called and the most it gives; 100 in all.
pub const CATEGORIES: [(Part, &str, f64); 5] = [
    (Part::Cause, "found the cause", 30.0),
    (Part::Symptoms, "told symptoms from causes", 15.0),
    (Part::Economy, "evidence economy", 25.0),
    (Part::Calibration, "calibration", 15.0),
    (Part::Mitigation, "safe mitigation", 15.0),
];

/// Least that is kept of the points for the cause when looks have used up those for economy.
const CAUSE_KEPT: f64 = 15.0;

/// A guess that was scored.
#[derive(Clone, Debug, PartialEq)]
pub struct Guessed {
    pub component: String,
    pub mechanism: String,
    /// That component and mechanism are right, 0 to 1, as it was said.
    pub sure: f64,
    pub right: bool,
    /// 0 to 1.
    pub credit: f64,
}

/// Points lost for one reason.
#[derive(Clone, Debug, PartialEq)]
pub struct Loss {
    pub part: Part,
    pub points: f64,
    pub why: String,
}

/// The score of a drill.
#[derive(Clone, Debug, Default)]
pub struct Score {
    pub losses: Vec<Loss>,
    pub guesses: Vec<Guessed>,
    /// Share of the points for the cause that was earned; `None` while the drill runs.
    pub cause: Option<f64>,
    /// Whether an action helped; `None` while the drill runs.
    pub helped: Option<f64>,
}

/// The quadratic score of Brier (1950), "Verification of forecasts expressed in terms of
/// probability", Monthly Weather Review 78: 0 is best, 1 worst.
pub fn brier(sure: f64, right: bool) -> f64 {
    let outcome = f64::from(u8::from(right));
    (sure - outcome).powi(2)
}

/// Expected Brier score of saying `sure` where the truth is `likely`; least at `sure == likely`.
pub fn expected(sure: f64, likely: f64) -> f64 {
    likely * brier(sure, true) + (1.0 - likely) * brier(sure, false)
}

impl Score {
    /// Takes points for a reason.
    pub fn lose(&mut self, part: Part, points: f64, why: impl Into<String>) {
        if points > 0.0 {
            self.losses.push(Loss { part, points, why: why.into() });
        }
    }

    fn lost(&self, part: Part) -> f64 {
        self.losses.iter().filter(|l| l.part == part).map(|l| l.points).sum()
    }

    /// Mean Brier score of the guesses; `None` without one.
    pub fn mean_brier(&self) -> Option<f64> {
        let all = self.guesses.iter().map(|g| brier(g.sure, g.right));
        (!self.guesses.is_empty()).then(|| all.sum::<f64>() / self.guesses.len() as f64)
    }

    /// Points for the cause that looks beyond the budget have eaten.
    pub fn overspent(&self) -> f64 {
        let budget = CATEGORIES.iter().find(|c| c.0 == Part::Economy).map_or(0.0, |c| c.2);
        (self.lost(Part::Economy) - budget).max(0.0)
    }

    /// Points of a part, whole ones, so that they add up to the total: while the drill runs, the most
    /// that can still be had.
    pub fn points(&self, part: Part) -> f64 {
        self.exactly(part).round()
    }

    fn exactly(&self, part: Part) -> f64 {
        let most = CATEGORIES.iter().find(|c| c.0 == part).map_or(0.0, |c| c.2);
        let left = (most - self.lost(part)).max(0.0);
        match part {
            Part::Cause => {
                // Looks beyond the budget eat into what the cause is worth.
                let left = (left - self.overspent()).max(left.min(CAUSE_KEPT));
                left * self.cause.unwrap_or(1.0)
            }
            Part::Symptoms => left * self.cause.map_or(1.0, |c| if c > 0.0 { 1.0 } else { 0.0 }),
            // Economy without a result is worth what the result is.
            Part::Economy => left * self.cause.unwrap_or(1.0),
            Part::Calibration => match self.mean_brier() {
                Some(b) => most * (1.0 - b),
                None => most * self.cause.map_or(1.0, |_| 0.0),
            },
            Part::Mitigation => left * self.helped.unwrap_or(1.0),
        }
    }

    /// Points in all, 0 to 100.
    pub fn total(&self) -> f64 {
        CATEGORIES.iter().map(|c| self.points(c.0)).sum()
    }

    /// School grade of a total.
    pub fn grade(&self) -> &'static str {
        match self.total().round() as i64 {
            90.. => "A",
            80..90 => "B+",
            70..80 => "B",
            60..70 => "C",
            45..60 => "D",
            _ => "E",
        }
    }
}
