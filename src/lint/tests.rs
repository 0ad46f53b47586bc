//! Every rule with a defect that it must find.

use super::*;
use crate::catalog::fixtures::Truth;
use crate::catalog::parse;

const GOOD: &str = r#"schema = 1
signature = { id = "slow-callee", code = "X-1", revision = 1, title = "t", status = "test",
  severity = "low", category = "overload", subject = ["service"], role = "cause", prior = "usual",
  created = "2026-01-02", modified = "2026-01-03", related = [{ id = "other", type = "mimics" }] }
text = { headline = "{subject} {during}", mechanism = "m", impact = "i", false_positives = ["f"],
  detection = ["d"], post_incident = ["p"] }
params = { least = { value = 2, unit = "ratio", why = "w" } }
evidence = [{ id = "slow", on = "subject", source = "role:latency@server", test = "shift-up",
  value = "$least", role = "required", strength = "decisive", if_absent = "refutes", say = "s" }]
mitigation = [{ kind = "now", say = "n" }, { kind = "recover", say = "r" },
  { kind = "prevent", say = "p" }]
discriminator = [{ against = "other", question = "q", this = "t", other = "o", cost = "c" }]
test = [{ name = "hit", fixture = "a", expect = "match", rank = 1 },
  { name = "miss", fixture = "b", expect = "no-match" }]
"#;

/// The fixtures of GOOD: in `a` it is true, in `b` another one; `h` is healthy, `x` a format.
fn label(name: &str) -> Label {
    let list = |ids: &[&str]| ids.iter().map(|i| (*i).to_owned()).collect::<Vec<String>>();
    let truth = |verdict: &str, signature: &[&str], not: &[&str]| Truth {
        verdict: verdict.to_owned(),
        entity: Vec::new(),
        signature: list(signature),
        not: list(not),
        onset: None,
        end: None,
        notes: String::new(),
    };
    let labelled = |truth, unfilled, recorded| Label::Labelled { truth, unfilled, recorded };
    match name {
        "a" => labelled(truth("incident", &["slow-callee", "other"], &[]), 0, true),
        "b" => labelled(truth("incident", &[], &["slow-callee", "other"]), 0, true),
        "h" => labelled(truth("healthy", &[], &[]), 0, true),
        "unknown" => labelled(truth("incident", &["slow-callee", "slow-calee"], &[]), 0, true),
        "unfilled" => labelled(truth("incident", &["slow-callee"], &[]), 3, true),
        "empty" => labelled(truth("incident", &["slow-callee"], &[]), 0, false),
        "defective" => Label::Defective("truth.toml:3:1: unknown field".to_owned()),
        "x" => Label::Unlabelled,
        _ => Label::Missing,
    }
}

fn catalog(files: &[(&str, &str)]) -> Catalog {
    let file = |(name, text): &(&str, &str)| {
        parse(&format!("signatures/overload/{name}.toml"), text)
            .unwrap_or_else(|e| panic!("{e}: {text}"))
    };
    Catalog { signatures: files.iter().map(file).collect(), hash: String::new() }
}

/// GOOD, changed as told, beside a second signature "other".
fn changed(from: &str, to: &str) -> Catalog {
    assert!(GOOD.contains(from), "{from}");
    let other = GOOD.replace("\"other\"", "\"slow-callee\"").replace("X-1", "X-2");
    let other = other.replacen("slow-callee", "other", 1);
    catalog(&[("other", &other), ("slow-callee", &GOOD.replacen(from, to, 1))])
}

/// What one rule says about the changed signature.
fn said(rule: &str, catalog: &Catalog) -> Vec<Finding> {
    let signals = SignalTable::built_in().expect("the signal table is valid");
    let world = World { catalog, signals, label: &label };
    let found = RULES.iter().find(|(what, _)| *what == rule);
    let (_, run) = found.unwrap_or_else(|| panic!("no rule \"{rule}\""));
    let own = catalog.signatures.last().expect("there is one");
    run(own, &world)
}

#[test]
fn a_sound_catalogue_has_no_findings() {
    assert_eq!(lint(&changed("schema", "schema"), &label).expect("runs"), []);
    assert_eq!(tested(&changed("schema", "schema")), [2, 2, 2]);
}

