//! pprof heap profiles of Go and Node. In: protobuf, inflated. Out: bytes in use by the function
//! that allocated them, by package, and with all that a function's callees allocated.

use super::super::raw::Raw;
use super::super::{Head, Input};
use super::{Moment, RETAINED, SIZE, push};
use crate::model::{GapKind, Micros};
use crate::time;
use prost::Message;
use prost::encoding::decode_varint;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// The name of what has none.
const UNKNOWN: &str = "(unknown)";
/// Bytes in use by package.
const PACKAGE: &str = "heap.package.size";
/// Bytes allocated since the start, in use or not.
const ALLOCATED: &str = "heap.allocated.size_total";

#[derive(Clone, PartialEq, Message)]
struct Profile {
    #[prost(message, repeated, tag = "1")]
    sample_type: Vec<ValueType>,
    #[prost(message, repeated, tag = "2")]
    sample: Vec<Sample>,
    #[prost(message, repeated, tag = "3")]
    mapping: Vec<Mapping>,
    #[prost(message, repeated, tag = "4")]
    location: Vec<Location>,
    #[prost(message, repeated, tag = "5")]
    function: Vec<Function>,
    #[prost(string, repeated, tag = "6")]
    string_table: Vec<String>,
    #[prost(int64, tag = "9")]
    time_nanos: i64,
}

#[derive(Clone, PartialEq, Message)]
struct ValueType {
    #[prost(int64, tag = "1")]
    kind: i64,
    #[prost(int64, tag = "2")]
    unit: i64,
}

#[derive(Clone, PartialEq, Message)]
struct Sample {
    /// The leaf first.
    #[prost(uint64, repeated, tag = "1")]
    location_id: Vec<u64>,
    #[prost(int64, repeated, tag = "2")]
    value: Vec<i64>,
}

#[derive(Clone, PartialEq, Message)]
struct Mapping {
    #[prost(int64, tag = "5")]
    filename: i64,
}

#[derive(Clone, PartialEq, Message)]
struct Location {
    #[prost(uint64, tag = "1")]
    id: u64,
    #[prost(message, repeated, tag = "4")]
    line: Vec<Line>,
}

#[derive(Clone, PartialEq, Message)]
struct Line {
    #[prost(uint64, tag = "1")]
    function_id: u64,
}

#[derive(Clone, PartialEq, Message)]
struct Function {
    #[prost(uint64, tag = "1")]
    id: u64,
    #[prost(int64, tag = "2")]
    name: i64,
    #[prost(int64, tag = "4")]
    filename: i64,
}

/// Tags of the fields of a profile, as they are written.
const TAGS: [u64; 16] = [
    0x0a, 0x12, 0x1a, 0x22, 0x2a, 0x32, 0x38, 0x40, 0x48, 0x50, 0x5a, 0x60, 0x68, 0x6a, 0x70, 0x78,
];

/// Accepts fields of a profile, in any order, among which is the type of a value.
pub fn accepts(head: &Head) -> bool {
    let mut rest = head.bytes;
    let mut typed = false;
    while !rest.is_empty() && !typed {
        let (Ok(tag), Ok(value)) = (decode_varint(&mut rest), decode_varint(&mut rest)) else {
            return false;
        };
        if !TAGS.contains(&tag) {
            return false;
        }
        if tag & 7 == 2 {
            let length = usize::try_from(value).unwrap_or(usize::MAX);
            let Some((body, behind)) = rest.split_at_checked(length) else { return false };
            // Two small numbers: which kind of value, and its unit.
            let pair = length < 9 && body.first() == Some(&0x08) && body.contains(&0x10);
            typed = tag == 0x0a && pair;
            rest = behind;
        }
    }
    typed
}

impl Profile {
    fn text(&self, index: i64) -> &str {
        let found = usize::try_from(index).ok().and_then(|i| self.string_table.get(i));
        found.map_or("", String::as_str)
    }

    /// Place among a sample's values of the first of these types.
    fn column(&self, kinds: &[&str]) -> Option<usize> {
        let bytes = |t: &&ValueType| self.text(t.unit) == "bytes";
        let find = |kind: &&str| {
            let same = |t: &ValueType| self.text(t.kind) == *kind && bytes(&t);
            self.sample_type.iter().position(same)
        };
        kinds.iter().find_map(find)
    }

    /// Says whether the profile refers to names or places that it does not hold, as one does that
    /// was cut between two of its fields.
    fn is_torn(&self) -> bool {
        let known: BTreeSet<u64> = self.location.iter().map(|l| l.id).collect();
        let named = |f: &Function| (f.name as usize) < self.string_table.len();
        let placed = |s: &Sample| s.location_id.iter().all(|id| known.contains(id));
        !self.function.iter().all(named) || !self.sample.iter().all(placed)
    }

    /// Name and package of each location's functions; where calls were inlined, the innermost first.
    fn places(&self) -> HashMap<u64, Vec<(&str, &str)>> {
        let place = |f: &Function| {
            let (name, file) = (self.text(f.name), self.text(f.filename));
            let name = if name.is_empty() { UNKNOWN } else { name };
            (name, package_of(name, file))
        };
        let functions: HashMap<u64, (&str, &str)> =
            self.function.iter().map(|f| (f.id, place(f))).collect();
        let known = |l: &Line| functions.get(&l.function_id).copied().unwrap_or((UNKNOWN, UNKNOWN));
        self.location.iter().map(|l| (l.id, l.line.iter().map(known).collect())).collect()
    }
}

