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

/// What a component's id in a configuration database names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Component<'n> {
    /// A machine.
    Host(&'n str),
    /// A service or store as a whole.
    Whole(&'n str),
    /// A service, and its instance.
    Instance(&'n str, &'n str),
}

/// Names of machines that are numbered.
const HOSTS: [&str; 5] = ["node", "host", "vm", "server", "machine"];

/// Reads a component's id: `redis`, `cart-0`, or with what it runs on or in, `node-1.cart-0`.
pub fn component(id: &str) -> Component<'_> {
    let last = id.rsplit_once('.').map_or(id, |(_, last)| last);
    match workload(last, "pod") {
        // A name with dots, which are no one's parts.
        whole if whole == last => Component::Whole(id),
        kind if HOSTS.contains(&kind) => Component::Host(last),
        service => Component::Instance(service, last),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn components_are_hosts_services_or_their_instances() {
        assert_eq!(component("node-6.cart2-0"), Component::Instance("cart2", "cart2-0"));
        assert_eq!(
            component("shop.cart-7d9f8b6c5-x2x4z"),
            Component::Instance("cart", "cart-7d9f8b6c5-x2x4z")
        );
        assert_eq!(component("node-6"), Component::Host("node-6"));
        assert_eq!(component("Tomcat01"), Component::Whole("Tomcat01"));
        assert_eq!(component("db01.internal.example"), Component::Whole("db01.internal.example"));
    }
}