/// Rule, what is changed into what, and what is said: a `?` in front marks a warning.
const DEFECTS: &[(&str, &str, &str, &str)] = &[
    (
        "the id is the file's stem and the category its folder",
        "id = \"slow-callee\"",
        "id = \"slow\"",
        "ask for overload/slow.toml",
    ),
    (
        "the id is the file's stem and the category its folder",
        "\"overload\"",
        "\"leak\"",
        "ask for leak/slow-callee.toml",
    ),
    ("ids and codes are unique", "X-1", "x-2", "is also in"),
    ("ids and codes are unique", "id = \"slow-callee\"", "id = \"other\"", "is also in"),
    (
        "ids and codes are unique",
        "evidence = [",
        "evidence = [{ id = \"slow\", on = \"subject\", source = \"role:cpu\", test = \"shift-up\", \
         role = \"supports\", strength = \"weak\", say = \"s\" }, ",
        "there twice",
    ),
    (
        "sources are signals, roles or facts",
        "role:latency@server",
        "role:speed",
        "cannot read \"role:speed\"",
    ),
    (
        "sources are signals, roles or facts",
        "role:latency@server",
        "http.server.sped",
        "cannot read \"http.server.sped\"",
    ),
    (
        "sources are signals, roles or facts",
        "params =",
        "requires = { all = [\"sonar\"] }\nparams =",
        "requires \"sonar\"",
    ),
    (
        "tests and their conditions exist",
        "\"shift-up\"",
        "\"shift-pu\"",
        "did you mean \"shift-up\"",
    ),
    (
        "tests and their conditions exist",
        "say =",
        "where = { pid = \"7\" }, say =",
        "where knows no \"pid\"",
    ),
    (
        "parameters that are used exist and those that exist are used",
        "$least",
        "$most",
        "\"$most\" is not defined",
    ),
    (
        "parameters that are used exist and those that exist are used",
        "$least",
        "$most",
        "\"least\" is not used",
    ),
    (
        "parameters that are used exist and those that exist are used",
        "\"$least\"",
        "2",
        "has no name",
    ),
    (
        "parameters that are used exist and those that exist are used",
        "why = \"w\"",
        "why = \"\"",
        "no reason",
    ),
    ("templates name bound facts only", "{during}", "{pid}", "nothing required binds \"{pid}\""),
    ("templates name bound facts only", "say = \"n\"", "say = \"{pid}\"", "binds \"{pid}\""),
    ("ties lead to signatures", "against = \"other\"", "against = \"none\"", "no other signature"),
    ("ties lead to signatures", "{ id = \"other\"", "{ id = \"none\"", "no other signature"),
    (
        "decisive evidence says what its absence means",
        "if_absent = \"refutes\", ",
        "",
        "its absence must mean something",
    ),
    (
        "some required evidence is a symptom or a wait",
        "role:latency@server",
        "role:cpu",
        "symptom or a wait",
    ),
    (
        "fixtures exist, with a hit and a near miss",
        "fixture = \"a\"",
        "fixture = \"c\"",
        "fixture c",
    ),
    (
        "fixtures exist, with a hit and a near miss",
        "\"no-match\"",
        "\"match\"",
        "near miss (no-match) (2 hits, 0 near misses)",
    ),
    (
        "fixtures exist, with a hit and a near miss",
        "\"match\"",
        "\"no-match\"",
        "expects a match (0 hits, 2 near misses)",
    ),
    (
        "fixtures are labelled and recorded",
        "fixture = \"a\"",
        "fixture = \"unfilled\"",
        "has 3 lines to be filled in",
    ),
    (
        "fixtures are labelled and recorded",
        "fixture = \"a\"",
        "fixture = \"empty\"",
        "holds no recording",
    ),
    (
        "fixtures are labelled and recorded",
        "fixture = \"a\"",
        "fixture = \"defective\"",
        "unknown field",
    ),
    (
        "labels of fixtures agree with the tests and name signatures",
        "fixture = \"a\"",
        "fixture = \"b\"",
        "label does not name it",
    ),
    (
        "labels of fixtures agree with the tests and name signatures",
        "fixture = \"b\"",
        "fixture = \"a\"",
        "whose label names it",
    ),
    (
        "labels of fixtures agree with the tests and name signatures",
        "fixture = \"a\"",
        "fixture = \"h\"",
        "where nothing is wrong",
    ),
    (
        "labels of fixtures agree with the tests and name signatures",
        "fixture = \"a\"",
        "fixture = \"unknown\"",
        "did you mean \"slow-callee\"?",
    ),
    ("nothing is left to be filled in", "impact = \"i\"", "impact = \"FILL IN: i\"", "impact is"),
    ("nothing is left to be filled in", "say = \"s\"", "say = \"FILL IN\"", "say of \"slow\" is"),
    ("the runbook is whole", "detection = [\"d\"]", "detection = []", "what to alert on"),
    ("the runbook is whole", "kind = \"now\"", "kind = \"confirm\"", "an immediate action"),
    ("the runbook is whole", "kind = \"recover\"", "kind = \"now\"", "a recovery step"),
    ("the runbook is whole", "kind = \"prevent\"", "kind = \"now\"", "a lasting remedy"),
    ("the runbook is whole", "post_incident = [\"p\"]", "post_incident = []", "for the review"),
    (
        "what may let somebody in has a security check",
        "mechanism = \"m\"",
        "mechanism = \"It takes the fallback.\"",
        "?about a fallback",
    ),
    (
        "checks only read",
        "cost = \"c\"",
        "cost = \"c\", command = \"SELECT pg_terminate_backend(1)\"",
        "changes something",
    ),
    (
        "checks only read",
        "cost = \"c\"",
        "cost = \"c\", command = \"uptime; sudo kill 1\"",
        "changes something",
    ),
    (
        "checks only read",
        "cost = \"c\"",
        "cost = \"c\", command = \"kubectl delete pod x\"",
        "changes something",
    ),
    (
        "checks only read",
        "cost = \"c\"",
        "cost = \"c\", command = \"kubectl rollout undo deploy x\"",
        "changes something",
    ),
    (
        "headlines claim what evidence looks at",
        "{subject} {during}",
        "the disk of {subject} is slow",
        "?speaks of \"disk\"",
    ),
    ("stable signatures have four tests", "\"test\"", "\"stable\"", "4 are needed"),
    ("false positives are named", "[\"f\"]", "[]", "false positives"),
    ("dates are ISO dates", "2026-01-02", "2026-13-02", "is no date"),
];