/// Reads one profile.
pub fn read(input: &Input, raw: &mut Raw) {
    let profile = match Profile::decode(input.bytes) {
        Ok(profile) => profile,
        Err(e) => {
            let what = format!("the profile is not readable: {e}");
            return raw.gap(GapKind::Truncated, input.file, None, what);
        }
    };
    if profile.is_torn() {
        let what = "the profile refers to names or places that it does not hold: it was cut";
        raw.gap(GapKind::Truncated, input.file, None, what);
    }
    let Some(in_use) = profile.column(&["inuse_space", "space"]) else {
        let kinds = profile.sample_type.iter().map(|t| profile.text(t.kind));
        let kinds = kinds.collect::<Vec<_>>().join(", ");
        let what = format!("a profile of {kinds}: only heap profiles are read");
        return raw.gap(GapKind::Missing, input.file, None, what);
    };
    let stored = time::believable(profile.time_nanos / 1000);
    let Some(at) = stored.or_else(|| input.taken_at(raw)) else {
        let what = "the profile holds no time: give --at";
        return raw.gap(GapKind::Missing, input.file, None, what);
    };
    sizes(input, &profile, in_use, at, raw);
    raw.rows(input.file, profile.sample.len() as u64);
}

fn sizes(input: &Input, profile: &Profile, in_use: usize, at: Micros, raw: &mut Raw) {
    let places = profile.places();
    let allocated = profile.column(&["alloc_space"]);
    let [mut own, mut total, mut package, mut ever]: [BTreeMap<&str, f64>; 4] = Default::default();
    for sample in &profile.sample {
        let value = |column: usize| sample.value.get(column).map_or(0.0, |v| *v as f64);
        let frames = || sample.location_id.iter().filter_map(|id| places.get(id)).flatten();
        let (leaf, home) = frames().next().copied().unwrap_or((UNKNOWN, UNKNOWN));
        *own.entry(leaf).or_default() += value(in_use);
        *package.entry(home).or_default() += value(in_use);
        if let Some(column) = allocated {
            *ever.entry(leaf).or_default() += value(column);
        }
        // A function that calls itself counts once.
        for name in frames().map(|f| f.0).collect::<BTreeSet<&str>>() {
            *total.entry(name).or_default() += value(in_use);
        }
    }
    let process = process(input, profile);
    let moment = Moment { process: &process, instance: None, at };
    for (name, sizes) in [(SIZE, own), (RETAINED, total), (PACKAGE, package), (ALLOCATED, ever)] {
        let sizes = sizes.into_iter().map(|(k, v)| (k.to_owned(), v)).collect();
        push(input, name, &moment, sizes, raw);
    }
}

/// `github.com/a/b` of Go's `github.com/a/b.(*C).d`; in Node the package of the file, its built-in
/// module, or the name of the program's own file.
fn package_of<'a>(function: &'a str, file: &'a str) -> &'a str {
    if file.starts_with("node:") {
        return file;
    }
    if let Some((_, inner)) = file.rsplit_once("node_modules/") {
        let ends = inner.match_indices('/').map(|(at, _)| at);
        let end = ends.take(if inner.starts_with('@') { 2 } else { 1 }).last();
        return &inner[..end.unwrap_or(inner.len())];
    }
    if [".js", ".mjs", ".cjs", ".ts"].iter().any(|e| file.ends_with(e)) {
        return file.rsplit('/').next().unwrap_or(file);
    }
    let behind = function.rfind('/').map_or(0, |i| i + 1);
    let dot = function[behind..].find('.').map_or(function.len(), |i| behind + i);
    &function[..dot]
}

/// The program's file name, which Go writes first; else what stands before the time in the file's.
fn process(input: &Input, profile: &Profile) -> String {
    let binary = profile.mapping.first().map_or("", |m| profile.text(m.filename));
    let binary = binary.rsplit(['/', '\\']).next().unwrap_or_default();
    let stem = input.name().split(|c: char| c.is_ascii_digit() || c == '.').next();
    let stem = stem.unwrap_or_default().trim_end_matches(['-', '_', ' ']);
    let known = [binary, stem].into_iter().find(|n| !n.is_empty() && *n != "node");
    known.unwrap_or("process").to_owned()
}

#[cfg(test)]
mod tests {
    use super::package_of;

    #[test]
    fn packages_are_cut_off_functions() {
        assert_eq!(package_of("main.parseOrder", "main.go"), "main");
        assert_eq!(package_of("github.com/a/b.(*C).d", "/go/b/c.go"), "github.com/a/b");
        assert_eq!(package_of("(unknown)", ""), "(unknown)");
        assert_eq!(package_of("Module.load", "node:internal/modules"), "node:internal/modules");
        assert_eq!(package_of("f", "/srv/node_modules/@a/b/out/c.js"), "@a/b");
        assert_eq!(package_of("f", "/srv/node_modules/pg/c.js"), "pg");
        assert_eq!(package_of("cacheOrders", "/srv/shop/orders.js"), "orders.js");
    }
}
