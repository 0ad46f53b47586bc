//! A site's own numbers and accepted findings, checked against the catalogue. In: catalogue and
//! rows of `params.toml` and `suppress.toml`. Out: the catalogue as it holds at this site, and
//! every row that does not fit it, with a suggestion.

use super::{Catalog, SignatureFile, SiteValue};
use crate::diagnosis::OverrideReport;
use crate::error::{Error, Result, did_you_mean};
use crate::ingest::site::{ParamOverride, Site, Suppression};
use crate::model::{Gap, GapKind};
use std::borrow::Cow;

/// The catalogue at one site.
pub struct AtSite<'a> {
    pub catalog: Cow<'a, Catalog>,
    /// Overrides that hold, sorted by signature and parameter.
    pub overrides: Vec<OverrideReport>,
    /// Suppressions by id; their end is compared with the incident later.
    pub suppressions: Vec<Suppression>,
    /// Rows of the folder's own files that do not fit.
    pub gaps: Vec<Gap>,
}

/// A row that does not fit the catalogue.
struct Misfit {
    place: String,
    what: String,
    hint: Option<String>,
}

impl Misfit {
    fn new(place: &str, what: String, hint: Option<String>) -> Misfit {
        Misfit { place: place.to_owned(), what, hint }
    }

    fn into_gap(self) -> Gap {
        let (file, line) = match self.place.rsplit_once(':') {
            Some((file, line)) if line.parse::<u64>().is_ok() => (file, line.parse().ok()),
            _ => (self.place.as_str(), None),
        };
        let hint = self.hint.map(|h| format!("; {h}")).unwrap_or_default();
        Gap::at(GapKind::Unreadable, file, line, format!("not used: {}{hint}", self.what))
    }

    fn into_error(self) -> Error {
        let error = Error::usage(self.place, self.what);
        match self.hint {
            Some(hint) => error.hint(hint),
            None => error,
        }
    }
}

/// Applies what the folder says, then what the command line says, which wins.
///
/// # Errors
///
/// When a row of the command line's files does not fit the catalogue.
pub fn at_site<'a>(catalog: &'a Catalog, folder: Site, given: Site) -> Result<AtSite<'a>> {
    let mut site = AtSite {
        catalog: Cow::Borrowed(catalog),
        overrides: Vec::new(),
        suppressions: Vec::new(),
        gaps: Vec::new(),
    };
    for row in &folder.params {
        if let Err(misfit) = site.set(row) {
            site.gaps.push(misfit.into_gap());
        }
    }
    for row in &given.params {
        site.set(row).map_err(Misfit::into_error)?;
    }
    for row in folder.suppressions {
        if let Err(misfit) = site.suppress(row) {
            site.gaps.push(misfit.into_gap());
        }
    }
    for row in given.suppressions {
        site.suppress(row).map_err(Misfit::into_error)?;
    }
    site.overrides.sort_by(|a, b| (&a.signature, &a.param).cmp(&(&b.signature, &b.param)));
    Ok(site)
}

/// The signature of a row, by id or code.
fn find<'a>(
    catalog: &'a Catalog,
    name: &str,
    place: &str,
) -> std::result::Result<&'a SignatureFile, Misfit> {
    catalog.find(name).map_err(|e| Misfit::new(place, e.what, e.hint))
}

