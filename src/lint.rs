//! Checks on the catalogue that its types cannot make. In: a loaded catalogue. Out: what is wrong,
//! where. Runs no signature: what a signature says about its fixtures is tested elsewhere.

mod claims;
mod labels;

use crate::catalog::fixtures::Label;
use crate::catalog::{
    Catalog, Category, EvidenceRule, Expect, IfAbsent, Relation, SignatureFile, Status, Value,
};
use crate::diagnosis::{EvidenceRole, Strength};
use crate::error::{Result, did_you_mean};
use crate::matching::{self, placeholders};
use crate::signals::SignalTable;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Something wrong with a signature.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LintError {
    /// Path of the signature file.
    pub place: String,
    pub message: String,
    /// Tells the author, but does not fail the catalogue.
    pub warning: bool,
}

/// What rules look at besides the signature.
struct World<'a> {
    catalog: &'a Catalog,
    signals: &'static SignalTable,
    label: &'a dyn Fn(&str) -> Label,
}

/// One defect; `true` marks a warning.
type Finding = (String, bool);
type Rule = fn(&SignatureFile, &World) -> Vec<Finding>;

/// Every rule, by what it demands.
const RULES: &[(&str, Rule)] = &[
    ("the id is the file's stem and the category its folder", place_fits),
    ("ids and codes are unique", unique),
    ("sources are signals, roles or facts", sources_exist),
    ("tests and their conditions exist", tests_exist),
    ("parameters that are used exist and those that exist are used", params_fit),
    ("templates name bound facts only", templates_are_bound),
    ("ties lead to signatures", ties_exist),
    ("every look-alike has a discriminator", mimics_are_told_apart),
    ("decisive evidence says what its absence means", decisive_may_refute),
    ("some required evidence is a symptom or a wait", causes_need_symptoms),
    ("fixtures exist, with a hit and a near miss", labels::fixtures_fit),
    ("fixtures are labelled and recorded", labels::fixtures_are_recorded),
    ("labels of fixtures agree with the tests and name signatures", labels::labels_agree),
    ("nothing is left to be filled in", claims::all_is_filled_in),
    ("the runbook is whole", claims::runbook_is_whole),
    ("what may let somebody in has a security check", claims::security_is_considered),
    ("checks only read", claims::checks_only_read),
    ("no signature specialises itself", claims::specialises_no_circle),
    ("headlines claim what evidence looks at", claims::claims_are_looked_at),
    ("stable signatures have four tests", stable_is_tested),
    ("false positives are named", false_positives_named),
    ("dates are ISO dates", dates_are_iso),
];

/// Fewest tests of a stable signature.
const STABLE_TESTS: usize = 4;
/// Sources that are no series, and the tests that read them.
const FACTS: [(&str, &str); 8] = [
    ("pg.sessions", "statements open-transaction waits session-holders"),
    ("traces", "calls-per-parent stale-reads route-split"),
    ("coverage", "coverage"),
    ("pg.blocking", "blocking contention"),
    ("pg.log", "logged"),
    ("events", "event happened"),
    ("graph", "amplified dependants"),
    ("symptoms", "undisturbed"),
];
/// Inputs that `requires` may name besides signals and roles.
const INPUTS: [&str; 6] = ["pg.sessions", "pg.blocking", "pg.log", "traces", "events", "graph"];
/// Roles that may cause trouble and never are trouble.
const CAUSE_ROLES: &str = "traffic cpu node-cpu node-other memory disk network connections rows \
    descriptors throttle gc cache-requests";
/// Conditions of tests; other tests on series take `dims`, which of several series.
const CONDITIONS: &[(&str, &str)] = &[
    (
        "statements",
        "sessions peak share age_s oldest_s snapshots growth age_growth lock_share io_share \
         cpu_share new",
    ),
    ("open-transaction", "age_s idle_s snapshots lead_s state backend"),
    ("unit-cost-up", "units growth others dims"),
    ("calls-per-parent", "calls each_s each_growth errors child_share callee"),
    ("level-above", "dims per"),
    ("level-below", "dims per"),
    ("outpaces", "than dims"),
    ("moves-with", "with at dims"),
    (
        "blocking",
        "victims age_s held_s still_s waited_s snapshots share depth state ddl writes row_locks \
         autovacuum ddl_waits backend standby",
    ),
    (
        "contention",
        "roots snapshots top_share circle_share victims applications event event_share relation \
         relation_share statement_share",
    ),
    ("waits", "type event growth sessions peak statements applications longest_s"),
    ("session-holders", "sessions share growth idle_share active_share"),
    ("logged", "kind growth applications waited_s"),
    ("event", "kind title"),
    ("happened", "kind title"),
    ("onset-after-event", "kind title"),
    ("outcome-share", "outcome"),
    ("together", "callers share"),
];

