//! The text of drills: one TOML file each under `fixtures/drills/`, built in. In: text. Out: strict
//! types; an unknown key is an error with file, line and column.

use crate::error::{Error, Result, did_you_mean, line_column};
use serde::Deserialize;

/// The drills that ship with the program: path and text of each file.
const BUILT_IN: &[(&str, &str)] = &include!(concat!(env!("OUT_DIR"), "/drills.rs"));
/// Raised when a key changes its meaning.
pub const SCHEMA: u32 = 1;

/// One drill file.
#[derive(Clone, Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DrillFile {
    pub schema: u32,
    pub drill: Head,
    #[serde(default)]
    pub pager: PagerText,
    /// From vague to exact.
    #[serde(default)]
    pub hint: Vec<Hint>,
    /// What people say when they are asked.
    #[serde(default)]
    pub clue: Vec<Clue>,
    #[serde(default)]
    pub decoy: Vec<Decoy>,
    /// What actions would have done, where the recording and the runbook do not say it.
    #[serde(default)]
    pub action: Vec<Consequence>,
    /// What to take home.
    #[serde(default)]
    pub lesson: Vec<String>,
}

/// What a drill is about.
#[derive(Clone, Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Head {
    pub id: String,
    pub title: String,
    /// What the list says; gives nothing away.
    pub summary: String,
    /// Incident folder with its truth, from the folder in which fixture paths start.
    pub folder: Option<String>,
    /// Scenario of the simulator, instead of a folder.
    pub scenario: Option<String>,
    /// 1 easy to 3 hard, at the same level of help.
    pub difficulty: u8,
    /// The promise of SCENARIOS.md that it keeps, e.g. `A1`.
    pub promise: Option<String>,
}

/// What wakes the trainee; by default the first symptom that an alert would fire on.
#[derive(Clone, Debug, Default, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PagerText {
    /// Who says it, e.g. `support`.
    pub from: Option<String>,
    /// Must be true at its time: the values of the alert are added by the program.
    pub text: Option<String>,
    /// Seconds after the truth's onset, where no alert would fire.
    pub after_s: Option<i64>,
}

/// A hint.
#[derive(Clone, Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Hint {
    pub say: String,
}

/// What somebody answers.
#[derive(Clone, Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Clue {
    /// Whom or what to ask, one word.
    pub ask: String,
    pub say: String,
    /// Seconds after the page from which it is known.
    #[serde(default)]
    pub after_s: i64,
}

/// Something that looks guilty. With a `title` it is invented and stands among the changes at level
/// 3, or when a game master injects it; without, it is in the recording.
#[derive(Clone, Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Decoy {
    pub component: String,
    pub kind: Option<String>,
    pub title: Option<String>,
    /// Seconds before the page.
    #[serde(default)]
    pub before_s: i64,
    /// Why it is innocent.
    pub why: String,
}

/// What an action would have done.
#[derive(Clone, Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Consequence {
    /// Verb of the table of actions.
    pub act: String,
    /// Component it is meant for; any, if it is not there.
    pub on: Option<String>,
    pub outcome: Outcome,
    pub say: String,
}

/// Whether an action ends the incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    Helps,
    /// Buys time and leaves the cause.
    Relieves,
    Nothing,
    Harms,
}

/// Every drill that ships with the program, sorted by id.
///
/// # Errors
///
/// When a file is defective; a build is tested not to have one.
pub fn built_in() -> Result<Vec<DrillFile>> {
    let mut all: Vec<DrillFile> =
        BUILT_IN.iter().map(|(path, text)| parse(path, text)).collect::<Result<_>>()?;
    all.sort_by(|a, b| a.drill.id.cmp(&b.drill.id));
    Ok(all)
}

/// Drills in the order of their numbers: the easy ones first, and nothing that tells what they are.
pub fn numbered(all: &[DrillFile]) -> Vec<&DrillFile> {
    let mut all: Vec<&DrillFile> = all.iter().collect();
    all.sort_by_key(|d| (d.drill.difficulty, &d.drill.title, &d.drill.id));
    all
}

/// The drill of an id.
///
/// # Errors
///
/// When there is none; the nearest id is suggested.
pub fn find(all: &[DrillFile], id: &str) -> Result<DrillFile> {
    all.iter().find(|d| d.drill.id == id).cloned().ok_or_else(|| {
        let error = Error::usage("", format!("no drill and no folder is called \"{id}\""));
        match did_you_mean(id, all.iter().map(|d| d.drill.id.as_str())) {
            Some(near) => error.hint(format!("did you mean \"{near}\"?")),
            None => error.hint("`rootline drill list` shows all of them"),
        }
    })
}

/// A drill on any folder with a truth, without a text of its own.
pub fn of_folder(folder: &str) -> DrillFile {
    let name = folder.trim_end_matches('/').rsplit('/').next().unwrap_or(folder);
    let head = Head {
        id: name.to_owned(),
        // The folder's name often is the answer.
        title: "A recorded incident".to_owned(),
        summary: String::new(),
        folder: Some(folder.to_owned()),
        scenario: None,
        difficulty: 2,
        promise: None,
    };
    DrillFile {
        schema: SCHEMA,
        drill: head,
        pager: PagerText::default(),
        hint: vec![],
        clue: vec![],
        decoy: vec![],
        action: vec![],
        lesson: vec![],
    }
}

/// A drill on a scenario of the simulator, without a text of its own.
pub fn of_scenario(id: &str, scenario: &str, story: &str) -> DrillFile {
    let mut file = of_folder(id);
    file.drill.title = "A simulated incident".to_owned();
    file.drill.summary = story.to_owned();
    file.drill.folder = None;
    file.drill.scenario = Some(scenario.to_owned());
    file
}

/// Parses one file.
///
/// # Errors
///
/// With line and column; also for a drill that has both a folder and a scenario, or neither.
pub fn parse(path: &str, text: &str) -> Result<DrillFile> {
    let file: DrillFile = toml::from_str(text).map_err(|e: toml::de::Error| {
        let (line, column) = line_column(text, e.span().map_or(0, |s| s.start));
        Error::catalog(format!("{path}:{line}:{column}"), e.message().trim().to_owned())
            .hint("`rootline schema --of drill` prints the format")
    })?;
    let wrong = match (&file.drill.folder, &file.drill.scenario) {
        _ if file.schema != SCHEMA => Some(format!("schema {} is not known", file.schema)),
        (Some(_), Some(_)) | (None, None) => Some("give a folder or a scenario".to_owned()),
        _ if !(1..=3).contains(&file.drill.difficulty) => Some("difficulty is 1 to 3".to_owned()),
        _ => None,
    };
    match wrong {
        Some(what) => Err(Error::catalog(path, what)),
        None => Ok(file),
    }
}

/// The JSON Schema of a drill file as indented JSON with a final newline.
pub fn schema() -> String {
    let schema = schemars::schema_for!(DrillFile);
    let mut out = serde_json::to_string_pretty(&schema).expect("a schema has string keys only");
    out.push('\n');
    out
}
