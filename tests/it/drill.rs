//! Drills: whole ones played from a script, nothing later than the clock, progress that is never
//! lost, scoring on recordings.

use super::support::{self, Scratch, finish, folders, program, root, rootline};
use rootline::Options;
use rootline::catalog::{Catalog, fixtures};
use rootline::drill::content::{self, DrillFile};
use rootline::drill::{Case, Game, Level, brier, cut, review};
use rootline::model::Micros;
use rootline::report::Style;
use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Stdio;
use std::sync::LazyLock;

/// Parsed once: there are hundreds of cases.
static DRILLS: LazyLock<Vec<DrillFile>> =
    LazyLock::new(|| content::built_in().expect("drills are sound"));

fn case(file: DrillFile, folder: &Path) -> Case {
    let truth = fixtures::truth(folder).expect("the fixture has a truth");
    let catalog = Catalog::built_in().expect("the catalogue is sound");
    let options = Options::default();
    let diagnosis = rootline::diagnose_with(folder, &catalog, &options).expect("it is readable");
    let raw = rootline::ingest::read_folder(folder, &Default::default()).expect("it is readable");
    let telemetry = rootline::normalize::normalize(raw).expect("it is readable");
    let place = folder.display().to_string();
    Case::new(file, place, telemetry, diagnosis, truth, catalog).expect("it can be drilled")
}

/// The drill of a recording, with its own text if it has one.
fn recorded(folder: &Path) -> Case {
    let name = support::name(folder);
    let own = DRILLS.iter().find(|d| d.drill.id == name).cloned();
    case(own.unwrap_or_else(|| content::of_folder(&name)), folder)
}

fn named(name: &str) -> Case {
    recorded(&support::fixture(&format!("incidents/{name}")))
}

/// Folders of incidents that have a cause.
fn incidents() -> Vec<std::path::PathBuf> {
    let has_cause = |f: &std::path::PathBuf| {
        !fixtures::truth(f).expect("every fixture has a truth").signature.is_empty()
    };
    folders("incidents").into_iter().filter(has_cause).collect()
}

const PLAIN: Style = Style {
    width: 100,
    color: false,
    ascii: false,
    verbosity: rootline::report::Verbosity::Normal,
    explain: false,
};

fn game<'a>(case: &'a Case, level: u8, style: Style) -> Game<'a> {
    let level = Level::of(level).expect("1 to 3");
    Game::new(case, (level, 1, false), style, None)
}

fn played(id: &str, args: &[&str]) -> String {
    let script = root().join(format!("tests/it/drills/{id}.txt"));
    let script = script.to_string_lossy();
    let run = rootline(&[&["drill", "start", id, "--script", &script], args].concat());
    assert_eq!(run.code, 0, "{}", run.err);
    run.out
}

/// The drill up to its score. What follows is the engine's ledger, which other tests hold.
fn until_score(text: &str) -> &str {
    let mark = "\n == THE ENGINE'S LEDGER";
    text.split(mark).next().expect("a text has a begin")
}

#[test]
fn whole_drills_are_played_from_scripts() {
    for id in ["pool-exhaustion", "retry-storm", "stale-cache"] {
        let text = played(id, &[]);
        assert!(text.contains("CORRECT") && text.contains(" == DEBRIEF"), "{text}");
        for part in ["ENGINE'S LEDGER", "SHORTEST PROOF", "DID NOT LOOK AT", "ACTIONS", "REVIEW"] {
            assert!(text.contains(part), "no {part} in {text}");
        }
        insta::assert_snapshot!(format!("drill-{id}"), until_score(&text));
    }
    let guided = played("pool-exhaustion", &["--level", "1"]);
    insta::assert_snapshot!("drill-guided", until_score(&guided));
    let raw = played("pool-exhaustion", &["--level", "3", "--width", "60"]);
    insta::assert_snapshot!("drill-raw-narrow", until_score(&raw));
}

#[test]
fn the_same_script_gives_the_same_bytes() {
    assert_eq!(played("retry-storm", &["--seed", "7"]), played("retry-storm", &["--seed", "7"]));
}

#[test]
fn a_screen_is_as_wide_as_it_says_and_ascii_is_ascii() {
    for (id, width) in [("pool-exhaustion", "60"), ("retry-storm", "100"), ("stale-cache", "40")] {
        let text = played(id, &["--width", width, "--ascii"]);
        assert!(text.is_ascii(), "{id}");
        let most = text.lines().map(|l| l.chars().count()).max().unwrap_or(0);
        // The line that was typed stands as it was typed.
        let typed = |l: &&str| l.starts_with("drill ");
        let wide = text.lines().filter(|l| !typed(l)).map(|l| l.chars().count()).max();
        assert!(wide <= width.parse().ok(), "{id}: {most} columns, not {width}");
    }
}

