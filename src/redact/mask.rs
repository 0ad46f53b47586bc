//! What no report of a folder shows. In and out: what was read, before anything is made of it.
//!
//! One rule for all texts, by what they are and how they look:
//!
//! - Keys, tokens and passwords are hidden wherever they stand.
//! - Words for people (titles, messages, statements, what is said of a defect), and names that are
//!   no single word, also lose literals and comments of statements, mail and IP addresses.
//! - A name of one word stays as it is, even an address: the incident is told in names, and `10.0.0.7`
//!   or `rabbit@node-1.shop` may be what an instance is called. A mail address in a label for
//!   people (`user`, `author`, `email`) is no such name and is hidden.
//!
//! What is hidden leaves a mark that is the same for all values: nothing can be undone from it.

use super::keys::{self, Class};
use super::{Masking, Redactor, Settings};
use crate::error::Result;
use crate::ingest::raw::Raw;
use crate::ingest::texts::Told;

/// Hides credentials everywhere, and in texts for people also literals, comments and addresses.
///
/// # Errors
///
/// Never, as there are no patterns that could be wrong.
pub fn mask(raw: &mut Raw) -> Result<()> {
    let with = |masking| Redactor::new(&Settings { masking, ..Settings::default() });
    let mut names = with(Masking::Credentials)?;
    let mut prose = with(Masking::Prose)?;
    raw.each_text(&mut |told, text| {
        let (class, plain) = match told {
            Told::Prose => (Class::Other, false),
            Told::Query => (Class::Other, true),
            Told::Name => (Class::Other, is_word(text)),
            Told::Label(name) => match keys::class(name) {
                secret @ (Class::Secret | Class::Header | Class::Count | Class::Data) => {
                    (secret, true)
                }
                Class::User => (Class::Other, !text.contains('@')),
                _ => (Class::Other, is_word(text) && !keys::is_mail(name)),
            },
        };
        let all = if plain { &mut names } else { &mut prose };
        all.value(class, text, 0)
    });
    Ok(())
}

/// Says whether a name is a single word.
fn is_word(text: &str) -> bool {
    !text.bytes().any(|b| b.is_ascii_whitespace())
}
