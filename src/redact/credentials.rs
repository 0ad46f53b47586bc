//! Keys and tokens that are known by their form, without a name beside them.

/// What tokens of well-known services begin with, and how long they are at least.
const FORMS: [(&str, usize); 45] = [
    ("AKIA", 16),
    ("ASIA", 16),
    ("AROA", 16),
    ("AIDA", 16),
    ("ghp_", 20),
    ("gho_", 20),
    ("ghu_", 20),
    ("ghs_", 20),
    ("ghr_", 20),
    ("github_pat_", 20),
    ("glpat-", 16),
    ("gldt-", 16),
    ("xoxb-", 16),
    ("xoxp-", 16),
    ("xoxa-", 16),
    ("xoxr-", 16),
    ("xoxs-", 16),
    ("xapp-", 16),
    ("sk_live_", 12),
    ("sk_test_", 12),
    ("rk_live_", 12),
    ("pk_live_", 12),
    ("whsec_", 12),
    ("sk-", 24),
    ("AIza", 30),
    ("ya29.", 16),
    ("SG.", 24),
    ("npm_", 24),
    ("dop_v1_", 24),
    ("hf_", 24),
    ("hvs.", 16),
    ("glsa_", 16),
    ("pypi-", 24),
    ("hvb.", 16),
    ("shpat_", 20),
    ("dckr_pat_", 20),
    ("rubygems_", 20),
    ("xkeysib-", 20),
    ("NRAK-", 16),
    ("lin_api_", 20),
    ("AGE-SECRET-KEY-", 30),
    ("SCRAM-SHA-256$", 24),
    ("$2a$", 20),
    ("$2b$", 20),
    ("$2y$", 20),
];

/// Says whether a word is a key or a token by its form.
pub fn is_credential(word: &str) -> bool {
    if word.len() < 12 {
        return false;
    }
    let known = FORMS.iter().any(|(p, len)| word.len() >= *len && word.starts_with(p));
    (known && word[3..].bytes().any(|b| b.is_ascii_digit() || b.is_ascii_uppercase()))
        || is_jwt(word)
        || is_random(word)
}

/// Three parts of Base64, the first of which is `{"` (RFC 7519).
fn is_jwt(word: &str) -> bool {
    let part = |p: &str| {
        p.len() >= 4 && p.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    };
    word.starts_with("eyJ") && word.split('.').count() >= 2 && word.split('.').take(2).all(part)
}

/// Length from which letters and digits without order are taken for a key; a digest in hex has no
/// capitals, and identifiers of traces are shorter.
const RANDOM: usize = 32;
/// Least of each of capitals, small letters and digits; of 32 random ones there are 5 digits on average.
const EACH: usize = 3;

fn is_random(word: &str) -> bool {
    if word.len() < RANDOM || word.starts_with("sha") {
        return false;
    }
    let count = |is: fn(&u8) -> bool| word.bytes().filter(is).count();
    word.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'_' | b'-' | b'='))
        && !word.contains("--")
        && word.matches(['-', '_']).count() < 4
        && count(u8::is_ascii_uppercase) >= EACH
        && count(u8::is_ascii_lowercase) >= EACH
        && count(u8::is_ascii_digit) >= EACH
}

/// Says whether what stands behind `Bearer` and the like is a token and no word.
pub fn is_opaque(value: &str) -> bool {
    let form = value.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~+/=".contains(&b));
    let mixed = value.bytes().any(|b| b.is_ascii_digit())
        || value.bytes().skip(1).any(|b| b.is_ascii_uppercase());
    form && value.len() >= 6 && mixed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_known_by_their_form_and_identifiers_are_none() {
        for yes in [
            "AKIAIOSFODNN7EXAMPLE",
            "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
            "xoxb-17653672481-19874698323",
            "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY12",
        ] {
            assert!(is_credential(yes), "{yes}");
        }
        for no in [
            "4bf92f3577b34da6a3ce929d0e0e4736",
            "550e8400-e29b-41d4-a716-446655440000",
            "checkout-7d9f8b6c5-x2x9z",
            "http_server_request_duration_seconds_bucket",
            "sk-learn-worker",
            "AbstractConnectionPoolManagerImplementation",
        ] {
            assert!(!is_credential(no), "{no}");
        }
        assert!(is_opaque("dXNlcjpwYXNz") && !is_opaque("authentication"));
    }
}
