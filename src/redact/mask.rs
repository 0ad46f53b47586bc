//! Credentials that stand in exports, hidden before any report is made: passwords, keys and tokens in
//! labels, titles, names of operations, tags and messages. In and out: what was read. Names, addresses
//! and hosts stay, for they are what the person on call needs.

use super::keys::{self, Class};
use super::{Redactor, Settings};
use crate::error::Result;
use crate::ingest::raw::Raw;
use crate::ingest::text::Text;

/// Hides credentials, and literals of statements that stand where no statement is expected.
///
/// # Errors
///
/// Never, as there are no patterns that could be wrong.
pub fn mask(raw: &mut Raw) -> Result<()> {
    let mut all = Redactor::new(&Settings { mask: true, ..Settings::default() })?;
    let mut text = |class: Class, text: &mut String| {
        if let Some(new) = all.value(class, text, 0) {
            *text = new;
        }
    };
    for series in &mut raw.series {
        for (name, value) in &mut series.labels {
            text(only_secret(name), value);
        }
        text(Class::Other, &mut series.name);
    }
    for event in &mut raw.events {
        for part in [&mut event.title, &mut event.version, &mut event.service, &mut event.target] {
            text(Class::Other, part);
        }
    }
    raw.symbols.each(|name| text(Class::Other, name));
    raw.logs.iter_mut().for_each(|log| text(Class::Other, &mut log.application));
    raw.incident.title.iter_mut().for_each(|t| text(Class::Other, t));
    raw.gaps.iter_mut().for_each(|g| text(Class::Other, &mut g.what));
    let mut shared = |t: &mut Text| {
        let mut own = t.as_str().to_owned();
        text(Class::Other, &mut own);
        if own != t.as_str() {
            *t = Text::from(own);
        }
    };
    for session in &mut raw.sessions {
        let parts = [&mut session.query_tag, &mut session.application];
        parts.into_iter().filter(|t| !t.is_empty()).for_each(&mut shared);
    }
    Ok(())
}

/// The class of a label, if it is that of a secret.
fn only_secret(name: &str) -> Class {
    match keys::class(name) {
        secret @ (Class::Secret | Class::Header) => secret,
        _ => Class::Other,
    }
}
