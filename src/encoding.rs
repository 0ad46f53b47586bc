//! Bytes as letters. In: bytes or text. Out: hex digits, or percent-encoding.

/// The bytes as lower-case hex digits, two each; empty for none.
pub fn hex(bytes: impl IntoIterator<Item = u8>) -> String {
    bytes.into_iter().map(|b| format!("{b:02x}")).collect()
}

/// Percent-encodes all but what RFC 3986 (section 2.3) leaves as it is, and the letters of `also`.
pub fn percent_encoded(text: &str, also: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        let letter = char::from(byte);
        match byte.is_ascii_alphanumeric() || "-_.~".contains(letter) || also.contains(letter) {
            true => out.push(letter),
            false => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_become_letters() {
        assert_eq!(hex([0, 10, 255]), "000aff");
        assert_eq!(hex([]), "");
        assert_eq!(percent_encoded("minute=03/a b~ü", "/"), "minute%3D03/a%20b~%C3%BC");
        assert_eq!(percent_encoded("a/b", ""), "a%2Fb");
    }
}
