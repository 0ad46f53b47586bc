//! Units as exports write them. In: what stands behind a number, or a Grafana unit id. Out: the
//! base unit (`s`, `bytes`, `by/s`, `ratio`, `1/s`, or none) and the factor to it.

/// A base unit and what to multiply by to come to it.
pub type Scale = (&'static str, f64);

/// Words that stand for themselves. A year is that of Grafana's formatter of seconds.
const WORDS: [(&str, &str, f64); 39] = [
    ("ns", "s", 1e-9),
    ("µs", "s", 1e-6),
    ("μs", "s", 1e-6),
    ("us", "s", 1e-6),
    ("ms", "s", 1e-3),
    ("millisecond", "s", 1e-3),
    ("milliseconds", "s", 1e-3),
    ("s", "s", 1.0),
    ("sec", "s", 1.0),
    ("secs", "s", 1.0),
    ("second", "s", 1.0),
    ("seconds", "s", 1.0),
    ("min", "s", 60.0),
    ("mins", "s", 60.0),
    ("minute", "s", 60.0),
    ("minutes", "s", 60.0),
    ("hour", "s", 3600.0),
    ("hours", "s", 3600.0),
    ("day", "s", 86_400.0),
    ("days", "s", 86_400.0),
    ("week", "s", 604_800.0),
    ("weeks", "s", 604_800.0),
    ("month", "s", 2_592_000.0),
    ("months", "s", 2_592_000.0),
    ("year", "s", 31_556_900.0),
    ("years", "s", 31_556_900.0),
    ("bytes", "bytes", 1.0),
    ("%", "ratio", 0.01),
    ("/s", "1/s", 1.0),
    ("1/s", "1/s", 1.0),
    ("K", "", 1e3),
    ("Mil", "", 1e6),
    ("Bil", "", 1e9),
    ("Tri", "", 1e12),
    ("Quadr", "", 1e15),
    ("Quint", "", 1e18),
    ("Sext", "", 1e21),
    ("Sept", "", 1e24),
    ("p/s", "1/s", 1.0),
];

/// Things counted a second, in the spellings of newer and older Grafana.
const A_SECOND: [&str; 23] = [
    "req/s", "reqs/s", "reqps", "ops/s", "ops", "c/s", "cps", "rd/s", "rps", "wr/s", "wps", "io/s",
    "iops", "evt/s", "eps", "msg/s", "msgs/s", "mps", "rec/s", "recps", "rows/s", "rowsps", "pps",
];
/// Things counted a minute.
const A_MINUTE: [&str; 19] = [
    "c/m", "cpm", "ops/m", "opm", "req/m", "reqpm", "rd/m", "rpm", "wr/m", "wpm", "evt/m",
    "evts/m", "epm", "msg/m", "msgs/m", "mpm", "rec/m", "recpm", "rows/m",
];
/// Thousands in front of a counted thing; `B` is the American billion.
const THOUSANDS: [(&str, f64); 7] =
    [("K", 1e3), ("Mil", 1e6), ("Bil", 1e9), ("Tri", 1e12), ("M", 1e6), ("B", 1e9), ("T", 1e12)];

const BYTES: [(&str, &str, f64); 4] =
    [("B", "bytes", 1.0), ("B/s", "by/s", 1.0), ("Bs", "by/s", 1.0), ("Bps", "by/s", 1.0)];
const BITS: [(&str, &str, f64); 3] =
    [("b", "bytes", 0.125), ("b/s", "by/s", 0.125), ("bps", "by/s", 0.125)];
const OFTEN: [(&str, &str, f64); 3] =
    [("Hz", "1/s", 1.0), ("p/s", "1/s", 1.0), ("pps", "1/s", 1.0)];

const LARGE: [(&str, f64); 18] = [
    ("", 1.0),
    ("k", 1e3),
    ("K", 1e3),
    ("M", 1e6),
    ("G", 1e9),
    ("T", 1e12),
    ("P", 1e15),
    ("E", 1e18),
    ("Z", 1e21),
    ("Y", 1e24),
    ("Ki", 1024.0),
    ("Mi", 1_048_576.0),
    ("Gi", 1_073_741_824.0),
    ("Ti", 1_099_511_627_776.0),
    ("Pi", 1_125_899_906_842_624.0),
    ("Ei", 1_152_921_504_606_846_976.0),
    ("Zi", 1_180_591_620_717_411_303_424.0),
    ("Yi", 1_208_925_819_614_629_174_706_176.0),
];
const SMALL: [(&str, f64); 6] =
    [("f", 1e-15), ("p", 1e-12), ("n", 1e-9), ("µ", 1e-6), ("μ", 1e-6), ("m", 1e-3)];

/// A unit that reads the same for everybody. `kb` and `mB` do not: people mean bytes by them and
/// megabytes, Grafana bits and thousandths.
pub fn clear(suffix: &str) -> Option<Scale> {
    let word = WORDS.iter().find(|(w, _, _)| *w == suffix).map(|(_, base, f)| (*base, *f));
    word.or_else(|| counted(suffix)).or_else(|| prefixed(suffix, &LARGE, &BYTES))
}

/// A unit as a formatted cell of Grafana has it, bits and thousandths included. A lone `m` may be
/// a thousandth, minutes or metres: it is not read.
pub fn formatted(suffix: &str) -> Option<Scale> {
    let lone = |of: &[(&str, f64)]| {
        let prefix = of.iter().find(|(p, _)| *p == suffix && !p.is_empty() && suffix != "m");
        prefix.map(|(_, f)| ("", *f))
    };
    clear(suffix)
        .or_else(|| prefixed(suffix, &SMALL, &BYTES))
        .or_else(|| [&LARGE[..], &SMALL].iter().find_map(|p| prefixed(suffix, p, &BITS)))
        .or_else(|| [&LARGE[..], &SMALL].iter().find_map(|p| prefixed(suffix, p, &OFTEN)))
        .or_else(|| lone(&LARGE).or_else(|| lone(&SMALL)))
}

fn counted(suffix: &str) -> Option<Scale> {
    let thing = |t: &str| {
        let second = A_SECOND.contains(&t).then_some(1.0);
        second.or_else(|| (A_MINUTE.contains(&t) || t == "rowspm").then_some(1.0 / 60.0))
    };
    let thousands = THOUSANDS.iter().find_map(|(t, f)| {
        let rest = suffix.strip_prefix(t)?.strip_prefix(' ')?;
        thing(rest).map(|a| a * f)
    });
    thing(suffix).or(thousands).map(|f| ("1/s", f))
}

fn prefixed(
    suffix: &str,
    prefixes: &[(&str, f64)],
    roots: &[(&str, &'static str, f64)],
) -> Option<Scale> {
    roots.iter().find_map(|(root, base, own)| {
        let prefix = suffix.strip_suffix(root)?;
        let (_, f) = prefixes.iter().find(|(p, _)| *p == prefix)?;
        Some((*base, f * own))
    })
}

/// Ids of Grafana's units beside those made of a prefix and bytes or bits.
const IDS: [(&str, &str, f64); 33] = [
    ("none", "", 1.0),
    ("short", "", 1.0),
    ("sishort", "", 1.0),
    ("locale", "", 1.0),
    ("sci", "", 1.0),
    ("percent", "ratio", 0.01),
    ("percentunit", "ratio", 1.0),
    ("s", "s", 1.0),
    ("ms", "s", 1e-3),
    ("µs", "s", 1e-6),
    ("ns", "s", 1e-9),
    ("m", "s", 60.0),
    ("h", "s", 3600.0),
    ("d", "s", 86_400.0),
    ("dtdurations", "s", 1.0),
    ("dtdurationms", "s", 1e-3),
    ("dthms", "s", 1.0),
    ("dtdhms", "s", 1.0),
    ("clocks", "s", 1.0),
    ("clockms", "s", 1e-3),
    ("timeticks", "s", 0.01),
    ("hertz", "1/s", 1.0),
    ("bytes", "bytes", 1.0),
    ("decbytes", "bytes", 1.0),
    ("bits", "bytes", 0.125),
    ("decbits", "bytes", 0.125),
    ("Bps", "by/s", 1.0),
    ("binBps", "by/s", 1.0),
    ("bps", "by/s", 0.125),
    ("binbps", "by/s", 0.125),
    ("deckbits", "bytes", 125.0),
    ("bool", "", 1.0),
    ("string", "", 1.0),
];

/// What a Grafana unit id says about raw values; `None` for one that is not known.
pub fn of_id(id: &str) -> Option<Scale> {
    let own = IDS.iter().find(|(i, _, _)| *i == id).map(|(_, base, f)| (*base, *f));
    own.or_else(|| counted(id)).or_else(|| data(id)).or_else(|| data_rate(id))
}

/// `mbytes` counts MiB, `decmbytes` MB.
fn data(id: &str) -> Option<Scale> {
    let stem = id.strip_suffix("bytes")?;
    let (letter, binary) = stem.strip_prefix("dec").map_or((stem, "i"), |l| (l, ""));
    prefixed(&format!("{}{binary}B", letter.to_uppercase()), &LARGE, &BYTES)
}

/// `MBs`, `MiBs` count bytes, `Mbits`, `Mibits` bits a second.
fn data_rate(id: &str) -> Option<Scale> {
    match id.strip_suffix("bits") {
        Some(prefix) => prefixed(&format!("{prefix}b/s"), &LARGE, &BITS),
        None => prefixed(id, &LARGE, &BYTES).filter(|(base, _)| *base == "by/s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suffixes_are_read_with_their_prefixes() {
        let of = |s: &str| formatted(s);
        assert_eq!(of("mB"), Some(("bytes", 1e-3)));
        assert_eq!(of("MB"), Some(("bytes", 1e6)));
        assert_eq!(of("MiB/s"), Some(("by/s", 1_048_576.0)));
        assert_eq!(of("kb/s"), Some(("by/s", 125.0)));
        assert_eq!(of("K req/s"), Some(("1/s", 1e3)));
        assert_eq!(of("B ops/s"), Some(("1/s", 1e9)));
        assert_eq!(of("ops/m"), Some(("1/s", 1.0 / 60.0)));
        assert_eq!(of("mHz"), Some(("1/s", 1e-3)));
        assert_eq!(of("k"), Some(("", 1e3)));
        assert_eq!(of("week"), Some(("s", 604_800.0)));
        for no in ["m", "", "px", "%H", "mins ago", "undefined req/s"] {
            assert_eq!(of(no), None, "{no}");
        }
        for no in ["mB", "kb/s", "Mb", "k", "M", "G"] {
            assert_eq!(clear(no), None, "{no} is not clear outside Grafana");
        }
    }

    #[test]
    fn ids_are_read_with_their_factors() {
        let cases = [
            ("mbytes", "bytes", 1_048_576.0),
            ("decmbytes", "bytes", 1e6),
            ("kbytes", "bytes", 1024.0),
            ("deckbytes", "bytes", 1e3),
            ("KBs", "by/s", 1e3),
            ("KiBs", "by/s", 1024.0),
            ("Mbits", "by/s", 125_000.0),
            ("percent", "ratio", 0.01),
            ("reqps", "1/s", 1.0),
            ("opm", "1/s", 1.0 / 60.0),
            ("m", "s", 60.0),
        ];
        for (id, base, factor) in cases {
            assert_eq!(of_id(id), Some((base, factor)), "{id}");
        }
        assert_eq!(of_id("dB"), None);
        assert_eq!(of_id("suffix:pods"), None);
    }
}