#[test]
fn colour_is_said_in_words_and_left_out_where_it_is_not_wanted() {
    let colored = played("pool-exhaustion", &["--color", "always"]);
    let plain = played("pool-exhaustion", &["--color", "never"]);
    assert!(colored.contains("\u{1b}[1;32mCORRECT"));
    let stripped = ["\u{1b}[1m", "\u{1b}[0m", "\u{1b}[1;31m", "\u{1b}[1;32m", "\u{1b}[1;33m"]
        .iter()
        .fold(colored, |text, code| text.replace(code, ""));
    assert_eq!(stripped, plain);
    let script = root().join("tests/it/drills/pool-exhaustion.txt");
    let args = ["drill", "start", "pool-exhaustion", "--script", &script.to_string_lossy()];
    let run = finish(program(&args).env("NO_COLOR", "1"));
    assert!(!run.out.contains('\u{1b}'));
}

/// Every time of the telemetry of a moment, and of what was made of it.
fn latest(i: &cut::Instant, cut: &rootline::telemetry::Telemetry) -> Option<Micros> {
    let samples = cut.samples.iter().flat_map(|s| s.iter().map(|p| p.0));
    let spans = cut.spans.end.iter().chain(&cut.spans.start).copied();
    let sessions = cut.sessions.iter().map(|(_, s)| s.at);
    let locks = cut.locks.iter().map(|(_, l)| l.at.unwrap_or(Micros::MAX));
    let logs = cut.logs.iter().map(|(_, l)| l.at);
    let events = cut.events.iter().map(|(_, e)| e.at);
    let points = i.rollups.series.iter().flat_map(|s| s.points.iter().map(|p| p.0));
    let rows = i.rollups.operations.iter().map(|r| r.t).chain(i.rollups.calls.iter().map(|c| c.t));
    let all = samples.chain(spans).chain(sessions).chain(locks).chain(logs).chain(events);
    all.chain(points).chain(rows).max()
}

#[test]
fn no_sample_span_session_or_event_later_than_now_is_left() {
    let mut checked = 0;
    for folder in incidents() {
        let raw = rootline::ingest::read_folder(&folder, &Default::default()).expect("readable");
        let whole = rootline::normalize::normalize(raw).expect("readable");
        let (first, last) = whole.extent.expect("it has times");
        for share in [0, 3, 7] {
            let now = first + (last - first) / 10 * share;
            let left = cut::until(&whole, now);
            let instant = cut::at(&whole, now);
            assert!(latest(&instant, &left) <= Some(now), "{} at {share}/10", folder.display());
            checked += left.samples.iter().map(|s| s.len()).sum::<usize>();
        }
    }
    assert!(checked > 100_000, "only {checked} samples were left to check");
}

/// Looks at everything there is, at a time.
fn look_at_all(case: &Case, level: u8) -> (String, Micros) {
    let mut game = game(case, level, PLAIN);
    let mut out = game.opening();
    let graph = &case.telemetry.graph;
    let mut lines: Vec<String> =
        graph.ids().map(|e| format!("look {}", graph.entity(e).name)).take(12).collect();
    for line in ["changes", "graph", "query e", "query latency", "traces", "sessions", "act"] {
        lines.push(line.to_owned());
    }
    for line in lines {
        out.push_str(&game.prompt());
        out.push_str(&game.execute(&line).text);
    }
    (out, game.now)
}

#[test]
fn what_comes_later_changes_nothing_that_is_shown() {
    for folder in incidents() {
        let mut case = recorded(&folder);
        for level in [1, 3] {
            let (whole, now) = look_at_all(&case, level);
            // The same drill where everything later never happened.
            let until = cut::until(&case.telemetry, now);
            let all = std::mem::replace(&mut case.telemetry, until);
            let (cut, again) = look_at_all(&case, level);
            case.telemetry = all;
            assert_eq!(now, again);
            assert_eq!(whole, cut, "{} at level {level}", folder.display());
        }
    }
}

