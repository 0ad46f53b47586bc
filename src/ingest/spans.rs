//! What all trace formats share: ids, resource identity, attribute aliases, error and peer rules
//! of the OpenTelemetry conventions, old names and new.

use super::raw::{RawSpan, SpanKind, Sym, Symbols};
use super::sql;
use serde::{Deserialize, Deserializer};
use std::borrow::Cow;
use std::sync::LazyLock;

/// Reads `null` as the default, as a field that is absent.
pub fn or_default<'de, D, T>(d: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Option::<T>::deserialize(d).map(Option::unwrap_or_default)
}

/// Reads a 128-bit trace id: hex of up to 32 digits, or base64 of 16 bytes.
pub fn id128(text: &str) -> Option<u128> {
    if (1..=32).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return u128::from_str_radix(text, 16).ok().filter(|v| *v != 0);
    }
    let bytes = base64(text)?;
    let value = bytes.iter().take(16).fold(0u128, |v, b| v << 8 | u128::from(*b));
    (value != 0).then_some(value)
}

/// Reads a 64-bit span id: hex of up to 16 digits, or base64 of 8 bytes; zero and empty are none.
pub fn id64(text: &str) -> Option<u64> {
    if (1..=16).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return u64::from_str_radix(text, 16).ok().filter(|v| *v != 0);
    }
    if text.is_empty() {
        return None;
    }
    let bytes = base64(text)?;
    let value = bytes.iter().take(8).fold(0u64, |v, b| v << 8 | u64::from(*b));
    (value != 0).then_some(value)
}

/// Reads up to 32 hex digits as they stand in a file; `None` for anything else.
pub fn hex128(digits: &[u8]) -> Option<u128> {
    if !(1..=32).contains(&digits.len()) {
        return None;
    }
    let (high, low) = digits.split_at(digits.len().saturating_sub(16));
    let high = if high.is_empty() { 0 } else { hex64(high)? };
    Some(u128::from(high) << 64 | u128::from(hex64(low)?))
}

/// Reads up to 16 hex digits as they stand in a file; `None` for anything else.
pub fn hex64(digits: &[u8]) -> Option<u64> {
    if !(1..=16).contains(&digits.len()) {
        return None;
    }
    // A bad digit sets a bit that no good one has.
    let (mut value, mut bad) = (0u64, 0u8);
    for digit in digits {
        let nibble = HEX[usize::from(*digit)];
        bad |= nibble;
        value = value << 4 | u64::from(nibble & 15);
    }
    (bad < 16).then_some(value)
}

/// What each byte is worth as a hex digit; 16 when it is none.
const HEX: [u8; 256] = {
    let mut table = [16; 256];
    let mut i = 0;
    while i < 256 {
        let byte = i as u8;
        if byte.is_ascii_digit() {
            table[i] = byte - b'0';
        } else if byte.is_ascii_hexdigit() {
            table[i] = (byte | 32) - b'a' + 10;
        }
        i += 1;
    }
    table
};

fn base64(text: &str) -> Option<Vec<u8>> {
    let digit = |b: u8| match b {
        b'A'..=b'Z' => Some(b - b'A'),
        b'a'..=b'z' => Some(b - b'a' + 26),
        b'0'..=b'9' => Some(b - b'0' + 52),
        b'+' | b'-' => Some(62),
        b'/' | b'_' => Some(63),
        _ => None,
    };
    let (mut bits, mut count, mut out) = (0u32, 0, Vec::new());
    for b in text.trim_end_matches('=').bytes() {
        bits = bits << 6 | u32::from(digit(b)?);
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push((bits >> count) as u8);
            bits &= (1 << count) - 1;
        }
    }
    Some(out)
}

