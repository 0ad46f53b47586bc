//! Signatures: one failure mode per TOML file. In: text. Out: strict types; an unknown key is an
//! error with file, line, column and a suggestion. Evaluates nothing.

mod files;
pub mod fixtures;
pub mod scaffold;
pub mod schema;
pub mod site;

use crate::diagnosis::{ActionKind, EvidenceRole, Role, Strength};
use crate::error::{Error, Result, did_you_mean, line_column};
use crate::model::{EntityKind, Severity};
use serde::Deserialize;
use serde::de::{self, Deserializer};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::OnceLock;

/// The catalogue that ships with the program: path and text of each file.
const BUILT_IN: &[(&str, &str)] = &include!(concat!(env!("OUT_DIR"), "/signatures.rs"));

/// One signature file.
#[derive(Clone, Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SignatureFile {
    pub schema: u32,
    pub signature: Signature,
    pub text: Text,
    #[serde(default)]
    pub mitigation: Vec<Mitigation>,
    #[serde(default)]
    pub requires: Requires,
    #[serde(default)]
    pub params: BTreeMap<String, Param>,
    pub evidence: Vec<EvidenceRule>,
    #[serde(default)]
    pub discriminator: Vec<DiscriminatorRule>,
    #[serde(default)]
    pub test: Vec<TestCase>,
    /// Path of the file, set by the loader.
    #[serde(skip)]
    pub path: String,
}

/// Identity and standing of a signature.
#[derive(Clone, Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Signature {
    pub id: String,
    pub code: String,
    pub revision: u32,
    pub title: String,
    pub status: Status,
    pub severity: Severity,
    pub category: Category,
    #[serde(default)]
    pub tags: Vec<String>,
    /// Kinds of entity that can take the blame.
    pub subject: Vec<EntityKind>,
    /// The part it plays when it matches.
    pub role: Role,
    pub prior: Prior,
    pub created: String,
    pub modified: String,
    #[serde(default)]
    pub references: Vec<String>,
    #[serde(default)]
    pub related: Vec<Related>,
}

/// How well tried a signature is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    Experimental,
    Test,
    Stable,
    Deprecated,
}

/// The closed list of categories; also the names of the folders.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Category {
    Saturation,
    Contention,
    Leak,
    Overload,
    Dependency,
    Change,
    Data,
    Network,
    Platform,
    Config,
    Capacity,
    Client,
    /// Nothing is wrong.
    Normal,
}

impl Category {
    /// Every category.
    pub const ALL: [Category; 13] = [
        Category::Saturation,
        Category::Contention,
        Category::Leak,
        Category::Overload,
        Category::Dependency,
        Category::Change,
        Category::Data,
        Category::Network,
        Category::Platform,
        Category::Config,
        Category::Capacity,
        Category::Client,
        Category::Normal,
    ];

    /// The category as files and folders write it.
    pub fn word(self) -> &'static str {
        match self {
            Category::Saturation => "saturation",
            Category::Contention => "contention",
            Category::Leak => "leak",
            Category::Overload => "overload",
            Category::Dependency => "dependency",
            Category::Change => "change",
            Category::Data => "data",
            Category::Network => "network",
            Category::Platform => "platform",
            Category::Config => "config",
            Category::Capacity => "capacity",
            Category::Client => "client",
            Category::Normal => "normal",
        }
    }
}

/// How often the failure mode is the cause, before any evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Prior {
    Common,
    Usual,
    Rare,
}

/// A tie to another signature.
#[derive(Clone, Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Related {
    pub id: String,
    #[serde(rename = "type")]
    pub kind: Relation,
}

/// What the tie means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Relation {
    /// Looks alike; a discriminator tells them apart.
    Mimics,
    /// Is the more exact form of the other and wins over it on the same subject.
    Specialises,
    /// Is brought about by the other on something that the subject depends on.
    FollowsFrom,
}

