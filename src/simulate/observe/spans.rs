//! Spans of sampled traces, as an SDK records them when they end.

use super::is_traced;
use crate::simulate::station::Nanos;
use crate::simulate::world::{Purpose, World};

/// What a span is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpanKind {
    Server {
        program: u16,
    },
    Client {
        edge: u16,
        attempt: u16,
    },
    /// `error` is the SQLSTATE it ended with, empty if it ran.
    Statement {
        database: u16,
        statement: u16,
        error: &'static str,
    },
    /// A login that was turned down.
    Refused {
        database: u16,
        down: bool,
    },
    Look {
        cache: u16,
        hit: bool,
    },
    Fill {
        cache: u16,
    },
    Forget {
        cache: u16,
    },
    Partition {
        store: u16,
        place: u16,
    },
    Send {
        queue: u16,
    },
    Receive {
        queue: u16,
    },
    Name,
}

/// One span.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    pub kind: SpanKind,
    pub service: u16,
    pub instance: u16,
    pub version: u16,
    pub trace: u32,
    pub span: u32,
    /// 0 of a root.
    pub parent: u32,
    pub from: Nanos,
    pub to: Nanos,
    pub status: u16,
    pub key: u32,
    /// Microseconds by which the clock that stamped it was ahead.
    pub ahead_us: i64,
}

fn push(
    world: &mut World,
    task: u32,
    span: u32,
    parent: u32,
    kind: SpanKind,
    from: Nanos,
    status: u16,
) {
    let t = &world.tasks[task as usize];
    let (service, instance, trace, key) = (t.service, t.instance, t.trace, t.key);
    let s = &world.services[usize::from(service)];
    if s.external || world.now < world.zero || !world.record.has_room() {
        return;
    }
    let ahead_us = s.ahead_us;
    let version = s.instances[usize::from(instance)].version;
    let to = world.now;
    world.record.spans.push(Span {
        kind,
        service,
        instance,
        version,
        trace,
        span,
        parent,
        from,
        to,
        status,
        key,
        ahead_us,
    });
}

/// The span of a request or message that the task worked on.
pub fn server(world: &mut World, task: u32, status: u16) {
    let t = &world.tasks[task as usize];
    if !is_traced(t.trace) {
        return;
    }
    let (span, parent, from, program) = (t.span, t.parent, t.arrived, t.program);
    let from_users = t.caller != crate::simulate::world::NONE
        && matches!(world.purpose(t.caller), Purpose::User(_));
    let kind = match world.purpose(task) {
        Purpose::Message(queue) => SpanKind::Receive { queue },
        _ => SpanKind::Server { program },
    };
    // The users' own spans are nowhere recorded: the entry's is the root.
    push(world, task, span, if from_users { 0 } else { parent }, kind, from, status);
}

/// The span of one attempt of the task's call.
pub fn client(world: &mut World, task: u32, status: u16) {
    let t = &world.tasks[task as usize];
    if is_traced(t.trace) {
        let kind = SpanKind::Client { edge: t.edge, attempt: t.attempt };
        let (span, parent, from) = (t.call_span, t.span, t.call_began);
        push(world, task, span, parent, kind, from, status);
    }
}

/// The span of a step that ends now, since the task's last wait began. Gives its id.
pub fn inner(world: &mut World, task: u32, kind: SpanKind) -> u32 {
    let t = &world.tasks[task as usize];
    if !is_traced(t.trace) {
        return 0;
    }
    let (parent, mut from) = (t.span, t.since);
    let edge = |cache: u16| world.caches[usize::from(cache)].edge;
    if let SpanKind::Look { cache, .. } | SpanKind::Fill { cache } | SpanKind::Forget { cache } =
        kind
        && edge(cache)
    {
        return 0;
    }
    if let SpanKind::Statement { database, .. } = kind {
        let backend = t.backend as usize;
        from = world.databases[usize::from(database)].backends[backend].query_began;
    }
    world.spans_given += 1;
    let span = world.spans_given;
    let good = !matches!(kind, SpanKind::Statement { error, .. } if !error.is_empty());
    push(world, task, span, parent, kind, from, if good { 200 } else { 500 });
    span
}
