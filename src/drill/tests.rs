//! Scoring and reading of commands; what needs recordings is in `tests/it/drill.rs`.

use super::command::{Command, duration, parse};
use super::score::{CATEGORIES, Guessed, Part, Score, brier, expected};
use super::{content, runbook, verbs, words};

#[test]
fn who_says_what_he_believes_scores_best() {
    for likely in (0..=100).map(|p| f64::from(p) / 100.0) {
        let honest = expected(likely, likely);
        for sure in (0..=100).map(|p| f64::from(p) / 100.0) {
            let gap = expected(sure, likely) - honest;
            // Strictly proper: the gap is the square of the distance.
            assert!((gap - (sure - likely).powi(2)).abs() < 1e-12, "{sure} where {likely}");
        }
    }
    assert_eq!((brier(1.0, true), brier(1.0, false)), (0.0, 1.0));
}

#[test]
fn points_add_up_to_100_and_never_fall_below_0() {
    assert_eq!(CATEGORIES.iter().map(|c| c.2).sum::<f64>(), 100.0);
    let mut s = Score::default();
    assert_eq!(s.total(), 100.0);
    for c in CATEGORIES {
        s.lose(c.0, 1000.0, "much");
    }
    let wrong = Guessed {
        component: "a".to_owned(),
        mechanism: "b".to_owned(),
        sure: 0.99,
        right: false,
        credit: 0.0,
    };
    s.guesses.push(wrong);
    (s.cause, s.helped) = (Some(0.0), Some(0.0));
    assert!((0.0..1.0).contains(&s.total()), "{}", s.total());
}

#[test]
fn looks_beyond_the_budget_cost_the_cause() {
    let mut s = Score::default();
    s.lose(Part::Economy, 30.0, "look");
    assert_eq!((s.points(Part::Economy), s.points(Part::Cause)), (0.0, 25.0));
    s.lose(Part::Economy, 300.0, "look");
    assert_eq!(s.points(Part::Cause), 15.0);
}

#[test]
fn lines_are_read_and_slips_are_named() {
    let guess = parse("guess db lock-x --sure 70% --pid 12").expect("it is one");
    let pid = Some(12);
    let (component, mechanism) = ("db".to_owned(), "lock-x".to_owned());
    assert_eq!(guess, Some(Command::Guess { component, mechanism, sure: Some(0.7), pid }));
    let unsaid = parse("guess a b").expect("how sure may be left out");
    assert!(matches!(unsaid, Some(Command::Guess { sure: None, .. })));
    assert_eq!(parse("  # a note"), Ok(None));
    assert_eq!(parse("give up"), Ok(Some(Command::GiveUp)));
    assert!(parse("loook a").expect_err("a slip").contains("did you mean `look`"));
    for bad in
        ["guess a", "guess a b --sure 100", "guess a b --sure x", "wait soon", "look", "look a b"]
    {
        assert!(parse(bad).is_err(), "{bad}");
    }
}

#[test]
fn durations_are_read() {
    let seconds = |t: &str| duration(t).map(|d| d / 1_000_000);
    assert_eq!(["30", "30s", "5m", "2h", "1d"].map(seconds), [30, 30, 300, 7200, 86_400].map(Some));
    assert_eq!(["", "0", "-5", "5y", "99999999999999999999", "1e9d"].map(seconds), [None; 6]);
}

#[test]
fn every_built_in_drill_is_sound() {
    let all = content::built_in().expect("every file parses");
    let ids: std::collections::BTreeSet<&str> = all.iter().map(|d| d.drill.id.as_str()).collect();
    assert_eq!(ids.len(), all.len(), "an id stands once");
    for d in &all {
        let id = &d.drill.id;
        assert!(d.hint.len() >= 3 && !d.lesson.is_empty(), "{id}: three hints and a lesson");
        // A scenario holds its decoys itself, under the names that its seed gives them.
        assert!(!d.decoy.is_empty() || d.drill.scenario.is_some(), "{id}: a decoy");
        assert!(!d.drill.summary.is_empty(), "{id}: a summary");
        for a in &d.action {
            assert!(verbs::verb(&a.act).is_ok() || d.drill.scenario.is_some(), "{id}: {}", a.act);
        }
    }
}