/// Prose of a signature. Braces hold facts that the match binds.
#[derive(Clone, Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Text {
    pub headline: String,
    pub mechanism: String,
    pub impact: String,
    pub false_positives: Vec<String>,
    #[serde(default)]
    pub detection: Vec<String>,
    #[serde(default)]
    pub post_incident: Vec<String>,
    #[serde(default)]
    pub security: Vec<String>,
}

/// An action of the runbook.
#[derive(Clone, Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Mitigation {
    pub kind: ActionKind,
    pub say: String,
    pub command: Option<String>,
    pub on: Option<String>,
    pub effect: Option<String>,
}

/// Inputs without which the signature cannot run: signals, roles or `pg.sessions`, `traces`.
#[derive(Clone, Debug, Default, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Requires {
    #[serde(default)]
    pub all: Vec<String>,
    #[serde(default)]
    pub any: Vec<String>,
}

/// A number with a name, a unit and a reason.
#[derive(Clone, Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Param {
    pub value: f64,
    pub unit: String,
    pub why: String,
    /// What the site says about it; `value` is then the site's.
    #[serde(skip)]
    pub site: Option<SiteValue>,
}

/// Why a parameter has another value at this site.
#[derive(Clone, Debug, PartialEq)]
pub struct SiteValue {
    /// The signature's own number.
    pub default: f64,
    pub why: String,
    /// `file:line`.
    pub place: String,
}

/// A number, or the name of a parameter written `$name`.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Number(f64),
    Param(String),
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(d: D) -> std::result::Result<Self, D::Error> {
        match toml::Value::deserialize(d)? {
            toml::Value::Integer(i) => Ok(Value::Number(i as f64)),
            toml::Value::Float(f) => Ok(Value::Number(f)),
            toml::Value::String(s) => match s.strip_prefix('$') {
                Some(name) => Ok(Value::Param(name.to_owned())),
                None => Err(de::Error::custom("expected a number or \"$parameter\"")),
            },
            _ => Err(de::Error::custom("expected a number or \"$parameter\"")),
        }
    }
}

/// Whom a piece of evidence is looked for at, relative to the subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum On {
    Subject,
    Caller,
    Callee,
    /// Edges from a caller to the subject.
    EdgeIn,
    /// Edges from the subject to a callee.
    EdgeOut,
    /// Services that nobody calls.
    Entry,
    /// What it runs on: a host, or the broker of a queue.
    Host,
    /// What runs on it, where it is a host.
    Resident,
    /// Those that send it messages or take them.
    Messaging,
    /// The system as a whole.
    Global,
}

/// What missing evidence means, where it could have been seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum IfAbsent {
    Refutes,
    Weakens,
    #[default]
    Neutral,
}

/// One named piece of evidence.
#[derive(Clone, Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EvidenceRule {
    pub id: String,
    pub on: On,
    /// Canonical signal, `role:<role>`, or one of the fact sources (`pg.blocking`, `events`, …).
    pub source: String,
    /// Member of the closed set of tests in `matching`.
    pub test: String,
    /// Threshold of the test; its meaning is the test's.
    pub value: Option<Value>,
    /// Conditions on facts, e.g. `victims = ">= $victims_min"`, `kind = "deploy"`.
    #[serde(default, rename = "where")]
    pub conditions: BTreeMap<String, String>,
    pub role: EvidenceRole,
    /// Of required evidence with one group, one piece is enough.
    pub group: Option<String>,
    pub strength: Strength,
    #[serde(default)]
    pub if_absent: IfAbsent,
    pub say: String,
    /// Said when it was looked for and not there.
    pub say_absent: Option<String>,
}

/// A question that tells this signature from another.
#[derive(Clone, Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DiscriminatorRule {
    pub against: String,
    pub question: String,
    pub this: String,
    pub other: String,
    pub command: Option<String>,
    pub cost: String,
}

/// One fixture and what the signature must say about it.
#[derive(Clone, Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TestCase {
    pub name: String,
    pub fixture: String,
    pub expect: Expect,
    /// Entity that the match must be on.
    pub entity: Option<String>,
    /// Rank that the hypothesis must reach.
    pub rank: Option<usize>,
}

/// Outcome of a catalogue test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Expect {
    Match,
    NoMatch,
    Skipped,
}

