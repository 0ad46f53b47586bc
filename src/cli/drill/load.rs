//! From the id of a drill, or a folder, to a case.

use super::super::Terminal;
use super::simulated::{self, Simulated};
use crate::catalog::Catalog;
use crate::catalog::fixtures::{self, Truth};
use crate::drill::Case;
use crate::drill::content::{self, DrillFile};
use crate::error::{Error, Result};
use crate::simulate::{SCENARIOS, named};
use crate::{Options, diagnose_with};
use std::path::Path;

/// What stands before a scenario's id where a recording has the same.
const PREFIX: &str = "sim-";
/// The id that stands for any drill.
pub const SURPRISE: &str = "surprise";

/// A case, ready to be played.
pub struct Loaded {
    pub case: Case,
    /// For incidents that are simulated: what makes the rest after an action.
    pub simulated: Option<Simulated>,
    /// A line of progress may stand on the terminal.
    pub progress: bool,
}

/// Finds the text of a drill: built in, of a fixture without one, or of any folder with a truth.
pub fn file(id: &str, root: &Path) -> Result<DrillFile> {
    let all = content::built_in()?;
    let number = id.parse().ok().and_then(|n: usize| n.checked_sub(1));
    if let Some(found) = number.and_then(|n| content::numbered(&all).get(n).copied().cloned()) {
        return Ok(found);
    }
    let unknown = match content::find(&all, id) {
        Ok(found) => return Ok(found),
        Err(e) => e,
    };
    if Path::new(id).join(fixtures::LABEL).is_file() {
        let inner = |d: &&DrillFile| {
            let folder = d.drill.folder.as_ref().map(|f| root.join(f));
            folder.is_some_and(|f| same(&f, Path::new(id)))
        };
        let told = all.iter().find(inner).cloned();
        return Ok(told.unwrap_or_else(|| content::of_folder(id)));
    }
    let plain = !id.contains(['/', '\\']) && id != "..";
    let fixture = format!("{}/{id}", fixtures::KINDS[0]);
    if plain && root.join(&fixture).join(fixtures::LABEL).is_file() {
        return Ok(content::of_folder(&fixture));
    }
    // Scenarios without a text: by their id, or where a recording has that, with the prefix.
    let plain = id.strip_prefix(PREFIX).unwrap_or(id);
    if SCENARIOS.iter().any(|(known, _)| *known == plain) {
        let scenario = named(plain)?;
        return Ok(content::of_scenario(id, plain, &scenario.story));
    }
    Err(unknown)
}

/// A drill whose id is not told: which one, the seed says.
pub fn surprise(seed: u64, root: &Path) -> Result<DrillFile> {
    let mut all = content::built_in()?;
    all.retain(|d| d.drill.folder.as_ref().is_none_or(|f| root.join(f).is_dir()));
    // Multiplicative hashing (Knuth), so that neighbouring seeds lie apart.
    let at = (seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33) as usize;
    let count = all.len();
    all.into_iter().nth(at % count.max(1)).ok_or_else(|| {
        Error::usage("", "there is no drill here")
            .hint("`--root DIR` names the folder of fixtures/")
    })
}

fn same(a: &Path, b: &Path) -> bool {
    let whole = |p: &Path| p.canonicalize().ok();
    whole(a).is_some_and(|a| whole(b) == Some(a))
}

/// Reads, diagnoses and plans.
pub fn load(file: DrillFile, root: &Path, seed: u64, terminal: Terminal) -> Result<Loaded> {
    if let Some(id) = file.drill.scenario.clone() {
        return simulated::load(file, &id, seed, terminal);
    }
    let folder = file.drill.folder.clone().unwrap_or_default();
    let path = match Path::new(&folder).join(fixtures::LABEL).is_file() {
        true => Path::new(&folder).to_owned(),
        false => root.join(&folder),
    };
    let place = path.display().to_string();
    if !path.is_dir() {
        return Err(Error::usage(place, "the recording of this drill is not there")
            .hint("`--root DIR` names the folder that holds fixtures/"));
    }
    let truth = fixtures::truth(&path)?;
    let case = case(file, place, &path, truth, terminal)?;
    Ok(Loaded { case, simulated: None, progress: terminal.progress.is_some() })
}

/// Diagnoses a folder and reads it for the drill.
pub fn case(
    file: DrillFile,
    place: String,
    path: &Path,
    truth: Truth,
    terminal: Terminal,
) -> Result<Case> {
    let catalog = Catalog::built_in()?;
    let options = Options { progress: terminal.progress, ..Options::default() };
    let diagnosis = diagnose_with(path, &catalog, &options)?;
    Case::new(file, place, simulated::read(path)?, diagnosis, truth, catalog)
}
