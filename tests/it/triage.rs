//! The interactive view without a terminal: keys in, state and drawn screens out.

use super::support::{Scratch, fixture, rootline};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use rootline::diagnosis::{Diagnosis, TriageNotes};
use rootline::triage::{App, Effect, Mode, Pane, View, draw, remaining};
use std::collections::BTreeMap;
use std::sync::OnceLock;

fn diagnosis() -> &'static Diagnosis {
    static MADE: OnceLock<Diagnosis> = OnceLock::new();
    MADE.get_or_init(|| {
        let folder = fixture("incidents/pool-exhaustion");
        rootline::diagnose(&folder, &rootline::Options::default()).expect("the fixture is readable")
    })
}

fn app() -> App<'static> {
    App::new(diagnosis(), false, false)
}

/// What a terminal of a size shows.
fn screen(app: &mut App, width: u16, height: u16) -> String {
    app.size = (width, height);
    let mut terminal =
        Terminal::new(TestBackend::new(width, height)).expect("a test backend opens");
    terminal.draw(|frame| draw(frame, app)).expect("a test backend draws");
    let cells = terminal.backend().buffer().content().chunks(usize::from(width));
    let lines = cells.map(|row| row.iter().map(|c| c.symbol()).collect::<String>());
    lines.map(|l| l.trim_end().to_owned() + "\n").collect()
}

fn press(app: &mut App, code: KeyCode) -> Effect {
    app.key(KeyEvent::new(code, KeyModifiers::NONE))
}

/// Types characters; gives the effect of the last one.
fn keys(app: &mut App, text: &str) -> Effect {
    text.chars().map(|c| press(app, KeyCode::Char(c))).last().unwrap_or(Effect::None)
}

fn check(name: &str, screen: &str) {
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!(name, screen);
    });
}

#[test]
fn it_opens_on_the_hypotheses_in_the_middle_of_the_incident() {
    let mut app = app();
    check("triage_80x24", &screen(&mut app, 80, 24));
    check("triage_160x50", &screen(&mut app, 160, 50));
    app.ascii = true;
    let ascii = screen(&mut app, 80, 24);
    assert!(ascii.is_ascii(), "{ascii}");
}

#[test]
fn every_pane_fits_eighty_by_twenty_four() {
    let mut app = app();
    for (key, pane) in [('3', "graph"), ('4', "sessions"), ('5', "timeline")] {
        keys(&mut app, &key.to_string());
        check(&format!("triage_80x24_{pane}"), &screen(&mut app, 80, 24));
    }
    keys(&mut app, "?");
    check("triage_80x24_keys", &screen(&mut app, 80, 24));
}

#[test]
fn any_size_is_drawn_without_panic() {
    for (width, height) in [(1, 1), (20, 5), (40, 12), (79, 23), (120, 34), (300, 90)] {
        let mut app = app();
        for key in ["1", "2", "3", "4", "5", "?"] {
            keys(&mut app, key);
            screen(&mut app, width, height);
        }
    }
}

#[test]
fn everything_shows_the_instant_of_the_cursor() {
    let mut app = app();
    press(&mut app, KeyCode::Home);
    let before = screen(&mut app, 160, 50);
    assert!(before.contains("before the incident"), "{before}");
    keys(&mut app, "LLLLLLL");
    let during = screen(&mut app, 160, 50);
    assert!(during.contains("into the incident"), "{during}");
    // Evidence, graph, sessions and timeline: each pane has another picture of this instant.
    for pane in [Pane::Evidence, Pane::Graph, Pane::Sessions, Pane::Timeline] {
        let of = |screen: &str| {
            let lines = screen.lines().skip_while(|l| !l.contains(pane.word()));
            lines.skip(1).take(6).map(str::to_owned).collect::<Vec<_>>()
        };
        assert_ne!(of(&before), of(&during), "{pane:?}");
    }
    press(&mut app, KeyCode::End);
    press(&mut app, KeyCode::Right);
    assert_eq!(app.cursor, app.axis.to);
    assert!(screen(&mut app, 80, 24).contains("after the incident"));
}

#[test]
fn brackets_go_from_moment_to_moment() {
    let mut app = app();
    press(&mut app, KeyCode::Home);
    let mut seen = vec![];
    while app.message.is_none() {
        seen.push(app.cursor);
        keys(&mut app, "]");
    }
    assert!(seen.is_sorted() && seen.len() > 5, "{seen:?}");
    assert!(
        diagnosis().timeline.iter().all(|m| seen.contains(&m.at.clamp(app.axis.from, app.axis.to)))
    );
    keys(&mut app, "[");
    assert_eq!(Some(&app.cursor), seen.iter().rev().nth(1));
}

