//! One span in two files: the same traces saved as OTLP and as Jaeger, or two searches that overlap.
//! In: all spans. Out: each span of a trace once, and a note about the files that repeat others.

use super::raw::{FileId, Raw, RawSpan, RawSpans};
use crate::model::{Gap, GapKind, Micros};
use std::collections::{BTreeMap, BTreeSet};

/// What one span is told by. A call's two sides may share an id (Zipkin): the kind tells them apart.
type Key = (u128, u64, u8);

fn key(span: RawSpan) -> Key {
    (span.trace, span.span, span.kind as u8)
}

/// Leaves out the spans that an earlier file has as well.
///
/// Copies within one file stay here: what an exporter wrote twice is found where parents are looked
/// for, and other spans may share an id. A span without ids is never a copy.
pub(super) fn leave_out(raw: &mut Raw) {
    let together = together(&raw.spans);
    if together.is_empty() {
        return;
    }
    let mut seen: hashbrown::HashMap<Key, FileId> = hashbrown::HashMap::new();
    let mut repeated: BTreeMap<(FileId, FileId), u64> = BTreeMap::new();
    raw.spans.retain(|span| {
        if !together.contains(&span.file) || span.trace == 0 || span.span == 0 {
            return true;
        }
        let first = *seen.entry(key(span)).or_insert(span.file);
        if first != span.file {
            *repeated.entry((span.file, first)).or_default() += 1;
        }
        first == span.file
    });
    for ((file, first), count) in repeated {
        let name = |f: FileId| raw.files.get(f as usize).map(|f| f.path.as_str());
        let (Some(path), Some(first)) = (name(file), name(first)) else { continue };
        let what = format!("spans that stand in {first} as well: each is counted once");
        let gap = Gap { count, ..Gap::at(GapKind::Inferred, path, None, what) };
        raw.gaps.push(gap);
    }
}

/// Files whose spans overlap in time with those of another file: only these can repeat.
fn together(spans: &RawSpans) -> BTreeSet<FileId> {
    let mut times: BTreeMap<FileId, (Micros, Micros)> = BTreeMap::new();
    for span in spans.iter() {
        let own = times.entry(span.file).or_insert((span.start, span.start));
        *own = (own.0.min(span.start), own.1.max(span.start));
    }
    let mut sorted: Vec<_> = times.into_iter().collect();
    sorted.sort_by_key(|(_, span)| *span);
    let mut found = BTreeSet::new();
    let mut latest: Option<(FileId, Micros)> = None;
    for (file, (from, to)) in sorted {
        if let Some((other, _)) = latest.filter(|(_, end)| from <= *end) {
            found.extend([other, file]);
        }
        if latest.is_none_or(|(_, end)| to > end) {
            latest = Some((file, to));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::raw::{InputFile, SpanKind};

    fn span(file: FileId, span: u64, start: Micros, kind: SpanKind) -> RawSpan {
        RawSpan { file, trace: 7, span, start, kind, ..RawSpan::default() }
    }

    #[test]
    fn a_span_of_two_files_is_counted_once_and_said() {
        let server = SpanKind::Server;
        let files = ["a", "b", "c"].map(InputFile::named).into();
        let mut raw = Raw { files, ..Raw::default() };
        raw.spans.extend([
            span(0, 1, 10, server),
            span(0, 1, 10, SpanKind::Client),
            span(0, 1, 10, server),
            span(0, 0, 10, server),
            span(1, 1, 10, server),
            span(1, 0, 10, server),
            span(1, 2, 11, server),
            span(2, 2, 90, server),
        ]);
        leave_out(&mut raw);
        let left: Vec<_> = raw.spans.iter().map(|s| (s.file, s.span)).collect();
        // File c lies elsewhere in time: it cannot repeat what a and b hold.
        assert_eq!(left, [(0, 1), (0, 1), (0, 1), (0, 0), (1, 0), (1, 2), (2, 2)]);
        assert_eq!(raw.gaps.len(), 1);
        assert_eq!((raw.gaps[0].count, raw.gaps[0].file.as_deref()), (1, Some("b")));
        assert!(raw.gaps[0].what.contains("stand in a as well"), "{:?}", raw.gaps);
    }

    #[test]
    fn files_are_together_when_one_begins_before_another_ends() {
        let mut all = RawSpans::default();
        all.extend(
            [(0, 0), (0, 100), (1, 5), (1, 9), (2, 50), (3, 200)]
                .map(|(file, start)| span(file, 1, start, SpanKind::Server)),
        );
        assert_eq!(together(&all), BTreeSet::from([0, 1, 2]));
        all.truncate(2);
        assert_eq!(together(&all), BTreeSet::new());
    }
}
