//! A new signature with its fixtures, to be filled in. In: id, category, title. Out: paths and
//! texts; writes nothing.

use super::fixtures::{KINDS, LABEL};
use super::{Catalog, Category};
use crate::diagnosis::Verdict;
use crate::error::{Error, Result};

/// Marks what the author still has to write; lint refuses it.
pub const UNFILLED: &str = "FILL IN";
const SIGNATURE: &str = include_str!("scaffold.toml");
const TRUTH: &str = include_str!("scaffold_truth.toml");
/// Longest id; it becomes a file name and a column of reports.
const ID_MAX: usize = 60;
/// What the code of a signature starts with where its category has no other yet.
const CODE: &str = "NEW";

/// What the new signature is called.
#[derive(Clone, Debug)]
pub struct Scaffold<'a> {
    pub id: &'a str,
    pub category: Category,
    pub title: Option<&'a str>,
    /// Day of creation, `YYYY-MM-DD`.
    pub date: &'a str,
}

/// Path and text of every file of a new signature.
pub struct Files {
    /// Below the folder of signatures.
    pub signature: (String, String),
    /// Labels of the hit and of the near miss, below the folder in which fixture paths start.
    pub truths: [(String, String); 2],
}

/// Writes a new signature and the labels of its fixtures.
///
/// # Errors
///
/// When the id is not kebab-case or there is one of that name.
pub fn scaffold(catalog: &Catalog, new: &Scaffold) -> Result<Files> {
    let id = new.id;
    let part =
        |p: &str| !p.is_empty() && p.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    let starts = id.starts_with(|c: char| c.is_ascii_lowercase());
    if !starts || id.len() > ID_MAX || !id.split('-').all(part) {
        let what =
            format!("\"{id}\" is no id: lower-case words with - between, such as queue-grows");
        return Err(Error::usage("", what));
    }
    if let Some(old) = catalog.signatures.iter().find(|s| s.signature.id == id) {
        let hint = format!("it is in {}", old.path);
        return Err(Error::usage("", format!("there is a signature \"{id}\"")).hint(hint));
    }
    let [hit, miss] = [format!("{}/{id}", KINDS[0]), format!("{}/{id}-near-miss", KINDS[1])];
    let category = new.category.word();
    let title = new.title.map_or_else(|| format!("{UNFILLED}: what is wrong"), escaped);
    let signature = SIGNATURE
        .replace("@ID@", id)
        .replace("@CODE@", &code(catalog, new.category))
        .replace("@TITLE@", &title)
        .replace("@CATEGORY@", category)
        .replace("@DATE@", new.date)
        .replace("@HIT@", &hit)
        .replace("@MISS@", &miss);
    let truth = |verdict: &str, entity: &str, signature: &str, not: &str| {
        TRUTH
            .replace("@VERDICT@", verdict)
            .replace("@ENTITY@", entity)
            .replace("@SIGNATURE@", signature)
            .replace("@NOT@", not)
    };
    let own = format!("[\"{id}\"]");
    let entity = format!("[\"{UNFILLED}: the entity\"]");
    Ok(Files {
        signature: (format!("{category}/{id}.toml"), signature),
        truths: [
            (format!("{hit}/{LABEL}"), truth("incident", &entity, &own, "[]")),
            (format!("{miss}/{LABEL}"), truth(Verdict::Healthy.word(), "[]", "[]", &own)),
        ],
    })
}

/// A text inside a basic TOML string, on one line.
fn escaped(text: &str) -> String {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    line.replace('\\', "\\\\").replace('"', "\\\"")
}

/// The next free code with the letters that the category uses most.
fn code(catalog: &Catalog, category: Category) -> String {
    let parts = |c: &str| c.split_once('-').map(|(p, n)| (p.to_owned(), n.parse::<u32>().ok()));
    let own = catalog.signatures.iter().filter(|s| s.signature.category == category);
    let mut prefixes: Vec<String> =
        own.filter_map(|s| parts(&s.signature.code)).map(|p| p.0).collect();
    prefixes.sort();
    let count = |p: &String| prefixes.iter().filter(|q| *q == p).count();
    let usual = prefixes.iter().max_by_key(|p| count(p)).cloned();
    let prefix = usual.unwrap_or_else(|| CODE.to_owned());
    let all = catalog.signatures.iter().filter_map(|s| parts(&s.signature.code));
    let last = all.filter(|(p, _)| *p == prefix).filter_map(|(_, n)| n).max().unwrap_or(0);
    format!("{prefix}-{:04}", last + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::parse;

    fn new(id: &str, title: Option<&str>) -> Result<Files> {
        let catalog = Catalog::built_in().expect("the built-in catalogue is sound");
        let category = Category::Leak;
        let date = "2026-11-26";
        scaffold(&catalog, &Scaffold { id, category, title, date })
    }

    #[test]
    fn what_is_made_parses_and_says_what_is_to_be_filled_in() {
        let files = new("slow-tap", Some("A \"tap\" \\ drips 'x'\nslowly")).expect("a good id");
        let (path, text) = &files.signature;
        assert_eq!(path, "leak/slow-tap.toml");
        let paths = files.truths.each_ref().map(|t| t.0.as_str());
        let hit = "fixtures/incidents/slow-tap/truth.toml";
        assert_eq!(paths, [hit, "fixtures/healthy/slow-tap-near-miss/truth.toml"]);
        let made = parse(path, text).expect("parses");
        assert_eq!(made.signature.title, "A \"tap\" \\ drips 'x' slowly");
        let holder =
            |t: &str| t.split('@').skip(1).any(|w| w.starts_with(|c: char| c.is_ascii_uppercase()));
        for text in files.truths.iter().map(|t| &t.1).chain([text]) {
            assert!(text.contains(UNFILLED) && !holder(text), "{text}");
        }
    }

    #[test]
    fn ids_that_are_no_file_names_or_taken_are_refused() {
        for id in ["", "../x", "a/b", "Pool", "a--b", "-a", "a-", "ä", "9a", &"a".repeat(61)] {
            let said = new(id, None).err().expect(id).to_string();
            assert!(said.contains("is no id"), "{id}: {said}");
        }
        let taken = new("pool-leak", None).err().expect("it exists");
        assert!(taken.to_string().contains("there is a signature"), "{taken}");
    }
}