#[test]
fn enter_drills_in_and_escape_comes_back() {
    let mut app = app();
    for (key, word) in
        [("1", "SCORE"), ("2", "weight:"), ("3", "edges"), ("4", "blocked"), ("5", "cursor stands")]
    {
        keys(&mut app, key);
        press(&mut app, KeyCode::Enter);
        let Mode::Read { view, .. } = app.mode.clone() else { panic!("{key} opens nothing") };
        let text = view.lines(&app, 76).join("\n");
        assert!(text.contains(word), "{key}: {text}");
        press(&mut app, KeyCode::End);
        screen(&mut app, 80, 24);
        press(&mut app, KeyCode::Esc);
        assert_eq!(app.mode, Mode::Browse);
    }
}

#[test]
fn a_filter_leaves_what_contains_it() {
    let mut app = app();
    keys(&mut app, "1/replica-lag");
    press(&mut app, KeyCode::Enter);
    assert!(
        app.hypothesis().is_some_and(|h| h.id == "H2"),
        "{:?}",
        app.hypothesis().map(|h| &h.id)
    );
    let shown = screen(&mut app, 80, 24);
    assert!(shown.contains("/replica-lag/") && !shown.contains("retry-storm"), "{shown}");
    keys(&mut app, "/zzz");
    assert!(screen(&mut app, 80, 24).contains("nothing fits"));
    press(&mut app, KeyCode::Esc);
    assert!(app.filters.iter().all(String::is_empty));
}

#[test]
fn two_hypotheses_are_compared_term_by_term() {
    let mut app = app();
    keys(&mut app, "cjc");
    assert_eq!(app.mode, Mode::Read { view: View::Compare(1, 0), top: 0 });
    let text = View::Compare(1, 0).lines(&app, 76).join("\n");
    for word in ["H2", "H1", "WHAT SEPARATES THEM", "CHECKS THAT WOULD TELL"] {
        assert!(text.contains(word), "{word}: {text}");
    }
    assert!(text.lines().next().is_some_and(|l| l.contains("H2")), "{text}");
}

#[test]
fn a_rejection_needs_a_reason_and_the_ranking_follows() {
    let mut app = app();
    keys(&mut app, "x");
    press(&mut app, KeyCode::Enter);
    assert!(app.rejected.is_empty() && matches!(app.mode, Mode::Reject(_)));
    keys(&mut app, "pid 13305 had ended");
    press(&mut app, KeyCode::Enter);
    let shown = screen(&mut app, 160, 50);
    assert!(shown.contains("no new evidence"), "what was likely is gone, and it says so: {shown}");
    let listed = |shown: &str| shown.lines().position(|l| l.contains("H1 ") && l.contains(" out "));
    let second = shown.lines().position(|l| l.contains("H2 "));
    assert!(second < listed(&shown), "what is rejected goes to the end: {shown}");
    assert!(shown.starts_with(" YOU REJECTED what was CONFIRMED"), "{shown}");
    let p: Vec<f64> = diagnosis().hypotheses.iter().map(|h| h.probability).collect();
    let left = app.remaining();
    assert_eq!(left.shares[0], None);
    let second = left.shares[1].expect("H2 is left");
    assert!((second - p[1] / (1.0 - p[0])).abs() < 1e-9, "{second}");
    let sum: f64 = left.shares.iter().flatten().sum::<f64>() + left.none;
    assert!((sum - 1.0).abs() < 1e-9, "{sum}");
    keys(&mut app, "x");
    assert!(app.rejected.is_empty(), "the same key takes it back");
}

#[test]
fn rejecting_everything_says_that_nothing_is_left() {
    let d = diagnosis();
    let all: BTreeMap<String, String> =
        d.hypotheses.iter().map(|h| (h.id.clone(), "no".to_owned())).collect();
    let left = remaining(d, &all);
    assert!(left.shares.iter().all(Option::is_none));
    assert!(left.caution(all.len()).is_some_and(|c| c.contains("all rejected")));
    assert_eq!(remaining(d, &BTreeMap::new()).caution(0), None);
}

#[test]
fn a_command_is_copied_and_shown_whole() {
    let mut app = app();
    let Effect::Copy(command) = keys(&mut app, "y") else { panic!("nothing was copied") };
    assert!(command.starts_with("SELECT pg_cancel_backend(13305)"), "{command}");
    let joined: String = screen(&mut app, 80, 24).split(['┃', '\n', ' ']).collect();
    assert!(joined.contains(&command.replace(' ', "")), "{joined}");
    assert!(joined.contains("Itwasnotrun."), "{joined}");
}