#[test]
fn no_clock_time_on_the_screen_is_later_than_now() {
    let mut seen = 0;
    for folder in incidents() {
        let case = recorded(&folder);
        let mut game = game(&case, 2, PLAIN);
        game.opening();
        for line in ["changes", "look", "sessions", "traces", "query e"] {
            let entity = case.diagnosis.impact.first().map_or("x", |i| i.entity.name.as_str());
            let line = if line == "look" { format!("look {entity}") } else { line.to_owned() };
            let text = game.execute(&line).text;
            let now = rootline::time::clock(game.now);
            // What says when a stage opens is about the drill, not about the recording.
            for said in text.lines().filter(|l| !l.contains("open with stage")) {
                let words = said.split(|c: char| !(c.is_ascii_digit() || c == ':'));
                let clocks = words.filter(|w| w.len() == 8 && w.matches(':').count() == 2);
                for clock in clocks {
                    seen += 1;
                    assert!(clock <= now.as_str(), "{}: {said} at {now}", folder.display());
                }
            }
        }
    }
    assert!(seen > 100, "only {seen} times were seen");
}

#[test]
fn every_recorded_lab_is_a_drill_with_its_text() {
    let own: BTreeSet<String> = DRILLS.iter().filter_map(|d| d.drill.folder.clone()).collect();
    let mut real = 0;
    for folder in incidents() {
        let text = fs::read_to_string(folder.join("truth.toml")).expect("it is there");
        let name = format!("fixtures/incidents/{}", support::name(&folder));
        if text.contains("source = \"real\"") {
            real += 1;
            assert!(own.contains(&name), "{name} is no drill");
        }
    }
    assert!(real > 50 && own.iter().all(|f| root().join(f).is_dir()));
}

#[test]
fn every_drill_has_a_page_an_answer_and_an_action_that_helps() {
    let mut nothing_helps = Vec::new();
    for d in content::built_in().expect("drills are sound") {
        let Some(folder) = d.drill.folder.clone() else { continue };
        let id = d.drill.id.clone();
        let case = case(d, &root().join(folder));
        let plan = &case.plan;
        assert!(plan.paged >= plan.onset && plan.paged < plan.end, "{id}");
        assert!(plan.symptom.is_some() || case.file.pager.text.is_some(), "{id}: an empty page");
        let (entity, mechanism) = (&case.truth.entity[0], &case.truth.signature[0]);
        let mut right = game(&case, 1, PLAIN);
        // What is to blame may be seen a little later than the page.
        right.execute("wait 5s");
        let guess = format!("guess {} {mechanism} --sure 90", entity.replace(' ', "?"));
        let said = right.execute(&guess).text;
        let unknown = said.contains("no component") || said.contains("usage");
        assert!(said.contains("CORRECT") || unknown, "{id}: {said}");
        let targets = case.plan.chain.keys().map(|e| case.telemetry.graph.entity(*e).name.clone());
        let mut targets: Vec<String> = targets.chain(case.truth.entity.clone()).collect();
        targets.extend(plan.pid.map(|p| p.to_string()));
        let helps = rootline::drill::ACTIONS.iter().any(|verb| {
            targets.iter().any(|target| {
                let mut game = game(&case, 1, PLAIN);
                game.execute("wait 5s");
                game.execute(&format!("act {} {target}", verb.word)).text.contains("IT HELPS")
            })
        });
        if !helps {
            nothing_helps.push(id);
        }
    }
    // Only where the recorded incident had no remedy but to wait.
    assert_eq!(nothing_helps, ["retry-masked-errors"]);
}

#[test]
fn a_wrong_guess_is_worth_more_the_nearer_it_is() {
    let case = named("pool-exhaustion");
    let credit = |guess: &str| {
        let mut game = game(&case, 1, PLAIN);
        game.execute(&format!("guess {guess} --sure 60"));
        let g = game.score.guesses.first().expect("it was taken").clone();
        (g.credit, g.right)
    };
    let right = credit("pg-replica long-running-query-blocking");
    let place = credit("pg-replica lock-contention");
    let near = credit("catalog long-running-query-blocking");
    let far = credit("gateway long-running-query-blocking");
    let astray = credit("redis-cache cold-cache");
    assert_eq!(right, (1.0, true));
    assert!(right.0 > place.0 && place.0 > near.0 && near.0 > far.0 && far.0 > astray.0);
    assert!(!place.1 && !near.1 && astray.0 < 0.2, "{astray:?}");
}

