//! Kubernetes quantities: `100m`, `512Mi`, `2k`, `1e3`. In: text. Out: a number of the base unit.

/// Suffixes with their factors; upper and lower case differ (`m` is a thousandth, `M` a million).
const SUFFIXES: [(&str, f64); 15] = [
    ("Ki", 1024.0),
    ("Mi", 1_048_576.0),
    ("Gi", 1_073_741_824.0),
    ("Ti", 1_099_511_627_776.0),
    ("Pi", 1_125_899_906_842_624.0),
    ("Ei", 1_152_921_504_606_846_976.0),
    ("n", 1e-9),
    ("u", 1e-6),
    ("m", 1e-3),
    ("k", 1e3),
    ("M", 1e6),
    ("G", 1e9),
    ("T", 1e12),
    ("P", 1e15),
    ("E", 1e18),
];

/// Reads a quantity; `None` when it is not one.
pub fn quantity(text: &str) -> Option<f64> {
    let text = text.trim();
    let (amount, factor) = match SUFFIXES.iter().find(|(s, _)| text.ends_with(s)) {
        Some((suffix, factor)) => (text.strip_suffix(suffix)?, *factor),
        None => (text, 1.0),
    };
    // An exponent is a suffix of its own: `1e3Ki` is no quantity, and neither is `inf`.
    let exponent = factor == 1.0;
    let plain = |b: u8| b.is_ascii_digit() || b"+-.".contains(&b) || exponent && b"eE".contains(&b);
    let value: f64 = amount.bytes().all(plain).then(|| amount.parse().ok())??;
    Some(value * factor).filter(|v| v.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn quantities_are_read_by_kubernetes_own_rules() {
        for (text, value) in [
            ("100m", 0.1),
            ("0", 0.0),
            ("2", 2.0),
            ("1.5", 1.5),
            ("1e3", 1000.0),
            ("1E3", 1000.0),
            ("12E", 12e18),
            ("512Mi", 536_870_912.0),
            ("1Gi", 1_073_741_824.0),
            ("128974848000m", 128_974_848.0),
            ("129M", 129e6),
            ("500u", 5e-4),
            ("16393244Ki", 16_786_681_856.0),
        ] {
            let is = quantity(text).unwrap_or(f64::NAN);
            assert!((is - value).abs() <= value.abs() * 1e-12, "{text}: {is}");
        }
        for no in ["", "m", "Ki", "inf", "NaN", "1 Gi", "1KB", "1e3Ki", "0x10", "1mi", "max"] {
            assert_eq!(quantity(no), None, "{no}");
        }
    }

    proptest! {
        #[test]
        fn a_suffix_multiplies(amount in 0_u32..2_000_000, suffix in 0..SUFFIXES.len()) {
            let (suffix, factor) = SUFFIXES[suffix];
            let is = quantity(&format!("{amount}{suffix}")).expect("a quantity");
            prop_assert_eq!(is, f64::from(amount) * factor);
        }

        #[test]
        fn millis_of_a_thousandfold_are_the_same(amount in 0_u32..2_000_000) {
            let whole = quantity(&amount.to_string()).expect("a quantity");
            let milli = quantity(&format!("{}m", u64::from(amount) * 1000)).expect("a quantity");
            prop_assert!((whole - milli).abs() <= whole * 1e-12);
            prop_assert_eq!(quantity(&format!("{amount}e0")), Some(whole));
            prop_assert_eq!(quantity(&format!("-{amount}")), Some(-whole));
        }

        #[test]
        fn any_text_is_a_finite_number_or_none(text in "\\PC{0,12}") {
            prop_assert!(quantity(&text).is_none_or(f64::is_finite));
        }
    }
}