#[test]
fn every_rule_finds_its_defect() {
    for (rule, from, to, what) in DEFECTS {
        let found = said(rule, &changed(from, to));
        let (warns, what) = (what.starts_with('?'), what.trim_start_matches('?'));
        let hit = |(message, warning): &Finding| *warning == warns && message.contains(what);
        assert!(found.iter().any(hit), "{rule}: {what}: {found:?}");
        assert_eq!(said(rule, &changed("schema", "schema")), [], "{rule} has nothing to say");
    }
}

#[test]
fn every_rule_has_a_defect_here() {
    let tied = ["every look-alike has a discriminator", "no signature specialises itself"];
    let tested = |rule: &str| DEFECTS.iter().any(|d| d.0 == rule) || tied.contains(&rule);
    let without: Vec<&str> = RULES.iter().map(|r| r.0).filter(|r| !tested(r)).collect();
    assert!(without.is_empty(), "{without:?}");
}

#[test]
fn a_look_alike_without_a_discriminator_on_either_side_is_a_defect() {
    let rule = "every look-alike has a discriminator";
    let alone = GOOD.replace("against = \"other\"", "against = \"third\"");
    let found = said(rule, &catalog(&[("slow-callee", &alone)]));
    assert!(found.iter().any(|f| !f.1 && f.0.contains("no discriminator")), "{found:?}");
    // One direction is enough.
    assert_eq!(said(rule, &changed("against = \"other\"", "against = \"third\"")), []);
}

#[test]
fn a_circle_of_specialised_forms_is_a_defect() {
    let form = GOOD.replace("mimics", "specialises");
    let other = form.replace("\"other\"", "\"slow-callee\"").replacen("slow-callee", "other", 1);
    let circle = catalog(&[("other", &other), ("slow-callee", &form)]);
    let found = said("no signature specialises itself", &circle);
    assert!(found.iter().any(|f| f.0.contains("by a circle")), "{found:?}");
    let chain = catalog(&[("other", &GOOD.replacen("slow-callee", "other", 1)), ("s", &form)]);
    assert_eq!(said("no signature specialises itself", &chain), []);
}

#[test]
fn commands_that_only_look_are_no_defect() {
    let looks = [
        "SELECT pid FROM pg_stat_activity WHERE query ILIKE 'DELETE%'",
        "kubectl get pods | grep -i restart",
        "redis-cli info stats",
        "kubectl rollout status deploy x",
        "systemctl status nginx",
        "ss -tan state established",
    ];
    for command in looks {
        let with = format!("cost = \"c\", command = \"{command}\"");
        assert_eq!(said("checks only read", &changed("cost = \"c\"", &with)), [], "{command}");
    }
}

#[test]
fn experimental_signatures_may_lack_fixtures_with_a_warning() {
    let lacking = changed("fixture = \"a\"", "fixture = \"c\"");
    let mut catalog = lacking;
    for s in &mut catalog.signatures {
        s.signature.status = Status::Experimental;
    }
    let found = said("fixtures exist, with a hit and a near miss", &catalog);
    assert!(!found.is_empty() && found.iter().all(|f| f.1), "{found:?}");
}

#[test]
fn a_fixture_without_a_label_outside_the_labelled_folders_is_fine() {
    let catalog = changed("fixture = \"b\"", "fixture = \"x\"");
    assert_eq!(lint(&catalog, &label).expect("runs"), []);
}

#[test]
fn the_built_in_catalogue_is_sound() {
    let catalog = Catalog::built_in().expect("parses");
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let labels = |f: &str| crate::catalog::fixtures::label(root, f);
    let found = lint(&catalog, &labels).expect("the signal table is valid");
    let broken: Vec<&LintError> = found.iter().filter(|e| !e.warning).collect();
    assert!(broken.is_empty(), "{broken:#?}");
}