impl AtSite<'_> {
    fn set(&mut self, row: &ParamOverride) -> std::result::Result<(), Misfit> {
        let signature = find(&self.catalog, &row.signature, &row.place)?;
        let (id, name) = (signature.signature.id.clone(), &row.param);
        let fail = |what: String, hint| Err(Misfit::new(&row.place, what, hint));
        let Some(param) = signature.params.get(name) else {
            let known = signature.params.keys().map(String::as_str);
            let near = did_you_mean(name, known.clone());
            let hint = match near {
                Some(near) => format!("did you mean \"{near}\"?"),
                None => format!("it has {}", known.collect::<Vec<_>>().join(", ")),
            };
            return fail(format!("{id} has no parameter \"{name}\""), Some(hint));
        };
        if param.unit != row.unit {
            let (own, given) = (&param.unit, &row.unit);
            let what = format!("the unit of {name} of {id} is \"{own}\", not \"{given}\"");
            return fail(what, Some(format!("give the value in {own}")));
        }
        if row.value < 0.0 && param.value >= 0.0 {
            return fail(format!("{name} of {id} cannot be negative ({})", row.value), None);
        }
        let default = param.site.as_ref().map_or(param.value, |s| s.default);
        let why = row.why.clone();
        let site = SiteValue { default, why: why.clone(), place: row.place.clone() };
        if let Some(before) = self.overrides.iter().find(|o| o.signature == id && o.param == *name)
        {
            let what = format!("{name} of {id} is also set in {}: this one holds", before.place);
            self.gaps.push(Gap::new(GapKind::Doubtful, format!("{}: {what}", row.place)));
        }
        self.overrides.retain(|o| o.signature != id || o.param != *name);
        self.overrides.push(OverrideReport {
            signature: id.clone(),
            param: name.clone(),
            value: row.value,
            unit: row.unit.clone(),
            default,
            why,
            place: row.place.clone(),
        });
        let own = self.catalog.to_mut().signatures.iter_mut().find(|s| s.signature.id == id);
        if let Some(param) = own.and_then(|s| s.params.get_mut(name)) {
            param.value = row.value;
            param.site = Some(site);
        }
        Ok(())
    }

    fn suppress(&mut self, row: Suppression) -> std::result::Result<(), Misfit> {
        let id = find(&self.catalog, &row.id, &row.place)?.signature.id.clone();
        self.suppressions.push(Suppression { id, ..row });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(signature: &str, param: &str, value: f64, unit: &str) -> ParamOverride {
        ParamOverride {
            signature: signature.to_owned(),
            param: param.to_owned(),
            value,
            unit: unit.to_owned(),
            why: "w".to_owned(),
            place: "params.toml:7".to_owned(),
        }
    }

    fn site(params: &[ParamOverride]) -> Site {
        Site { params: params.to_vec(), suppressions: Vec::new() }
    }

    #[test]
    fn an_override_holds_in_the_catalogue_and_knows_the_default() {
        let catalog = Catalog::built_in().expect("sound");
        let folder = site(&[row("pool-undersized", "full_share", 0.6, "ratio")]);
        let given = site(&[row("POOL-0003", "full_share", 0.7, "ratio")]);
        let at = at_site(&catalog, folder, given).expect("fits");
        let changed = at.catalog.find("pool-undersized").expect("there");
        assert_eq!(changed.params["full_share"].value, 0.7);
        let original = catalog.find("pool-undersized").expect("there").params["full_share"].value;
        assert_eq!(at.overrides.len(), 1, "the command line wins");
        assert_eq!((at.overrides[0].value, at.overrides[0].default), (0.7, original));
        assert!(at.gaps.iter().any(|g| g.what.contains("is also set")), "{:?}", at.gaps);
        assert_eq!(at.catalog.hash, catalog.hash, "the hash is that of the files");
    }

    #[test]
    fn what_does_not_fit_is_a_gap_in_the_folder_and_an_error_on_the_command_line() {
        let catalog = Catalog::built_in().expect("sound");
        let misfits = [
            (row("pool-undersizd", "full_share", 0.6, "ratio"), "did you mean \"pool-undersized\""),
            (row("pool-undersized", "ful_share", 0.6, "ratio"), "did you mean \"full_share\""),
            (row("pool-undersized", "zzz", 0.6, "ratio"), "full_share"),
            (row("pool-undersized", "full_share", 60.0, "%"), "\"ratio\", not \"%\""),
            (row("pool-undersized", "full_share", -0.6, "ratio"), "cannot be negative"),
        ];
        for (misfit, said) in misfits {
            let at = at_site(&catalog, site(std::slice::from_ref(&misfit)), Site::default())
                .expect("a gap");
            assert!(at.overrides.is_empty() && matches!(at.catalog, Cow::Borrowed(_)));
            let gap = &at.gaps[0];
            assert_eq!((gap.file.as_deref(), gap.line), (Some("params.toml"), Some(7)));
            assert!(gap.what.contains(said), "{said}: {gap:?}");
            let error = at_site(&catalog, Site::default(), site(&[misfit])).err();
            let error = error.expect("stops");
            let whole = format!("{error} {}", error.hint.clone().unwrap_or_default());
            assert!(whole.contains("params.toml:7") && whole.contains(said), "{said}: {whole}");
        }
    }
}