#[test]
fn confidence_is_scored_as_it_was_said() {
    let case = named("pool-exhaustion");
    let mut game = game(&case, 1, PLAIN);
    game.execute("guess catalog pool-undersized --sure 70");
    game.execute("guess pg-replica long-running-query-blocking --sure 90");
    let mean = (brier(0.7, false) + brier(0.9, true)) / 2.0;
    assert_eq!(game.score.mean_brier(), Some(mean));
}

#[test]
fn what_cannot_be_done_costs_nothing() {
    let case = named("pool-exhaustion");
    let mut game = game(&case, 2, PLAIN);
    let (points, now) = (game.score.total(), game.now);
    for line in [
        "look nothing-like-it",
        "sessions",
        "query nothing-like-it",
        "act",
        "act roll-back",
        "guess a b",
        "guess gateway no-such-mechanism --sure 50",
        "act cancel 1",
        "act dance gateway",
        "frobnicate",
        "truth",
        "inject 1",
        "ask nobody",
        "done",
        "",
    ] {
        let reply = game.execute(line);
        assert!(!reply.over, "{line}");
        assert_eq!((game.score.total(), game.now), (points, now), "{line}: {}", reply.text);
    }
}

#[test]
fn time_only_goes_on_and_ends_with_the_recording() {
    let case = named("pool-exhaustion");
    let mut game = game(&case, 2, PLAIN);
    let mut last = game.now;
    for line in ["look gateway", "wait 10s", "wait 9d", "look gateway", "act cancel 13305"] {
        game.execute(line);
        assert!(game.now >= last && game.now <= case.plan.end, "{line}");
        last = game.now;
    }
    assert_eq!(last, case.plan.end);
}

/// Plays lines on standard input.
fn typed(state: &Scratch, args: &[&str], input: &str) -> support::Run {
    let state = state.arg();
    let mut command = program(&[args, &["--state-dir", &state]].concat());
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut pipe = child.stdin.take().expect("it is piped");
    // The program may end before it has read all.
    let _ = pipe.write_all(input.as_bytes());
    drop(pipe);
    let output = child.wait_with_output().expect("it ends");
    support::Run {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).expect("UTF-8"),
        err: String::from_utf8(output.stderr).expect("UTF-8"),
    }
}

#[test]
fn a_drill_that_is_left_goes_on_and_is_replayed() {
    let state = Scratch::new();
    let run = typed(&state, &["drill", "start", "pool-exhaustion"], "look gateway\nchanges\n");
    assert_eq!(run.code, 0, "{}", run.err);
    assert!(run.err.contains("drill resume 1") && !run.out.contains("p> "), "{}", run.err);
    let rest = "guess pg-replica long-running-query-blocking --sure 80 --pid 13305\n\
        act cancel 13305\ndone\n";
    let run = typed(&state, &["drill", "resume"], rest);
    assert!(run.out.contains(" == DEBRIEF"), "{}{}", run.out, run.err);
    let dir = state.arg();
    let scores = rootline(&["drill", "scores", "--state-dir", &dir]);
    assert!(
        scores.out.contains("found") && scores.out.contains("pool-exhaustion"),
        "{}",
        scores.out
    );
    let replay = rootline(&["drill", "replay", "1", "--state-dir", &dir]);
    assert!(replay.out.contains("p> look gateway") && replay.out.contains(" == DEBRIEF"));
    let sheet = rootline(&["drill", "export", "--md", "--state-dir", &dir]);
    assert!(sheet.out.starts_with("# Drill: Friday") && sheet.out.contains("```text"));
    let again = rootline(&["drill", "resume", "1", "--state-dir", &dir]);
    assert_eq!(again.code, 2, "{}", again.out);
}

#[test]
fn damaged_progress_is_named_and_never_overwritten() {
    let state = Scratch::with(&[("drills/0001.json", b"{ not json"), ("drills/0002.json", b"")]);
    let dir = state.arg();
    let scores = rootline(&["drill", "scores", "--state-dir", &dir]);
    assert_eq!(scores.code, 1);
    assert!(scores.err.contains("0001.json") && scores.err.contains("damaged"), "{}", scores.err);
    let run = rootline(&["drill", "replay", "1", "--state-dir", &dir]);
    assert!(run.code == 1 && run.err.contains("0001.json"), "{}", run.err);
    let run = typed(&state, &["drill", "start", "traffic-surge"], "look storefront\n");
    assert!(run.err.contains("kept as 3"), "{}", run.err);
    let kept = |name: &str| fs::read(state.path().join(name)).expect("it is there");
    assert_eq!(kept("drills/0001.json"), b"{ not json");
    assert_eq!(kept("drills/0002.json"), b"");
    let left: Vec<String> = support::files(state.path()).iter().map(|p| support::name(p)).collect();
    assert_eq!(left, ["0001.json", "0002.json", "0003.json"], "no part file is left");
}

