//! The worked example of README.md is what the program says.

use super::support::{root, rootline};
use std::fs;

/// The command whose output the README shows.
const COMMAND: &str = "rootline diagnose fixtures/incidents/pool-exhaustion";
const OPEN: &str = "```text\n";

#[test]
fn the_example_in_the_readme_is_the_true_output() {
    let path = root().join("README.md");
    let readme = fs::read_to_string(&path).expect("README.md is there and UTF-8");
    let command = readme.find(COMMAND).unwrap_or_else(|| panic!("README.md has no `{COMMAND}`"));
    let open = readme[command..].find(OPEN).expect("a block marked `text` follows the command");
    let start = command + open + OPEN.len();
    let length = readme[start..].find("```").expect("the block is closed");
    let (before, after) = (&readme[..start], &readme[start + length..]);
    let args = ["diagnose", "fixtures/incidents/pool-exhaustion", "--width", "100"];
    let run = rootline(&args);
    assert_eq!(run.code, 0, "{}", run.err);
    if readme[start..start + length] == run.out {
        return;
    }
    if std::env::var_os("UPDATE_README").is_some_and(|v| v == "1") {
        let new = format!("{before}{}{after}", run.out);
        fs::write(&path, new).expect("README.md can be written");
        return;
    }
    panic!(
        "the example in README.md is not what the program says now; look at the difference, then\n  \
         UPDATE_README=1 cargo test --release --locked readme\n\nthe program says:\n{}",
        run.out
    );
}

#[test]
fn the_ci_script_runs_the_test_command_of_the_readme() {
    let read = |name: &str| fs::read_to_string(root().join(name)).expect("it is there");
    let command = "cargo test --release --locked";
    assert!(read("README.md").lines().any(|l| l == command), "README.md names another command");
    assert!(
        read(".ci/run").lines().any(|l| l == format!("step {command}")),
        ".ci/run runs another"
    );
}