/// Checks every signature; the answer is sorted.
pub fn lint(catalog: &Catalog, label: &dyn Fn(&str) -> Label) -> Result<Vec<LintError>> {
    let world = World { catalog, signals: SignalTable::built_in()?, label };
    let mut found = Vec::new();
    for s in &catalog.signatures {
        for (message, warning) in RULES.iter().flat_map(|(_, rule)| rule(s, &world)) {
            found.push(LintError { place: s.path.clone(), message, warning });
        }
    }
    found.sort();
    Ok(found)
}

/// How many signatures have a test that must match, one that must not, and both.
pub fn tested(catalog: &Catalog) -> [usize; 3] {
    let has = |s: &SignatureFile, e: Expect| s.test.iter().any(|t| t.expect == e);
    let count = |keep: &dyn Fn(&SignatureFile) -> bool| {
        catalog.signatures.iter().filter(|s| keep(s)).count()
    };
    [
        count(&|s| has(s, Expect::Match)),
        count(&|s| has(s, Expect::NoMatch)),
        count(&|s| has(s, Expect::Match) && has(s, Expect::NoMatch)),
    ]
}

fn error(message: String) -> Finding {
    (message, false)
}

fn warning(message: String) -> Finding {
    (message, true)
}

fn unless(holds: bool, message: impl Into<String>) -> Vec<Finding> {
    if holds { Vec::new() } else { vec![error(message.into())] }
}

fn place_fits(s: &SignatureFile, _: &World) -> Vec<Finding> {
    let category = s.signature.category.word();
    let place = format!("{category}/{}.toml", s.signature.id);
    unless(Path::new(&s.path).ends_with(&place), format!("its id and category ask for {place}"))
}

fn unique(s: &SignatureFile, world: &World) -> Vec<Finding> {
    let (id, code) = (&s.signature.id, &s.signature.code);
    let others = || world.catalog.signatures.iter().filter(|o| o.path != s.path);
    let same_id = others().filter(|o| o.signature.id == *id);
    let same_code = others().filter(|o| o.signature.code.eq_ignore_ascii_case(code));
    let mut seen = BTreeSet::new();
    let twice = s.evidence.iter().filter(|r| !seen.insert(&r.id));
    same_id
        .map(|o| format!("id \"{id}\" is also in {}", o.path))
        .chain(same_code.map(|o| format!("code \"{code}\" is also in {}", o.path)))
        .chain(twice.map(|r| format!("evidence \"{}\" is there twice", r.id)))
        .map(error)
        .collect()
}

/// Says whether a source is a canonical signal or a role that some signal has.
fn is_signal(source: &str, signals: &SignalTable) -> bool {
    let Some(role) = source.strip_prefix("role:") else { return signals.named(source).is_some() };
    let (role, view) = role.split_once('@').unwrap_or((role, "client"));
    signals.signals.iter().any(|x| x.role == role) && ["client", "server"].contains(&view)
}

fn sources_exist(s: &SignatureFile, world: &World) -> Vec<Finding> {
    let known = |name: &str| is_signal(name, world.signals);
    let mut found = Vec::new();
    for rule in &s.evidence {
        let on_series = matching::test(&rule.test).is_none_or(|t| t.on_series);
        let reads = |f: &(&str, &str)| f.0 == rule.source && f.1.split(' ').any(|t| t == rule.test);
        let fits = if on_series { known(&rule.source) } else { FACTS.iter().any(reads) };
        if !fits {
            let (id, source, test) = (&rule.id, &rule.source, &rule.test);
            found.push(error(format!("evidence \"{id}\": \"{test}\" cannot read \"{source}\"")));
        }
    }
    for name in s.requires.all.iter().chain(&s.requires.any) {
        if !known(name) && !INPUTS.contains(&name.as_str()) {
            found.push(error(format!("requires \"{name}\", which is no input, signal or role")));
        }
    }
    found
}