#[test]
fn progress_lies_where_the_xdg_specification_says() {
    let home = Scratch::new();
    let start = |envs: &[(&str, String)]| {
        let mut command = program(&["drill", "start", "traffic-surge"]);
        for name in ["XDG_STATE_HOME", "HOME"] {
            command.env_remove(name);
        }
        finish(command.envs(envs.iter().map(|(k, v)| (*k, v.clone()))))
    };
    let there = |path: &str| home.path().join(path).is_file();
    let at = |path: &str| home.path().join(path).to_string_lossy().into_owned();
    assert_eq!(start(&[("XDG_STATE_HOME", at("state"))]).code, 0);
    assert!(there("state/rootline/drills/0001.json"));
    // A relative path is to be ignored.
    let envs = [("XDG_STATE_HOME", "state".to_owned()), ("HOME", at("home"))];
    assert_eq!(start(&envs).code, 0);
    assert!(there("home/.local/state/rootline/drills/0001.json"));
    // So is an empty one.
    let envs = [("XDG_STATE_HOME", String::new()), ("HOME", at("home"))];
    assert_eq!(start(&envs).code, 0);
    assert!(there("home/.local/state/rootline/drills/0002.json"));
    let none = start(&[]);
    assert!(none.code == 2 && none.err.contains("--state-dir"), "{}", none.err);
}

#[test]
fn two_drills_at_once_keep_both() {
    let state = Scratch::new();
    std::thread::scope(|s| {
        for _ in 0..3 {
            s.spawn(|| typed(&state, &["drill", "start", "traffic-surge"], "changes\n"));
        }
    });
    assert_eq!(support::files(state.path()).len(), 3);
}

#[test]
fn text_of_the_data_cannot_steer_the_terminal() {
    let evil = "evil\u{1b}]0;x\u{7}\u{202e}";
    let folder = Scratch::copy(&support::fixture("incidents/pool-exhaustion"), |_| false);
    let events = format!(
        "timestamp,kind,service,title,version\n2026-11-20T20:07:00Z,deploy,gateway,{evil},1\n"
    );
    folder.file("more/events.csv", events.as_bytes());
    let script =
        folder.file("script.txt", format!("changes\nlook {evil}\nask {evil}\n").as_bytes());
    let (folder, script) = (folder.arg(), script.to_string_lossy().into_owned());
    let run = rootline(&["drill", "start", &folder, "--script", &script]);
    assert_eq!(run.code, 0, "{}", run.err);
    assert!(run.out.contains("evil\\x1b"), "{}", run.out);
    assert!(!run.out.contains(['\u{1b}', '\u{7}', '\u{202e}']));
}

#[test]
fn any_folder_with_a_truth_can_be_drilled_and_no_other() {
    let run =
        rootline(&["drill", "start", "fixtures/incidents/bad-deploy", "--script", "/dev/null"]);
    assert!(run.code == 0 && run.out.contains("Two out of three"), "{}", run.err);
    let run =
        rootline(&["drill", "start", "fixtures/healthy/leader-failover", "--script", "/dev/null"]);
    assert!(run.code == 2 && run.err.contains("nothing to find"), "{}", run.err);
    let run = rootline(&["drill", "start", "pool-exhaustoin", "--script", "/dev/null"]);
    assert!(run.code == 2 && run.err.contains("pool-exhaustion"), "{}", run.err);
}

#[test]
fn a_review_is_checked_against_the_facts() {
    let case = named("pool-exhaustion");
    let good = "# Review\n\nRoot cause: long-running-query-blocking on pg-replica.\n\
        Began 2026-11-20T20:10:00Z, over 2026-11-20T20:13:00Z. Users of gateway felt it.\n\
        ## Contributing factors\n- no statement timeout\n## Detection\nBy alert.\n\
        ## Security\n- role of the report\n\
        | statement timeout | @dba | 2026-12-01 |\n| own replica | @data | 2026-12-08 |\n\
        | retry budget | @shop | 2026-12-08 |\n";
    let points = review::check(&case, good);
    assert!(points.iter().all(|p| p.met == review::Met::Yes), "{points:?}");
    let bad = "Root cause: bad-deploy of recommendation at 2026-11-20T18:00:00Z.\n";
    let wrong = review::check(&case, bad);
    let wrong = wrong.iter().filter(|p| p.met == review::Met::Wrong);
    let lines: Vec<Option<usize>> = wrong.map(|p| p.line).collect();
    assert_eq!(lines, [Some(1), Some(1)], "a time that is no fact, and a decoy that is blamed");
}

