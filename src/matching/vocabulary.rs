//! The closed set of tests that evidence may use: one list of all families. In: a test's name. Out: what
//! it looks for, what its threshold means and which facts it binds.

use super::{Observation, Question};
use super::{edges, facts, flow, load, members, series, sessions, stale, statements, timed};
use std::collections::HashMap;
use std::sync::LazyLock;

/// A test of the closed set.
pub struct Test {
    pub name: &'static str,
    pub what: &'static str,
    /// Threshold when a rule gives none, and what it means.
    pub default: f64,
    pub meaning: &'static str,
    /// Facts the test binds, besides `subject`.
    pub binds: &'static [&'static str],
    /// Says whether the source names a signal or role (else a kind of fact).
    pub on_series: bool,
    pub(super) run: fn(&Question) -> Observation,
}

/// Meaning of the threshold of a test that has none.
pub const NOT_USED: &str = "not used";

const LEVELS: &[&str] = &["target", "before", "during", "ratio", "at", "signal"];

/// Tests of levels, load and facts; the others stand beside their code.
const TESTS: &[Test] = &[
    Test {
        name: "shift-up",
        what: "the level rose from the baseline",
        default: 1.25,
        meaning: "least ratio to the baseline",
        binds: LEVELS,
        on_series: true,
        run: series::shift_up,
    },
    Test {
        name: "shift-down",
        what: "the level fell from the baseline",
        default: 1.25,
        meaning: "least ratio of the baseline to it",
        binds: LEVELS,
        on_series: true,
        run: series::shift_down,
    },
    Test {
        name: "steady",
        what: "no series of the source moved",
        default: 0.3,
        meaning: "largest relative move",
        binds: LEVELS,
        on_series: true,
        run: series::steady,
    },
    Test {
        name: "level-above",
        what: "the incident's median is at least",
        default: 0.0,
        meaning: "least level, base unit",
        binds: LEVELS,
        on_series: true,
        run: series::level_above,
    },
    Test {
        name: "level-below",
        what: "the incident's median is at most",
        default: 0.0,
        meaning: "largest level, base unit",
        binds: LEVELS,
        on_series: true,
        run: series::level_below,
    },
    Test {
        name: "saturates",
        what: "at its ceiling",
        default: 0.5,
        meaning: "least share of the incident",
        binds: &["target", "share", "ceiling", "before", "during"],
        on_series: true,
        run: series::saturates,
    },
    Test {
        name: "ramp",
        what: "climbs step by step, not at once",
        default: 4.0,
        meaning: "least number of samples on the way up",
        binds: LEVELS,
        on_series: true,
        run: series::ramp,
    },
    Test {
        name: "comes-back",
        what: "goes up and back to its usual level, again and again",
        default: 2.0,
        meaning: "least number of falls",
        binds: &["target", "falls", "before", "during", "at"],
        on_series: true,
        run: series::comes_back,
    },
    Test {
        name: "sawtooth",
        what: "climbs and falls at one rate",
        default: 2.0,
        meaning: "least number of falls",
        binds: &[
            "target", "falls", "period", "slope", "peak", "floor", "teeth", "before", "during",
        ],
        on_series: true,
        run: load::climbs_and_falls,
    },
    Test {
        name: "jumps",
        what: "takes several values, e.g. start times",
        default: 2.0,
        meaning: "least number of changes",
        binds: &["target", "changes"],
        on_series: true,
        run: load::jumps,
    },
    Test {
        name: "switches",
        what: "changes between states, e.g. standby and primary",
        default: 1.0,
        meaning: "least number of changes",
        binds: &["target", "changes"],
        on_series: true,
        run: load::switches,
    },
    Test {
        name: "skew",
        what: "the subject takes far more than its members' even or earlier share",
        default: 2.0,
        meaning: "least growth of its share",
        binds: &["target", "share", "share_before", "times", "members", "owner"],
        on_series: true,
        run: load::skew,
    },
    Test {
        name: "follows-load",
        what: "scales with the traffic at the entry",
        default: 0.35,
        meaning: "largest relative difference of the two ratios",
        binds: LEVELS,
        on_series: true,
        run: load::follows_load,
    },
    Test {
        name: "amplified",
        what: "calls per inbound request grew on an edge from the subject",
        default: 1.5,
        meaning: "least growth",
        binds: &["target", "before", "during", "ratio", "calls_before", "calls_during"],
        on_series: false,
        run: load::amplified,
    },
    Test {
        name: "blocking",
        what: "a session at the root of a blocking tree",
        default: 0.0,
        meaning: NOT_USED,
        binds: sessions::BLOCKING,
        on_series: false,
        run: sessions::blocking,
    },
    Test {
        name: "contention",
        what: "sessions wait for each other over several snapshots",
        default: 0.0,
        meaning: "not used",
        binds: sessions::CONTENTION,
        on_series: false,
        run: sessions::contention,
    },
    Test {
        name: "waits",
        what: "busy sessions wait for the named events",
        default: 0.25,
        meaning: "least share of the busy sessions",
        binds: sessions::WAITS,
        on_series: false,
        run: sessions::waits,
    },
    Test {
        name: "session-holders",
        what: "an application holds more sessions than before",
        default: 5.0,
        meaning: "least number of sessions more",
        binds: sessions::HOLDERS,
        on_series: false,
        run: sessions::holders,
    },
    Test {
        name: "event",
        what: "a change before the incident",
        default: 1800.0,
        meaning: "longest lag, seconds",
        binds: facts::EVENT,
        on_series: false,
        run: facts::event,
    },
    Test {
        name: "onset-after-event",
        what: "a symptom of the subject begins right after the change",
        default: 120.0,
        meaning: "longest lag, seconds",
        binds: facts::EVENT,
        on_series: true,
        run: facts::onset_after_event,
    },
    Test {
        name: "version-split",
        what: "instances of the new version are worse than the old ones",
        default: 2.0,
        meaning: "least ratio",
        binds: &["new", "old", "new_level", "old_level", "signal"],
        on_series: true,
        run: facts::version_split,
    },
    Test {
        name: "dependants",
        what: "callers at several distances have symptoms",
        default: 3.0,
        meaning: "least number of them",
        binds: &["count", "hops", "names"],
        on_series: false,
        run: facts::dependants,
    },
    Test {
        name: "undisturbed",
        what: "nothing leaves its usual level",
        default: 0.0,
        meaning: NOT_USED,
        binds: &[],
        on_series: false,
        run: facts::undisturbed,
    },
];

/// Every test that evidence may use.
pub fn tests() -> impl Iterator<Item = &'static Test> {
    let families = [
        TESTS,
        edges::TESTS,
        flow::TESTS,
        members::TESTS,
        stale::TESTS,
        statements::TESTS,
        timed::TESTS,
    ];
    families.into_iter().flatten()
}

/// Finds a test by name.
pub fn test(name: &str) -> Option<&'static Test> {
    static BY_NAME: LazyLock<HashMap<&str, &Test>> =
        LazyLock::new(|| tests().map(|t| (t.name, t)).collect());
    BY_NAME.get(name).copied()
}