/// All signatures, sorted by id.
#[derive(Clone, Debug)]
pub struct Catalog {
    pub signatures: Vec<SignatureFile>,
    /// SHA-256 over paths and texts of all files.
    pub hash: String,
}

impl Catalog {
    /// The catalogue that ships with the program; it is parsed once.
    pub fn built_in() -> Result<Catalog> {
        static PARSED: OnceLock<Catalog> = OnceLock::new();
        if let Some(parsed) = PARSED.get() {
            return Ok(parsed.clone());
        }
        let files = BUILT_IN.iter().map(|(p, t)| ((*p).to_owned(), (*t).to_owned())).collect();
        let parsed = Catalog::from_files(files)?;
        Ok(PARSED.get_or_init(|| parsed).clone())
    }

    /// A catalogue from a folder of `*.toml` files.
    pub fn from_folder(folder: &Path) -> Result<Catalog> {
        let mut files = Vec::new();
        files::collect(folder, &mut files)?;
        let catalog = Catalog::from_files(files)?;
        if catalog.signatures.is_empty() {
            let place = folder.display().to_string();
            return Err(Error::catalog(place, "no signature files (*.toml) in this folder"));
        }
        Ok(catalog)
    }

    /// Whatever signatures a folder holds; none when it is empty or not there yet.
    pub fn in_folder(folder: &Path) -> Result<Catalog> {
        let mut files = Vec::new();
        if folder.exists() {
            files::collect(folder, &mut files)?;
        }
        Catalog::from_files(files)
    }

    fn from_files(mut files: Vec<(String, String)>) -> Result<Catalog> {
        files.sort();
        let mut hash = Sha256::new();
        let mut signatures = Vec::new();
        for (path, text) in &files {
            hash.update(path.as_bytes());
            hash.update(text.as_bytes());
            signatures.push(parse(path, text)?);
        }
        signatures.sort_by(|a, b| a.signature.id.cmp(&b.signature.id));
        let hash = crate::encoding::hex(hash.finalize());
        Ok(Catalog { signatures, hash })
    }

    /// Finds a signature by id or code.
    pub fn find(&self, name: &str) -> Result<&SignatureFile> {
        let same = |s: &&SignatureFile| {
            s.signature.id == name || s.signature.code.eq_ignore_ascii_case(name)
        };
        self.signatures.iter().find(same).ok_or_else(|| {
            let error = Error::usage("", format!("no signature is called \"{name}\""));
            let ids = self.signatures.iter().map(|s| s.signature.id.as_str());
            match did_you_mean(name, ids) {
                Some(near) => error.hint(format!("did you mean \"{near}\"?")),
                None => error.hint("`rootline catalog list` shows all of them"),
            }
        })
    }
}

/// Parses one file; the error has the line, the column and, for a misspelt key, the right one.
pub fn parse(path: &str, text: &str) -> Result<SignatureFile> {
    let parsed: std::result::Result<SignatureFile, toml::de::Error> = toml::from_str(text);
    parsed.map(|s| SignatureFile { path: path.to_owned(), ..s }).map_err(|e| {
        let (line, column) = line_column(text, e.span().map_or(0, |s| s.start));
        let message = e.message().trim().to_owned();
        let mut quoted = message.split('`').skip(1).step_by(2);
        let word = quoted.next().unwrap_or_default();
        let near = did_you_mean(word, quoted.collect::<Vec<_>>());
        let short = message.split(", expected").next().unwrap_or(&message).to_owned();
        let error = Error::catalog(format!("{path}:{line}:{column}"), short);
        error.hint(near.map_or_else(
            || "`rootline catalog schema` prints the format".to_owned(),
            |near| format!("did you mean `{near}`?"),
        ))
    })
}

impl SignatureFile {
    /// The number behind a value; a parameter that does not exist is a lint error, 0 here.
    pub fn number(&self, value: &Value) -> f64 {
        match value {
            Value::Number(n) => *n,
            Value::Param(name) => self.params.get(name).map_or(0.0, |p| p.value),
        }
    }
}