#[test]
fn the_draft_of_a_review_agrees_with_the_facts() {
    let scratch = Scratch::new();
    let review = scratch.path().join("review.md").to_string_lossy().into_owned();
    let folder = "fixtures/incidents/pool-exhaustion";
    let run = rootline(&["report", folder, "--template", "review", "-o", &review]);
    assert_eq!(run.code, 0, "{}", run.err);
    let run = rootline(&["drill", "check-review", &review, "pool-exhaustion"]);
    assert!(run.code == 0 && run.out.contains("0 wrong"), "{}", run.out);
    // What only people can fill in is still open.
    assert!(run.out.contains("missing"), "{}", run.out);
}

#[test]
fn the_schema_of_a_drill_fits_every_drill() {
    let run = rootline(&["schema", "--of", "drill"]);
    assert_eq!(run.code, 0, "{}", run.err);
    let validator = jsonschema::validator_for(&run.json()).expect("it is a schema");
    let mut files = support::files(&root().join("fixtures/drills"));
    files.retain(|f| f.extension().is_some_and(|e| e == "toml"));
    assert!(files.len() > 60);
    for path in files {
        let text = fs::read_to_string(&path).expect("UTF-8");
        let value: toml::Value = toml::from_str(&text).expect("TOML");
        let json = serde_json::to_value(value).expect("strings and numbers");
        assert!(validator.is_valid(&json), "{}", path.display());
    }
}

/// Telemetry of a run as it stands.
fn simulated(run: &rootline::simulate::Run) -> rootline::telemetry::Telemetry {
    let folder = Scratch::new();
    for file in run.telemetry(rootline::simulate::Without::default()) {
        folder.file(&file.path, &file.bytes);
    }
    let raw = rootline::ingest::read_folder(folder.path(), &Default::default()).expect("readable");
    rootline::normalize::normalize(raw).expect("readable")
}

/// Samples of each series by its name, of what had been recorded by a time.
fn past(t: &rootline::telemetry::Telemetry, now: Micros) -> Vec<(String, Vec<(Micros, f64)>)> {
    let cut = cut::until(t, now);
    let named = cut.series.iter().zip(cut.samples).filter(|(_, points)| !points.is_empty());
    let mut all: Vec<_> = named.map(|(s, points)| (s.shown.clone(), points.to_vec())).collect();
    all.sort_by(|a, b| a.0.cmp(&b.0));
    all
}

#[test]
fn an_action_on_a_simulation_changes_what_comes_and_not_what_was() {
    let scenario = rootline::simulate::named("cascade").expect("it is built in");
    let mut run = rootline::simulate::Run::new(&scenario, 3).expect("it is sound");
    run.advance(run.end_s() / 2.0);
    let now = simulated(&run).extent.expect("it has times").1;
    let mut acted = run.clone();
    let offer = acted.offers().into_iter().next_back().expect("something can be done");
    acted.act(&offer.action).expect("it was offered");
    for r in [&mut run, &mut acted] {
        r.advance(r.end_s());
    }
    let (nothing, done) = (simulated(&run), simulated(&acted));
    assert_eq!(past(&nothing, now), past(&done, now), "{}", offer.action);
    assert_ne!(past(&nothing, Micros::MAX), past(&done, Micros::MAX), "{}", offer.action);
}

#[test]
fn a_simulated_drill_is_played_to_its_end() {
    let state = Scratch::new();
    let lines = "look gateway\nact\nact cancel metabase\nwait 2m\nact dance\n\
        guess x y --sure 50\ngive up\n";
    let script = state.file("script.txt", lines.as_bytes());
    let script = script.to_string_lossy();
    let args = ["drill", "start", "sim-cascade", "--seed", "0", "--script", &script];
    let run = rootline(&args);
    assert_eq!(run.code, 0, "{}", run.err);
    for said in
        ["restart-rolling", "nothing at all: ", "your 1 action: ", "rootline simulate cascade"]
    {
        assert!(run.out.contains(said), "no {said:?} in {}", run.out);
    }
    assert_eq!(run.out, rootline(&args).out);
}