fn tests_exist(s: &SignatureFile, _: &World) -> Vec<Finding> {
    let mut found = Vec::new();
    for rule in &s.evidence {
        let Some(test) = matching::test(&rule.test) else {
            let near = did_you_mean(&rule.test, matching::tests().map(|t| t.name));
            let hint = near.map_or(String::new(), |n| format!("; did you mean \"{n}\"?"));
            let (id, test) = (&rule.id, &rule.test);
            found.push(error(format!("evidence \"{id}\": no test \"{test}\"{hint}")));
            continue;
        };
        let other = if test.on_series { "dims" } else { "" };
        let known = CONDITIONS.iter().find(|c| c.0 == test.name).map_or(other, |c| c.1);
        for key in rule.conditions.keys().filter(|k| !known.split(' ').any(|c| c == *k)) {
            let id = &rule.id;
            found.push(error(format!("evidence \"{id}\": where knows no \"{key}\", but: {known}")));
        }
    }
    found
}

fn params_fit(s: &SignatureFile, _: &World) -> Vec<Finding> {
    let mut used: BTreeSet<&str> = BTreeSet::new();
    for rule in &s.evidence {
        if let Some(Value::Param(name)) = &rule.value {
            used.insert(name);
        }
        used.extend(rule.conditions.values().filter_map(|c| c.split_once('$').map(|x| x.1.trim())));
    }
    let bare = |r: &&EvidenceRule| matches!(r.value, Some(Value::Number(_)));
    let missing = used.iter().filter(|n| !s.params.contains_key(**n));
    let idle = s.params.keys().filter(|n| !used.contains(n.as_str()));
    let vague = s.params.iter().filter(|(_, p)| p.why.is_empty() || p.unit.is_empty());
    let nameless = s.evidence.iter().filter(bare);
    missing
        .map(|n| format!("parameter \"${n}\" is not defined"))
        .chain(idle.map(|n| format!("parameter \"{n}\" is not used")))
        .chain(vague.map(|(n, _)| format!("parameter \"{n}\" has no unit or no reason")))
        .chain(nameless.map(|r| format!("the number of \"{}\" has no name in [params]", r.id)))
        .map(error)
        .collect()
}

/// Facts that a test binds when it is absent: events that are missing have none.
fn bound_when_absent(test: &matching::Test) -> &'static [&'static str] {
    match test.name {
        "blocking" | "contention" | "waits" | "session-holders" | "statements"
        | "open-transaction" | "event" | "undisturbed" => &[],
        "happened" => &["count"],
        "together" => &["edges", "count", "of", "callers", "callees"],
        "onset-after-event" => &["event", "event_kind", "event_at", "version", "lag"],
        _ => test.binds,
    }
}

/// Facts that every match binds: those of required evidence, of a group those of all its members.
fn always_bound(s: &SignatureFile) -> BTreeSet<&'static str> {
    let mut bound = BTreeSet::from(["subject"]);
    let mut groups: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for rule in s.evidence.iter().filter(|r| r.role == EvidenceRole::Required) {
        let Some(test) = matching::test(&rule.test) else { continue };
        let Some(group) = &rule.group else {
            bound.extend(test.binds);
            continue;
        };
        let common = groups.entry(group).or_insert_with(|| test.binds.iter().copied().collect());
        common.retain(|n| test.binds.contains(n));
    }
    bound.extend(groups.into_values().flatten());
    bound
}

