//! A text that many rows share: a pointer to one copy, none for the empty text.

use hashbrown::HashSet;
use std::borrow::Borrow;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;

/// A shared text that never changes; it behaves as a `str`.
#[derive(Clone, Default)]
pub struct Text(Option<Arc<str>>);

impl Text {
    /// The text.
    #[inline]
    pub fn as_str(&self) -> &str {
        self.0.as_deref().unwrap_or_default()
    }
}

impl Deref for Text {
    type Target = str;

    #[inline]
    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl Borrow<str> for Text {
    #[inline]
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Text {
        Text((!text.is_empty()).then(|| Arc::from(text)))
    }
}

impl From<String> for Text {
    fn from(text: String) -> Text {
        Text::from(text.as_str())
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.as_str(), f)
    }
}

impl Hash for Text {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl PartialEq for Text {
    #[inline]
    fn eq(&self, other: &Text) -> bool {
        match (&self.0, &other.0) {
            (Some(a), Some(b)) => Arc::ptr_eq(a, b) || a == b,
            (a, b) => a.is_none() && b.is_none(),
        }
    }
}

impl Eq for Text {}

impl PartialEq<str> for Text {
    #[inline]
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for Text {
    #[inline]
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl PartialEq<String> for Text {
    #[inline]
    fn eq(&self, other: &String) -> bool {
        self.as_str() == other
    }
}

impl PartialOrd for Text {
    fn partial_cmp(&self, other: &Text) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Text {
    fn cmp(&self, other: &Text) -> Ordering {
        self.as_str().cmp(other.as_str())
    }
}

/// A text cut to so many characters, with `…` where something is missing. It ends where a word does
/// and before a literal that would stay open: of half an address or half a key nobody could tell what
/// it is, and it would be shown.
pub fn beginning(text: &str, most: usize) -> String {
    let Some((end, _)) = text.char_indices().nth(most) else { return text.to_owned() };
    let whole = &text[..end];
    let parts = |c: char| c.is_whitespace() || "\"'()[]{}<>,;|&?\\/=`".contains(c);
    let open = whole.matches('\'').count() % 2 == 1;
    let quote = whole.rfind('\'').filter(|_| open);
    let starts = quote.filter(|q| *q > 0 && whole[..*q].ends_with(['=', '(', ',', ' ']));
    let word = text[end..].starts_with(|c| !parts(c));
    let behind = |p: usize| p + whole[p..].chars().next().map_or(0, char::len_utf8);
    let last = whole.rfind(parts).filter(|_| word).map(behind);
    let cut = starts.or(last).unwrap_or(end);
    format!("{}…", whole[..cut].trim_end())
}

/// Different texts that are remembered; more are kept apart.
const SHARED: usize = 1 << 16;

/// Gives equal texts one copy.
#[derive(Default)]
pub struct Texts(HashSet<Text>);

impl Texts {
    /// The one copy of a text.
    pub fn share(&mut self, text: &str) -> Text {
        if text.is_empty() {
            return Text::default();
        }
        if let Some(known) = self.0.get(text) {
            return known.clone();
        }
        let own = Text::from(text);
        if self.0.len() < SHARED {
            self.0.insert(own.clone());
        }
        own
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_where_a_word_ends() {
        assert_eq!(beginning("short", 5), "short");
        assert_eq!(beginning("at carol@shop.example now", 12), "at…");
        assert_eq!(beginning("at carol@shop.example", 20), "at…");
        assert_eq!(beginning("see https://bob:pw@h/x", 15), "see https://…");
        assert_eq!(beginning("WHERE a = 'one two three'", 18), "WHERE a =…");
        assert_eq!(beginning("wide\u{2003}blank", 8), "wide…");
        assert_eq!(beginning("don't count on it", 12), "don't count…");
        assert_eq!(beginning(&"é".repeat(41), 40), format!("{}…", "é".repeat(40)));
    }

    #[test]
    fn equal_texts_share_one_copy_and_compare_as_str() {
        let mut texts = Texts::default();
        let (a, b) = (texts.share("orders"), texts.share("orders"));
        assert_eq!(a.as_ptr(), b.as_ptr());
        let earlier = texts.share("cart");
        assert!(a == "orders" && a == *"orders" && earlier < a);
        assert_eq!(texts.share(""), Text::default());
        assert!(Text::default().is_empty());
    }
}
