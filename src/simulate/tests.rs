//! Runs held against closed forms and against what each lesson claims.

use super::*;

fn run(id: &str) -> Run {
    Run::new(&named(id).expect(id), 0).expect(id)
}

fn end(mut run: Run) -> Outcome {
    run.advance(run.end_s());
    run.outcome()
}

fn with(id: &str, at_s: f64, words: &str) -> Outcome {
    let mut run = run(id);
    run.advance(at_s);
    let action = run.action(words).expect(words);
    run.act(&action).expect(words);
    end(run)
}

#[test]
fn every_scenario_runs_under_other_names_too() {
    for (id, _) in SCENARIOS {
        let scenario = named(id).expect(id);
        assert_eq!(scenario.id, *id);
        Run::new(&scenario, 0).expect(id);
        Run::new(&scenario, 7).expect(id);
    }
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_gives_others() {
    let files = |seed| {
        let mut run = Run::new(&named("cascade").expect("known"), seed).expect("builds");
        run.advance(120.0);
        run.telemetry(Without::default())
    };
    assert_eq!(files(3), files(3));
    assert_ne!(files(3), files(4));
}

#[test]
fn cancelling_the_report_ends_the_cascade_and_restarting_does_not() {
    let left_alone = end(run("cascade"));
    let restarted = with("cascade", 480.0, "restart-all catalog");
    let cancelled = with("cascade", 480.0, "cancel metabase");
    assert!(left_alone.bad_s > 450.0, "{}", left_alone.bad_s);
    assert!(restarted.bad_s >= left_alone.bad_s - 30.0, "{}", restarted.bad_s);
    assert!(cancelled.bad_s < 200.0, "{}", cancelled.bad_s);
}
