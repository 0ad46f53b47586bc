//! What the names of files say of their series. In: paths. Out: panels, stems, whether two are one.

/// The name of a file without folders and endings.
pub fn stem(path: &str) -> &str {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.split('.').next().unwrap_or(name)
}

/// The panel whose name a Grafana export's file begins with: `Duration p99-data-2026-11-20 …`,
/// `Duration p99-data-as-joinbyfield-2026-…`.
pub fn panel_of(stem: &str) -> &str {
    let exported = |rest: &str| rest.starts_with("as-") || dated(rest);
    let cut = stem.match_indices("-data-").find(|(i, w)| exported(&stem[i + w.len()..]));
    cut.map_or(stem, |(i, _)| &stem[..i])
}

/// Says whether a text begins with a year.
fn dated(text: &str) -> bool {
    text.len() >= 4 && text.bytes().take(4).all(|b| b.is_ascii_digit())
}

/// Says whether a manifest lists this file, packed or not.
pub fn same_file(listed: &str, path: &str) -> bool {
    let path = path.trim_end_matches(".gz").trim_end_matches(".zst");
    listed == path
        || listed.ends_with(&format!("/{path}"))
        || path.ends_with(&format!("/{listed}"))
        || path.rsplit('/').next() == listed.rsplit('/').next()
}