#[test]
fn a_surprise_does_not_tell_its_id() {
    let run = rootline(&["drill", "start", "surprise", "--seed", "11", "--script", "/dev/null"]);
    assert_eq!(run.code, 0, "{}", run.err);
    let opening = run.out;
    let all = content::built_in().expect("drills are sound");
    assert!(all.iter().any(|d| opening.contains(&d.drill.title)), "{opening}");
    assert!(
        !all.iter().any(|d| d.drill.id.len() > 12 && opening.contains(&d.drill.id)),
        "{opening}"
    );
}

/// What the terminal of a recording showed, without its control sequences and its first lines of
/// progress.
fn shown(cast: &str) -> String {
    let mut text = String::new();
    for line in cast.lines().skip(1) {
        let event: serde_json::Value = serde_json::from_str(line).expect("an event is JSON");
        assert_eq!(event[1], "o", "only what was shown is kept");
        text.push_str(event[2].as_str().expect("what was shown is text"));
    }
    let control = regex::Regex::new("\u{1b}\\[[0-9;]*[A-Za-z]").expect("it is one");
    let plain = control.replace_all(&text, "").replace("\r\n", "\n");
    let page = plain.find(" DRILL").expect("the page is shown");
    plain[page..].to_owned()
}

#[test]
fn the_recorded_drill_still_plays_as_the_terminal_showed_it() {
    let folder = root().join("fixtures/drills/recorded");
    let read = |name: &str| fs::read_to_string(folder.join(name)).expect(name);
    let cast = read("sim-cascade.cast");
    let head: serde_json::Value =
        serde_json::from_str(cast.lines().next().expect("a head")).expect("it is JSON");
    assert_eq!((&head["version"], &head["width"]), (&2.into(), &100.into()));
    let script = folder.join("sim-cascade.txt");
    let script = script.to_string_lossy();
    let run = rootline(&["drill", "start", "sim-cascade", "--script", &script, "--width", "100"]);
    assert_eq!(run.code, 0, "{}", run.err);
    let then = shown(&cast);
    assert_eq!(until_score(&run.out), until_score(&then));
    for part in ["CORRECT", "== DEBRIEF", "ACTIONS AND WHAT THEY TRADE", "kept as 1"] {
        assert!(then.contains(part), "no {part}");
    }
    // Every line of the script was typed.
    for line in read("sim-cascade.txt").lines() {
        assert!(then.contains(&format!("p> {line}\n")), "{line}");
    }
}

#[test]
fn an_action_that_helps_does_not_end_the_drill() {
    let case = named("pool-exhaustion");
    let mut game = game(&case, 2, PLAIN);
    game.execute("guess pg-replica long-running-query-blocking --sure 80 --pid 13305");
    let acted = game.execute("act cancel 13305");
    assert!(!acted.over && acted.text.contains("`done` when you want"), "{}", acted.text);
    assert!(!game.execute("look gateway").over);
    assert!(game.execute("done").text.contains(" == DEBRIEF"));
}

#[test]
fn act_lists_verbs_with_what_they_take_and_what_they_can_be_done_to() {
    for folder in incidents() {
        let case = recorded(&folder);
        let mut game = game(&case, 1, PLAIN);
        let text = game.execute("act").text;
        let graph = &case.telemetry.graph;
        let known = |name: &str| graph.ids().any(|e| graph.entity(e).name == name);
        let lists: Vec<&str> =
            text.lines().filter_map(|l| l.split(" is one of: ").nth(1)).collect();
        assert!(!lists.is_empty(), "{text}");
        let first = |l: &&str| l.split([',', ' ']).next().is_some_and(known);
        assert!(lists.iter().filter(|l| !l.contains("pid of a")).all(first), "{text}");
        let joined = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(joined.matches("price: ").count() > 5, "{text}");
        // Who is to blame is for `sessions` to show.
        if let Some(pid) = case.plan.pid {
            assert!(!text.contains(&pid.to_string()), "{text}");
        }
    }
    let case = named("hot-partition");
    let said = game(&case, 1, PLAIN).execute("act salt").text;
    assert!(said.contains("salt STORE") && said.contains("STORE is one of: "), "{said}");
}

