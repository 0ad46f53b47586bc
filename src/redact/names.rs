//! Names of files that were told apart before redaction and may not be after it. In: the new names, one
//! after the other. Out: names of which no two are the same.

use std::collections::{BTreeMap, BTreeSet};

/// The names of one folder or archive.
#[derive(Debug, Default)]
pub struct Names {
    given: BTreeSet<String>,
    /// How often each was asked for: the next number need not be looked for.
    turns: BTreeMap<String, u64>,
}

impl Names {
    /// The name, or the name with a number before its first dot where another file has it.
    pub fn unique(&mut self, name: &str) -> String {
        let at = name.rfind('/').map_or(0, |slash| slash + 1);
        let dot = name[at..].find('.').filter(|dot| *dot > 0).map_or(name.len(), |dot| at + dot);
        let turn = self.turns.entry(name.to_owned()).or_default();
        loop {
            *turn += 1;
            let new = match *turn {
                1 => name.to_owned(),
                n => format!("{}-{n}{}", &name[..dot], &name[dot..]),
            };
            if self.given.insert(new.clone()) {
                return new;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_is_given_twice() {
        let mut names = Names::default();
        let asked = ["a/x.csv.gz", "a/x-2.csv.gz", "a/x.csv.gz", "x", "x", "b.d/.x", "b.d/.x"];
        let given = asked.map(|n| names.unique(n));
        assert_eq!(
            given,
            ["a/x.csv.gz", "a/x-2.csv.gz", "a/x-3.csv.gz", "x", "x-2", "b.d/.x", "b.d/.x-2"]
        );
    }
}