/// Fills service, instance, version and host from resource attributes.
pub fn identity<'a>(get: &dyn Fn(&str) -> Option<&'a str>, symbols: &mut Symbols) -> RawSpan {
    let first = |names: &[&str]| names.iter().find_map(|n| get(n)).unwrap_or_default();
    let instance_id = first(&["service.instance.id"]);
    let pod = first(&["k8s.pod.name"]);
    let host = first(&["host.name", "hostname", "container.id"]);
    let instance = match () {
        () if !pod.is_empty() => pod,
        () if !instance_id.is_empty() && !is_uuid(instance_id) => instance_id,
        () if !host.is_empty() => host,
        () => instance_id,
    };
    RawSpan {
        service: symbols.intern(first(&["service.name"])),
        instance: symbols.intern(instance),
        version: symbols.intern(first(&["service.version"])),
        host: symbols.intern(first(&["k8s.node.name", "host.name", "hostname"])),
        ..RawSpan::default()
    }
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36 && text.bytes().filter(|b| *b == b'-').count() == 4
}

/// Attributes that say something about a span, in the order of [`Known`]'s places.
const NAMES: [&str; COUNT] = [
    "http.response.status_code",
    "http.status_code",
    "rpc.status_code",
    "rpc.grpc.status_code",
    "rpc.response.status_code",
    "error",
    "otel.status_code",
    "fault",
    "error.type",
    "exception.type",
    "db.system.name",
    "db.system",
    "db.query.text",
    "db.statement",
    "db.namespace",
    "db.name",
    "messaging.destination.name",
    "messaging.destination",
    "service.peer.name",
    "peer.service",
    "server.address",
    "net.peer.name",
    "peer.hostname",
    "http.host",
    "server.port",
    "net.peer.port",
    "url.full",
    "http.url",
    "network.peer.address",
    "net.sock.peer.addr",
    "net.peer.ip",
    "cache.key",
    "url.path",
    "http.target",
    "db.response.status_code",
];
const COUNT: usize = 35;

/// The places of names in [`NAMES`]; one that does not stand there does not compile.
const fn places<const N: usize>(names: [&str; N]) -> [usize; N] {
    let mut out = [COUNT; N];
    let mut i = 0;
    while i < N {
        let mut place = 0;
        while !same(names[i].as_bytes(), NAMES[place].as_bytes()) {
            place += 1;
        }
        out[i] = place;
        i += 1;
    }
    out
}

const fn same(a: &[u8], b: &[u8]) -> bool {
    let mut i = 0;
    while i < a.len() && i < b.len() && a[i] == b[i] {
        i += 1;
    }
    i == a.len() && i == b.len()
}

const HTTP_STATUS: [usize; 2] = places(["http.response.status_code", "http.status_code"]);
const GRPC_STATUS: [usize; 3] =
    places(["rpc.status_code", "rpc.grpc.status_code", "rpc.response.status_code"]);
const ERROR: [usize; 1] = places(["error"]);
const OTEL_STATUS: [usize; 1] = places(["otel.status_code"]);
const FAULT: [usize; 1] = places(["fault"]);
const ERROR_TYPE: [usize; 1] = places(["error.type"]);
const EXCEPTION: [usize; 1] = places(["exception.type"]);
const DB_STATUS: [usize; 1] = places(["db.response.status_code"]);
const DB_SYSTEM: [usize; 2] = places(["db.system.name", "db.system"]);
const STATEMENT: [usize; 2] = places(["db.query.text", "db.statement"]);
const NAMESPACE: [usize; 2] = places(["db.namespace", "db.name"]);
const DESTINATION: [usize; 2] = places(["messaging.destination.name", "messaging.destination"]);
const PEER_NAME: [usize; 2] = places(["service.peer.name", "peer.service"]);
const ADDRESS: [usize; 4] =
    places(["server.address", "net.peer.name", "peer.hostname", "http.host"]);
const PORT: [usize; 2] = places(["server.port", "net.peer.port"]);
const URL: [usize; 2] = places(["url.full", "http.url"]);
const CACHE_KEY: [usize; 1] = places(["cache.key"]);
const PATH: [usize; 2] = places(["url.path", "http.target"]);
const LOW_ADDRESS: [usize; 3] =
    places(["network.peer.address", "net.sock.peer.addr", "net.peer.ip"]);

