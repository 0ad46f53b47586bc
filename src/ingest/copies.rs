//! One span in two files: the same traces saved as OTLP and as Jaeger, or two searches that overlap.
//! In: all spans. Out: each span of a trace once, and a note about the files that repeat others.

use super::raw::{FileId, Raw, RawSpan, RawSpans};
use crate::model::{Gap, GapKind, Micros};
use rayon::prelude::*;
use std::collections::BTreeMap;

/// Parts in which spans are compared, a trace in one: the table of a part stays in the processor's
/// cache, and there is one for each thread instead of one of all spans.
const PARTS: usize = 256;
/// The coarsest times that exporters round to, microseconds: a copy may start so much elsewhere.
const ROUNDING: Micros = 1000;

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
    let shared = shared(&raw.spans);
    if shared.is_empty() {
        return;
    }
    let found = repeats(&raw.spans, &shared);
    let rows: Vec<u32> = found.iter().map(|f| f.0).collect();
    raw.spans.leave_out(&rows);
    let mut repeated: BTreeMap<(FileId, FileId), u64> = BTreeMap::new();
    for (_, file, first) in found {
        *repeated.entry((file, first)).or_default() += 1;
    }
    for ((file, first), count) in repeated {
        let name = |f: FileId| raw.files.get(f as usize).map(|f| f.path.as_str());
        let (Some(path), Some(first)) = (name(file), name(first)) else { continue };
        let what = format!("spans that stand in {first} as well: each is counted once");
        let gap = Gap { count, ..Gap::at(GapKind::Inferred, path, None, what) };
        raw.gaps.push(gap);
    }
}

/// Spans in the stretches that an earlier file has as well: row, own file and the first file, by row.
fn repeats(spans: &RawSpans, shared: &[(Micros, Micros)]) -> Vec<(u32, FileId, FileId)> {
    let is_shared = |start: Micros| {
        let next = shared.partition_point(|(from, _)| *from <= start);
        next > 0 && start <= shared[next - 1].1
    };
    let (_, starts, _) = spans.columns();
    let mut parts: Vec<Vec<u32>> = vec![Vec::new(); PARTS];
    for (row, start) in starts.iter().enumerate() {
        if is_shared(*start) {
            parts[spans.part_of(row, PARTS)].push(row as u32);
        }
    }
    let each = |rows: &Vec<u32>| {
        let mut seen: hashbrown::HashMap<Key, FileId> = hashbrown::HashMap::new();
        let again = |row: &u32| {
            let span = spans.get(*row as usize).filter(|s| s.trace != 0 && s.span != 0)?;
            let first = *seen.entry(key(span)).or_insert(span.file);
            (first != span.file).then_some((*row, span.file, first))
        };
        rows.iter().filter_map(again).collect::<Vec<_>>()
    };
    let mut found: Vec<_> = parts.par_iter().map(each).collect::<Vec<_>>().concat();
    found.sort_unstable();
    found
}

/// Stretches of time in which spans of several files start, rising: a copy starts where its original
/// does, so files that follow each other are compared at their seams only.
fn shared(spans: &RawSpans) -> Vec<(Micros, Micros)> {
    let (shape, start, _) = spans.columns();
    let mut times: BTreeMap<FileId, (Micros, Micros)> = BTreeMap::new();
    let files: Vec<FileId> = spans.shapes().iter().map(|s| s.file).collect();
    // Spans of a file stand together.
    let mut row = 0;
    for alike in shape.chunk_by(|a, b| files[*a as usize] == files[*b as usize]) {
        let own = times.entry(files[alike[0] as usize]).or_insert((Micros::MAX, Micros::MIN));
        for t in &start[row..row + alike.len()] {
            *own = (own.0.min(*t), own.1.max(*t));
        }
        row += alike.len();
    }
    let mut sorted: Vec<(Micros, Micros)> = times.into_values().collect();
    sorted.sort_unstable();
    let mut found: Vec<(Micros, Micros)> = Vec::new();
    let mut latest = Micros::MIN;
    for (from, to) in sorted {
        let (from, to) = (from.saturating_sub(ROUNDING), to.saturating_add(ROUNDING));
        let both = (from, to.min(latest));
        match found.last_mut() {
            _ if both.0 > both.1 => {}
            Some(last) if both.0 <= last.1 => last.1 = last.1.max(both.1),
            _ => found.push(both),
        }
        latest = latest.max(to);
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
            span(2, 2, 9000, server),
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
    fn files_share_the_time_in_which_both_have_spans() {
        let all = |of: &[(FileId, Micros)]| {
            let mut spans = RawSpans::default();
            spans.extend(of.iter().map(|(f, t)| span(*f, 1, t * ROUNDING, SpanKind::Server)));
            shared(&spans).into_iter().map(|(a, b)| (a / ROUNDING, b / ROUNDING)).collect()
        };
        let found: Vec<(Micros, Micros)> =
            all(&[(0, 0), (0, 100), (1, 5), (1, 9), (2, 50), (3, 200), (4, 98), (4, 150)]);
        assert_eq!(found, [(4, 10), (49, 51), (97, 101)]);
        let none: Vec<(Micros, Micros)> = all(&[(0, 0), (0, 100), (1, 103), (1, 203)]);
        assert_eq!(none, []);
    }
}