#[test]
fn every_name_that_look_shows_can_be_queried() {
    let mut asked = 0;
    for folder in incidents() {
        let case = recorded(&folder);
        let mut game = game(&case, 1, PLAIN);
        let graph = &case.telemetry.graph;
        let names: BTreeSet<String> = graph.ids().map(|e| graph.entity(e).name.clone()).collect();
        let shown: BTreeSet<String> = names
            .iter()
            .take(6)
            .flat_map(|n| {
                let text = game.execute(&format!("look {n}")).text;
                let first = |l: &str| l.strip_prefix("   ")?.split(' ').next().map(str::to_owned);
                text.lines().filter_map(first).collect::<Vec<_>>()
            })
            .filter(|word| word.contains('.') && !word.ends_with([':', ',']))
            .filter(|word| !names.contains(word))
            .collect();
        for word in shown.iter().take(8) {
            let text = game.execute(&format!("query {word}")).text;
            assert!(!text.contains("no series is called"), "{}: {text}", folder.display());
            asked += 1;
        }
    }
    assert!(asked > 200, "only {asked} names");
}

#[test]
fn a_query_takes_names_that_are_nearly_so_and_costs_nothing_for_others() {
    let case = named("pool-exhaustion");
    let mut game = game(&case, 2, PLAIN);
    let (points, now) = (game.score.total(), game.now);
    let closed = game.execute("query utilization").text;
    assert!(closed.contains("open with stage 2: at "), "{closed}");
    assert_eq!((game.score.total(), game.now), (points, now));
    game.execute("wait 2m");
    let near = game.execute("query db.client.connections").text;
    assert!(near.contains("db.client.connection.count"), "{near}");
}

#[test]
fn how_sure_one_is_may_be_left_out() {
    let case = named("pool-exhaustion");
    let mut game = game(&case, 1, PLAIN);
    let text = game.execute("guess catalog pool-undersized").text;
    assert!(text.contains("taken as 50 % sure"), "{text}");
    assert_eq!(game.score.mean_brier(), Some(brier(0.5, false)));
}

#[test]
fn a_process_that_keeps_the_server_running_is_no_session_to_end() {
    let case = named("recovery-conflict");
    let of = |kind: &str| {
        let mut all = case.telemetry.sessions.iter().map(|(_, s)| s);
        all.find(|s| s.backend_type == kind).map(|s| s.pid)
    };
    let startup = of("startup").expect("a standby replays");
    let mut game = game(&case, 1, PLAIN);
    game.execute("wait 10s");
    for verb in ["cancel", "terminate"] {
        let text = game.execute(&format!("act {verb} {startup}")).text;
        assert!(text.contains("the server refuses") && !text.contains("client"), "{text}");
    }
}

#[test]
fn the_list_gives_no_answer_away_and_numbers_are_taken() {
    let all = content::built_in().expect("drills are sound");
    let plain = rootline(&["drill", "list", "--width", "400"]).out;
    let master = rootline(&["drill", "list", "--gm", "--width", "400"]).out;
    let has = |text: &str, id: &str| text.split_whitespace().any(|w| w == id);
    for d in &all {
        assert!(has(&master, &d.drill.id), "{}", d.drill.id);
        assert!(!d.drill.id.contains('-') || !has(&plain, &d.drill.id), "{}", d.drill.id);
    }
    let run = rootline(&["drill", "start", "3", "--script", "/dev/null"]);
    let third = &content::numbered(&all)[2].drill.title;
    assert!(run.code == 0 && run.out.contains(third.as_str()), "{}{}", run.out, run.err);
}

#[test]
fn a_simulated_drill_tells_of_its_decoys_and_of_what_a_verb_can_be_done_to() {
    const CART: &str = "action: \"cart\" cannot take salt; these can: cart-shard";
    let state = Scratch::new();
    let lines = "act salt\nact raise-pool\nact salt cart\nact roll-back catalog\ngive up\n";
    let script = state.file("s.txt", lines.as_bytes());
    let script = script.to_string_lossy();
    let run = rootline(&["drill", "start", "sim-peak-sunday", "--seed", "0", "--script", &script]);
    assert_eq!(run.code, 0, "{}", run.err);
    for said in ["STORE is one of: ", "nothing in this system can", "WHAT ONLY LOOKED GUILTY", CART]
    {
        assert!(run.out.contains(said), "no {said:?} in {}", run.out);
    }
    // What the log of changes tells of can be taken back, and only the shard with the key is hot.
    assert!(run.out.contains("catalog goes back to 1.0.0"), "{}", run.out);
    assert!(run.out.contains("hot-partition on cart-shard-4, cart, from"), "{}", run.out);
    assert!(run.out.contains("new ranking\" changes nothing"), "{}", run.out);
}
