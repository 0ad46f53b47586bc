//! The workload behind the names that Kubernetes makes up. In: the name of a pod or a replica set.
//! Out: the name without its random parts.

/// The workload of a pod or replica set: its name without the parts that Kubernetes appends.
///
/// `label` says what the name is of: `pod`, `pod_name` or `replicaset`.
pub fn workload<'n>(name: &'n str, label: &str) -> &'n str {
    // Kubernetes' random suffixes have no vowels, which would make words; tolerate short digests.
    let random = |w: &str| w.bytes().all(|b| b"bcdfghjklmnpqrstvwxz2456789".contains(&b));
    let digest = |w: &str| {
        let plain = w.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        let mixed = w.bytes().any(|b| b.is_ascii_digit()) && plain;
        (4..=10).contains(&w.len()) && (mixed || w.len() > 7 && random(w))
    };
    let Some((rest, last)) = name.rsplit_once('-').filter(|(r, _)| !r.is_empty()) else {
        return name;
    };
    match label {
        "replicaset" if digest(last) => rest,
        "pod" | "pod_name" => match rest.rsplit_once('-') {
            Some((head, set)) if digest(set) && (3..=5).contains(&last.len()) => head,
            _ if last.len() <= 4 && last.bytes().all(|b| b.is_ascii_digit()) => rest,
            _ if last.len() == 5 && random(last) => rest,
            _ => name,
        },
        _ => name,
    }
}
