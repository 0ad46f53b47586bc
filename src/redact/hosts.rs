//! Hosts that have a domain. In: a word. Out: whether it is one, and its token: a label for a label,
//! so that a domain stays one; the top-level domain and what a cloud's names end in stay.
//!
//! Names of a cluster's own DNS (`cart.shop.svc.cluster.local`) are names of services, and the first
//! label of a managed store's address is the store's name: both stay, as all names do.

use super::tokens::{self, Tokens};
use std::net::Ipv4Addr;

/// Top-level domains by which a name of two labels is known as a host.
const TOPS: [&str; 34] = [
    "com",
    "net",
    "org",
    "io",
    "dev",
    "app",
    "cloud",
    "internal",
    "intern",
    "local",
    "lan",
    "corp",
    "intranet",
    "home",
    "private",
    "example",
    "test",
    "edu",
    "gov",
    "mil",
    "info",
    "biz",
    "ai",
    "co",
    "tech",
    "online",
    "site",
    "xyz",
    "systems",
    "services",
    "network",
    "localdomain",
    "prod",
    "arpa",
];
/// Top-level domains that are words elsewhere too: a host has three labels there.
const COUNTRIES: [&str; 67] = [
    "de",
    "uk",
    "fr",
    "nl",
    "eu",
    "us",
    "ca",
    "au",
    "jp",
    "ch",
    "at",
    "se",
    "no",
    "es",
    "it",
    "pl",
    "dk",
    "fi",
    "be",
    "cz",
    "ie",
    "in",
    "cn",
    "kr",
    "br",
    "mx",
    "ru",
    "ua",
    "tr",
    "za",
    "nz",
    "sg",
    "hk",
    "pt",
    "gr",
    "hu",
    "lu",
    "li",
    "ro",
    "il",
    "bank",
    "insurance",
    "finance",
    "agency",
    "company",
    "digital",
    "international",
    "solutions",
    "software",
    "studio",
    "technology",
    "ventures",
    "world",
    "gmbh",
    "llc",
    "ltd",
    "tv",
    "cc",
    "gg",
    "email",
    "hosting",
    "museum",
    "health",
    "care",
    "shopping",
    "travel",
    "global",
];
/// Of these, those that no attribute and no package ends in.
const CERTAIN: [&str; 10] =
    ["com", "org", "dev", "internal", "local", "lan", "corp", "intranet", "edu", "gov"];
/// First labels of the names of packages, which are hosts the other way round.
const PACKAGES: [&str; 6] = ["com", "org", "io", "net", "java", "javax"];
/// First labels of the names of attributes, which look like hosts.
const NAMESPACES: [&str; 24] = [
    "system",
    "process",
    "container",
    "k8s",
    "jvm",
    "go",
    "nodejs",
    "dotnet",
    "db",
    "http",
    "rpc",
    "messaging",
    "network",
    "faas",
    "service",
    "server",
    "client",
    "host",
    "os",
    "disk",
    "aws",
    "azure",
    "gcp",
    "node",
];
/// Domains in which the kinds, labels and images of Kubernetes are named: they are of no site.
const PUBLIC: [&str; 9] = [
    "k8s.io",
    "kubernetes.io",
    "coreos.com",
    "docker.io",
    "docker.com",
    "quay.io",
    "ghcr.io",
    "gcr.io",
    "opentelemetry.io",
];
/// What names in a cloud end in.
const CLOUDS: [&str; 10] = [
    "amazonaws.com",
    "amazonaws.com.cn",
    "compute.internal",
    "ec2.internal",
    "googleapis.com",
    "windows.net",
    "azure.com",
    "cloudapp.net",
    "c.internal",
    "google.internal",
];
/// Labels that say which service of a cloud a name belongs to.
const CLOUD_WORDS: [&str; 12] = [
    "rds",
    "cache",
    "compute",
    "compute-1",
    "internal",
    "elb",
    "s3",
    "sqs",
    "dynamodb",
    "es",
    "clustercfg",
    "database",
];

/// Says whether an address tells where something stands.
pub fn is_private(address: Ipv4Addr) -> bool {
    let mask = address.octets()[0] == 255;
    !(address.is_loopback() || address.is_unspecified() || mask || tokens::is_ipv4(address))
}

fn is_label(label: &str) -> bool {
    (1..=63).contains(&label.len())
        && label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
}

/// Says whether a word is a host with a domain; `placed` where it stands in a URL, so that it is no
/// name of a package, an attribute or a class.
fn is_host(word: &str, labels: &[&str], placed: bool) -> bool {
    if labels.len() < 2 || word.len() > 253 || !labels.iter().all(|l| is_label(l)) {
        return false;
    }
    let top = labels[labels.len() - 1].to_ascii_lowercase();
    let first = labels[0].to_ascii_lowercase();
    // `SocketException`: classes are no labels of hosts.
    // `Web1.acme.com` begins as a sentence does.
    let begun = usize::from(CERTAIN.contains(&top.as_str()));
    let camel = |l: &&str| {
        l.bytes().skip(begun).any(|b| b.is_ascii_uppercase())
            && l.bytes().any(|b| b.is_ascii_lowercase())
    };
    let package = PACKAGES.contains(&first.as_str());
    let attribute = NAMESPACES.contains(&first.as_str()) && !CERTAIN.contains(&top.as_str());
    if !placed && (package || attribute || labels.iter().any(camel)) {
        return false;
    }
    let country = COUNTRIES.contains(&top.as_str());
    // In a URL three labels are a host, but `redis-0.redis.prod` is a name of a cluster's own DNS.
    let whole = placed && labels.len() > 2 && top.len() > 1 && !is_member(labels);
    let lettered = top.bytes().all(|b| b.is_ascii_alphabetic());
    TOPS.contains(&top.as_str()) || country && (placed || labels.len() > 2) || whole && lettered
}