fn templates_are_bound(s: &SignatureFile, _: &World) -> Vec<Finding> {
    let bound: Vec<&str> = always_bound(s).into_iter().collect();
    let t = &s.text;
    let lists = [&t.detection, &t.post_incident, &t.security, &t.false_positives];
    let prose =
        [&t.headline, &t.mechanism, &t.impact].into_iter().chain(lists.into_iter().flatten());
    let actions = s.mitigation.iter().flat_map(|m| {
        [Some(&m.say), m.command.as_ref(), m.on.as_ref(), m.effect.as_ref()].into_iter().flatten()
    });
    let questions = s.discriminator.iter().flat_map(|d| {
        [Some(&d.question), Some(&d.this), Some(&d.other), d.command.as_ref()].into_iter().flatten()
    });
    let mut found = Vec::new();
    let mut check = |place: String, text: &str, own: &[&str]| {
        for name in placeholders(text).iter().filter(|n| !own.contains(*n)) {
            found.push(error(format!("{place}: nothing required binds \"{{{name}}}\"")));
        }
    };
    for text in prose.chain(actions).chain(questions) {
        check(format!("\"{text:.30}…\""), text, &bound);
    }
    for rule in &s.evidence {
        let Some(test) = matching::test(&rule.test) else { continue };
        check(format!("say of \"{}\"", rule.id), &rule.say, &[&bound, test.binds].concat());
        // A missing fact would leave a `?` in the very text that says why something is innocent.
        let absent = rule.say_absent.as_deref().unwrap_or_default();
        let own = [bound_when_absent(test), &["subject"]].concat();
        check(format!("say_absent of \"{}\"", rule.id), absent, &own);
    }
    found
}

fn ties_exist(s: &SignatureFile, world: &World) -> Vec<Finding> {
    let known = |id: &str| world.catalog.signatures.iter().any(|o| o.signature.id == id);
    let related = s.signature.related.iter().map(|r| ("related", &r.id));
    let against = s.discriminator.iter().map(|d| ("discriminator", &d.against));
    related
        .chain(against)
        .filter(|(_, id)| !known(id) || **id == s.signature.id)
        .map(|(what, id)| error(format!("{what} names \"{id}\", which is no other signature")))
        .collect()
}

fn mimics_are_told_apart(s: &SignatureFile, world: &World) -> Vec<Finding> {
    let tells = |from: &str, to: &str| {
        let of = |o: &&SignatureFile| o.signature.id == from;
        let mut files = world.catalog.signatures.iter().filter(of);
        files.any(|o| o.discriminator.iter().any(|d| d.against == to))
    };
    let me = s.signature.id.as_str();
    let mimics = s.signature.related.iter().filter(|r| r.kind == Relation::Mimics);
    mimics
        .filter(|r| !tells(me, &r.id) && !tells(&r.id, me))
        .map(|r| error(format!("no discriminator tells it from \"{}\", which it mimics", r.id)))
        .collect()
}

fn decisive_may_refute(s: &SignatureFile, _: &World) -> Vec<Finding> {
    let decisive = s.evidence.iter().filter(|r| r.strength == Strength::Decisive);
    decisive
        .filter(|r| r.role != EvidenceRole::Refutes && r.if_absent == IfAbsent::Neutral)
        .map(|r| error(format!("\"{}\" is decisive: its absence must mean something", r.id)))
        .collect()
}

fn causes_need_symptoms(s: &SignatureFile, world: &World) -> Vec<Finding> {
    let is_cause = |source: &str| {
        let named = world.signals.named(source).map(|id| world.signals.get(id).role.as_str());
        let role = source.strip_prefix("role:").or(named).unwrap_or("");
        let role = role.split('@').next().unwrap_or(role);
        CAUSE_ROLES.split(' ').any(|r| r == role) || source == "events"
    };
    let mut required = s.evidence.iter().filter(|r| r.role == EvidenceRole::Required);
    let felt = required.any(|r| !is_cause(&r.source)) || s.signature.category == Category::Normal;
    unless(felt, "no required evidence is a symptom or a wait")
}

fn stable_is_tested(s: &SignatureFile, _: &World) -> Vec<Finding> {
    let enough = s.signature.status != Status::Stable || s.test.len() >= STABLE_TESTS;
    unless(enough, format!("stable with {} tests; {STABLE_TESTS} are needed", s.test.len()))
}

fn false_positives_named(s: &SignatureFile, _: &World) -> Vec<Finding> {
    let named = s.text.false_positives.iter().any(|f| !f.trim().is_empty());
    unless(named, "names no false positives")
}

fn dates_are_iso(s: &SignatureFile, _: &World) -> Vec<Finding> {
    let dates = [&s.signature.created, &s.signature.modified];
    let wrong = dates.into_iter().filter(|d| d.parse::<jiff::civil::Date>().is_err());
    wrong.map(|d| error(format!("\"{d}\" is no date (YYYY-MM-DD)"))).collect()
}

#[cfg(test)]
mod tests;