/// An attribute's name and its index in [`NAMES`].
type Place = (&'static [u8], usize);

/// Places of [`NAMES`] by the length of the name: most attributes are told off by it.
static BY_LENGTH: LazyLock<Vec<Vec<Place>>> = LazyLock::new(|| {
    let longest = NAMES.iter().map(|n| n.len()).max().unwrap_or(0);
    let mut table = vec![Vec::new(); longest + 1];
    for (place, name) in NAMES.iter().enumerate() {
        table[name.len()].push((name.as_bytes(), place));
    }
    table
});

/// The attributes of one span that are understood; everything else is passed over.
#[derive(Default)]
pub struct Known<'a> {
    found: Vec<(usize, Cow<'a, str>)>,
    /// The bit of each place that was found.
    places: u64,
}

impl<'a> Known<'a> {
    /// The place of an attribute of that name; `None` when it says nothing here.
    #[inline]
    pub fn place(name: &[u8]) -> Option<usize> {
        let same = BY_LENGTH.get(name.len())?;
        same.iter().find(|(n, _)| *n == name).map(|(_, place)| *place)
    }

    /// Forgets everything, for the next span.
    pub fn clear(&mut self) {
        self.found.clear();
        self.places = 0;
    }

    /// Keeps the first value that is not empty.
    #[inline]
    pub fn put(&mut self, place: usize, value: Cow<'a, str>) {
        if self.places & (1 << place) == 0 && !value.is_empty() {
            self.places |= 1 << place;
            self.found.push((place, value));
        }
    }

    /// The value of the first of the places that is there; empty without any.
    fn get(&self, places: &[usize]) -> &str {
        let there = places.iter().find(|p| self.places & (1 << **p) != 0);
        let value = |place| self.found.iter().find(|(p, _)| p == place);
        there.and_then(value).map_or("", |(_, value)| value)
    }
}

/// Reads a span's own attributes: errors, the callee, database statement, messaging.
pub fn attributes(all: &[(&str, &str)], span: &mut RawSpan, symbols: &mut Symbols) {
    let mut known = Known::default();
    for (key, value) in all {
        if let Some(place) = Known::place(key.as_bytes()) {
            known.put(place, Cow::Borrowed(value));
        }
    }
    understand(&known, span, symbols);
}

/// Sets what the known attributes say about a span whose kind and status are read already.
pub fn understand(known: &Known, span: &mut RawSpan, symbols: &mut Symbols) {
    if known.places == 0 {
        return;
    }
    let client = matches!(span.kind, SpanKind::Client | SpanKind::Producer);
    errors(known, client, span, symbols);
    let system = known.get(&DB_SYSTEM);
    span.db_system = symbols.intern(system);
    let statement = known.get(&STATEMENT);
    if !statement.is_empty() {
        span.statement = symbols.statement(statement, |s| sql::normalize(s).text);
    }
    span.key = key(known, system, statement, span.kind);
    let destination = known.get(&DESTINATION);
    span.messaging = !destination.is_empty();
    if client || !system.is_empty() {
        span.peer = peer(known, system, destination, symbols);
    }
}

/// Hash of what a span reads or writes: the key of a cache's command, the path of a request
/// without its query. FNV-1a, 32 bits: of a million keys some hundred share a value.
fn key(known: &Known, system: &str, statement: &str, kind: SpanKind) -> u32 {
    let cached = ["redis", "memcached", "valkey"].contains(&system);
    let argument = statement.split_whitespace().nth(1).filter(|_| cached).unwrap_or_default();
    let path = match kind {
        SpanKind::Server => known.get(&PATH).split('?').next(),
        _ => None,
    };
    let names = [known.get(&CACHE_KEY), argument, path.unwrap_or_default()];
    let said = |n: &&&str| !n.is_empty() && **n != "?" && !n.starts_with('$');
    names.iter().find(said).map_or(0, |name| {
        let hash = |h: u32, b: u8| (h ^ u32::from(b)).wrapping_mul(0x0100_0193);
        name.bytes().fold(0x811c_9dc5, hash).max(1)
    })
}

fn errors(known: &Known, client: bool, span: &mut RawSpan, symbols: &mut Symbols) {
    let status: u32 = known.get(&HTTP_STATUS).parse().unwrap_or(0);
    let grpc = known.get(&GRPC_STATUS);
    let grpc_failed = match grpc {
        "" | "0" | "OK" => false,
        _ if client => true,
        code => ["2", "4", "12", "13", "14", "15"].contains(&code) || code.starts_with("UN"),
    };
    let flagged = matches!(known.get(&ERROR), "true" | "1")
        || known.get(&OTEL_STATUS) == "ERROR"
        || known.get(&FAULT) == "true";
    let error_type = known.get(&ERROR_TYPE);
    let http_failed = status >= 500 || (client && status >= 400);
    span.error |= flagged || http_failed || grpc_failed || !error_type.is_empty();
    if !span.error {
        return;
    }
    let exception = known.get(&EXCEPTION);
    let exception = exception.rsplit('.').next().unwrap_or_default();
    // A database's own code says more than the one exception that a driver has for all of them.
    let database = known.get(&DB_STATUS);
    let what = match () {
        () if !database.is_empty() => database,
        () if !exception.is_empty() => exception,
        () if !error_type.is_empty() => error_type,
        () if status > 0 => known.get(&HTTP_STATUS),
        () => grpc,
    };
    span.error_type = symbols.intern(what);
}

fn peer(known: &Known, system: &str, destination: &str, symbols: &mut Symbols) -> Sym {
    let (named, address) = (known.get(&PEER_NAME), known.get(&ADDRESS));
    let (port, low) = (known.get(&PORT), known.get(&LOW_ADDRESS));
    let url = host_of_url(known.get(&URL));
    let name = match () {
        () if !named.is_empty() => Cow::Borrowed(named),
        () if !destination.is_empty() => Cow::Borrowed(destination),
        () if !address.is_empty() => with_port(address, port),
        () if !url.is_empty() => Cow::Borrowed(url),
        () if !low.is_empty() => with_port(low, port),
        () if !system.is_empty() => match known.get(&NAMESPACE) {
            "" => Cow::Borrowed(system),
            namespace => Cow::Owned(format!("{system}:{namespace}")),
        },
        () => Cow::Borrowed(""),
    };
    symbols.intern(&name)
}

/// Keeps the port only where the address alone says nothing: loopback and bare IP addresses.
fn with_port<'a>(address: &'a str, port: &str) -> Cow<'a, str> {
    let bare = || address == "localhost" || address.parse::<std::net::IpAddr>().is_ok();
    match !port.is_empty() && bare() {
        true => Cow::Owned(format!("{address}:{port}")),
        false => Cow::Borrowed(address),
    }
}