/// Says whether the first label is a numbered member of the second, as in a set of pods.
fn is_member(labels: &[&str]) -> bool {
    let number = labels[0].strip_prefix(labels[1]).and_then(|n| n.strip_prefix('-'));
    number.is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
}

/// Says whether a word is a host of tokens only.
pub fn is_token(word: &str) -> bool {
    let labels: Vec<&str> = word.split('.').collect();
    let own = labels.iter().filter(|l| tokens::is_label(l)).count();
    own > 0 && own + 1 >= labels.len()
}

/// The token of a host; `None` when the word is none, or nothing in it is private. `placed` says that
/// it stands where a URL has its host.
pub fn token(word: &str, all: &mut Tokens, placed: bool) -> Option<String> {
    if !word.contains('.') {
        let dashed = word.starts_with("ip-") && !tokens::is_label(word);
        let token = dashed.then(|| all.label(word))?;
        return token.starts_with("ip-").then_some(token);
    }
    let labels: Vec<&str> = word.split('.').collect();
    let lower = word.to_ascii_lowercase();
    let public =
        |p: &&str| lower.strip_suffix(*p).is_some_and(|l| l.is_empty() || l.ends_with('.'));
    if !is_host(word, &labels, placed)
        || PUBLIC.iter().any(public)
        || word.ends_with(".invalid")
        || word == "localhost.localdomain"
    {
        return None;
    }
    let keep = kept(&lower, &labels);
    let mut changed = false;
    let new: Vec<String> = labels
        .iter()
        .enumerate()
        .map(|(i, label)| {
            let stays = keep(i) || tokens::is_label(label);
            changed |= !stays;
            if stays { (*label).to_owned() } else { all.label(label) }
        })
        .collect();
    changed.then(|| new.join("."))
}

/// Which labels stay.
fn kept<'a>(lower: &str, labels: &'a [&'a str]) -> impl Fn(usize) -> bool + 'a {
    let last = labels.len() - 1;
    let service = labels.iter().position(|l| *l == "svc" || *l == "pod");
    let cluster = lower.ends_with(".cluster.local");
    let cloud = CLOUDS.iter().find(|c| lower.ends_with(&format!(".{c}")));
    let suffix = cloud.map_or(0, |c| c.split('.').count());
    let local = lower.ends_with(".local");
    move |i| {
        let label = labels[i];
        let region =
            || label.matches('-').count() >= 2 && label.ends_with(|c: char| c.is_ascii_digit());
        match () {
            () if i == last || cluster => true,
            () if service.is_some_and(|s| i <= s) => true,
            () if suffix > 0 && i + suffix > last => true,
            () if suffix > 0 && i > 0 => CLOUD_WORDS.contains(&label) || region(),
            () if suffix > 0 || local => {
                i == 0 && !["ip-", "ec2-"].iter().any(|p| label.starts_with(p))
            }
            () => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_told_from_names_and_keep_their_form() {
        let mut all = Tokens::new(b"key", false);
        let no = [
            "service.name",
            "db.query.text",
            "system.disk.io",
            "java.net",
            "com.example.shop",
            "cart.shop.svc.cluster.local",
            "cart.shop.svc",
            "app.js",
            "1.2.3",
            "a.b",
            "cart",
            "org.apache.SocketException.net",
            "localhost.localdomain",
        ];
        for word in no {
            assert_eq!(token(word, &mut all, false), None, "{word}");
        }
        let host = token("db1.prod.acme.com", &mut all, false).expect("a host");
        assert!(host.ends_with(".com") && host.matches('.').count() == 3, "{host}");
        assert!(!host.contains("acme") && !host.contains("prod"), "{host}");
        assert_eq!(token(&host, &mut all, false), None, "a token stays");
        let other = token("web.acme.com", &mut all, false).expect("a host");
        assert_eq!(other.split('.').nth(1), host.split('.').nth(2), "one domain");
        let rds =
            token("orders.c9akciq32.eu-west-1.rds.amazonaws.com", &mut all, false).expect("a host");
        assert!(rds.starts_with("orders.x") && rds.ends_with(".eu-west-1.rds.amazonaws.com"));
        let ip = token("ip-10-0-3-7.ec2.internal", &mut all, false).expect("a host");
        assert!(ip.starts_with("ip-2") && ip.ends_with(".ec2.internal"), "{ip}");
        assert!(token("shop.acme.de", &mut all, false).is_some());
        // What stands in a URL is a host, whatever it looks like.
        for word in ["acme.de", "db.acme.io", "Db1.acme.com", "io.acme.com"] {
            let new = token(word, &mut all, true).expect("a host").to_lowercase();
            assert!(!new.contains("acme"), "{word}: {new}");
        }
        assert_eq!(token("cart.shop.svc", &mut all, true), None);
    }
}