#[test]
fn a_defective_drill_is_named_by_line() {
    let e = content::parse("x.toml", "schema = 1\n[drill]\nid = \"a\"\nwhat = 1\n");
    assert!(e.expect_err("an unknown key").to_string().starts_with("x.toml:"));
}

/// Every sentence of a signature that a drill shows without its facts.
fn sentences(s: &crate::catalog::SignatureFile) -> Vec<&str> {
    let text = &s.text;
    let mut all: Vec<&str> = vec![&text.mechanism, &text.impact];
    all.extend(text.post_incident.iter().chain(&text.security).map(String::as_str));
    all.extend(s.mitigation.iter().map(|m| m.say.as_str()));
    for d in &s.discriminator {
        all.extend([d.question.as_str(), &d.this, &d.other]);
    }
    all
}

#[test]
fn no_place_for_a_fact_is_left_open() {
    let catalog = crate::catalog::Catalog::built_in().expect("the catalogue is sound");
    let mut places = 0;
    for s in &catalog.signatures {
        for say in sentences(s) {
            let id = &s.signature.id;
            for rest in say.split('{').skip(1) {
                let fact = rest.split('}').next().unwrap_or_default();
                assert!(
                    runbook::noun(fact).is_some(),
                    "{id}: nothing stands for {{{fact}}}: {say}"
                );
                places += 1;
            }
            let shown = runbook::plain(say);
            // `SELECT … FOR UPDATE` leaves something out by itself.
            let left_out = |text: &str| text.matches('…').count();
            let whole = left_out(&shown) == left_out(say);
            assert!(whole && !shown.contains(['{', '}']), "{id}: {shown}");
        }
    }
    assert!(places > 100, "only {places} places");
    for d in content::built_in().expect("every file parses") {
        let told = d.hint.iter().map(|h| &h.say).chain(d.clue.iter().map(|c| &c.say));
        let told = told.chain(d.decoy.iter().map(|d| &d.why)).chain(&d.lesson);
        for say in told.chain(d.action.iter().map(|a| &a.say)).chain([&d.drill.summary]) {
            let open = say.contains(['{', '}']);
            assert!(!open && !say.trim().is_empty(), "{}: {say}", d.drill.id);
        }
    }
}

#[test]
fn runs_of_numbered_names_are_short() {
    let all: Vec<String> = (0..10).map(|n| format!("shard-{n}")).chain(["cart".into()]).collect();
    assert_eq!(words::together(&all), "shard-0 to shard-9, cart");
    assert_eq!(words::together(&["a-1", "a-2", "b-3", "b-5"]), "a-1, a-2, b-3, b-5");
    assert_eq!(words::together::<&str>(&[]), "");
}

#[test]
fn no_two_series_of_a_component_have_one_title() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/incidents");
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).expect("fixtures are there") {
        let path = entry.expect("it is readable").path();
        let raw = crate::ingest::read_folder(&path, &Default::default()).expect("it is readable");
        let mut t = crate::normalize::normalize(raw).expect("it is readable");
        let rollups = crate::rollup::roll_up(&mut t);
        let all: Vec<&crate::rollup::SignalSeries> =
            rollups.series.iter().filter(|s| !s.points.is_empty()).collect();
        let title = |s: &crate::rollup::SignalSeries| {
            format!("{} {}", words::subject(&t, s.subject), words::signal(&t, s))
        };
        let mut titles = std::collections::BTreeMap::new();
        for (title, s) in words::titled(&all, title) {
            let other = titles.insert((s.subject, title.clone()), s.source.series.clone());
            assert_eq!(other, None, "{}: {title}: {}", path.display(), s.source.series);
            seen += 1;
        }
    }
    assert!(seen > 5_000, "only {seen} series");
}