#[test]
fn notes_come_back_as_they_were() {
    let mut app = app();
    keys(&mut app, "jxstandby was \"fine\" = no lag");
    press(&mut app, KeyCode::Enter);
    assert_eq!(keys(&mut app, "e"), Effect::Export);
    let notes = app.notes();
    let read = TriageNotes::parse(&notes.to_toml()).expect("it reads what it writes");
    assert_eq!(read, notes);
    assert!(read.belong_to(diagnosis()) && read.rejected[0].hypothesis == "H2");
    let mut again = App::new(diagnosis(), false, false);
    assert_eq!(again.resume(&read), 1);
    assert_eq!(again.rejected, app.rejected);
    assert!(TriageNotes::parse("schema = 9").is_err());
    assert!(TriageNotes::parse("rejected = 3").is_err());
}

#[test]
fn control_c_leaves_from_everywhere() {
    for before in ["", "/ab", "xwhy", "?"] {
        let mut app = app();
        keys(&mut app, before);
        assert_eq!(app.key(KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL)), Effect::Quit);
    }
    assert_eq!(keys(&mut app(), "q"), Effect::Quit);
}

#[test]
fn without_a_terminal_it_says_what_to_use_instead() {
    let run = rootline(&["triage", "fixtures/incidents/pool-exhaustion"]);
    assert_eq!((run.code, run.out.as_str()), (2, ""), "{}", run.err);
    assert!(run.err.contains("no terminal") && run.err.contains("hint: "), "{}", run.err);
    let scratch = Scratch::new();
    let run = rootline(&["triage", &scratch.arg()]);
    assert!(run.err.contains("no terminal"), "{}", run.err);
}

#[test]
fn the_graph_grows_from_the_entity_of_the_selected_hypothesis() {
    let mut app = app();
    keys(&mut app, "3");
    let shown = screen(&mut app, 160, 50);
    let at = |what: &str| shown.lines().position(|l| l.contains(what)).expect(what);
    let root = at("● pg-replica, cause");
    let caller = at("└ catalog calls it, victim");
    assert!(root < caller && caller < at("└ gateway calls it, victim"), "{shown}");
    let nodes = diagnosis().pages.graph.nodes.len();
    assert!(shown.contains(&format!("3 Graph ({nodes})")), "each entity stands once: {shown}");
}

#[test]
fn any_diagnosis_can_be_looked_into() {
    for folder in ["healthy/healthy-peak", "incidents/stale-cache", "incidents/cache-stampede"] {
        let d = rootline::diagnose(&fixture(folder), &rootline::Options::default());
        let d = d.expect("a fixture is readable");
        let mut app = App::new(&d, true, true);
        for key in ["1", "2", "3", "4", "5"] {
            keys(&mut app, key);
            let shown = screen(&mut app, 80, 24);
            assert!(shown.is_ascii() && shown.contains(" now "), "{folder}: {shown}");
            press(&mut app, KeyCode::Enter);
            screen(&mut app, 80, 24);
            press(&mut app, KeyCode::Esc);
        }
        assert!(matches!(keys(&mut app, "y"), Effect::Copy(_) | Effect::None));
    }
}

#[test]
fn a_review_takes_what_was_rejected_with_its_reason() {
    let mut app = app();
    keys(&mut app, "jxthe standby answered at once");
    press(&mut app, KeyCode::Enter);
    let notes = app.notes().to_toml();
    let other = notes.replace("incident = \"2026", "incident = \"1999");
    let files =
        [("n.toml", notes.as_bytes()), ("other.toml", other.as_bytes()), ("bad.toml", b"x")];
    let scratch = Scratch::with(&files);
    let report = |name: &str| {
        let notes = format!("{}/{name}", scratch.arg());
        let folder = "fixtures/incidents/pool-exhaustion";
        rootline(&["report", folder, "--template", "review", "--triage", &notes])
    };
    let run = report("n.toml");
    assert_eq!(run.code, 0, "{}", run.err);
    let said = run.out.lines().find(|l| l.contains("the standby answered at once"));
    assert!(said.is_some_and(|l| l.contains("[N1]") && l.contains("[H2]")), "{}", run.out);
    assert!(run.out.contains("[n1]: ") || run.out.contains("[N1]: #n1"), "{}", run.out);
    assert!(run.out.contains("n.toml"), "the appendix names the file: {}", run.out);
    let run = report("other.toml");
    assert!(run.code == 2 && run.err.contains("began at 1999"), "{}", run.err);
    let run = report("bad.toml");
    assert!(run.code == 2 && run.err.contains("hint: "), "{}", run.err);
}