fn host_of_url(url: &str) -> &str {
    let rest = url.split_once("://").map_or("", |(_, rest)| rest);
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    host.rsplit('@').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_from_hex_of_any_case_and_from_base64() {
        assert_eq!(id64("00000000000000FF"), Some(255));
        assert_eq!(id64("ff"), Some(255));
        assert_eq!(id64("AAAAAAAAAP8="), Some(255));
        assert_eq!(id64("0000000000000000"), None);
        assert_eq!(id128("W47/95gDgQPSabYzgT/HAA=="), id128("5b8efff798038103d269b633813fc700"));
        assert_eq!(id128("not an id!"), None);
    }

    #[test]
    fn old_and_new_attribute_names_mean_the_same() {
        let mut symbols = Symbols::default();
        let mut read = |all: &[(&str, &str)]| {
            let mut span = RawSpan { kind: SpanKind::Client, ..RawSpan::default() };
            attributes(all, &mut span, &mut symbols);
            (span.error, symbols.text(span.peer).to_owned())
        };
        let old = read(&[("http.status_code", "503"), ("net.peer.name", "catalog")]);
        let new = read(&[("http.response.status_code", "503"), ("server.address", "catalog")]);
        assert_eq!(old, new);
        assert_eq!(new, (true, "catalog".to_owned()));
        let local = read(&[
            ("db.system", "redis"),
            ("server.address", "127.0.0.1"),
            ("server.port", "6379"),
        ]);
        assert_eq!(local, (false, "127.0.0.1:6379".to_owned()));
        assert_eq!(read(&[("url.full", "https://u@api.example.com/x")]).1, "api.example.com");
    }
}
