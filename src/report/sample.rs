//! A diagnosis made by hand for the tests: a long query blocks the replay of a migration.

use super::sample_parts::*;
use crate::diagnosis::*;
use crate::model::{SECOND, Severity, Unit};
use crate::rollup::Source;
use std::collections::BTreeMap;

/// A link without onset and picture.
pub(super) fn link(name: &str, after: Option<&str>) -> ChainLink {
    ChainLink {
        entity: entity("service", name),
        role: Role::Victim,
        onset: None,
        onset_uncertainty_s: None,
        after: after.map(str::to_owned),
        said: String::new(),
        spark: None,
        evidence: vec![],
    }
}

fn evidence(id: &str, state: EvidenceState, strength: Strength, nats: f64, said: &str) -> Evidence {
    Evidence {
        id: id.to_owned(),
        name: "waiters".to_owned(),
        state,
        role: EvidenceRole::Supports,
        strength,
        nats,
        said: said.to_owned(),
        inferred: false,
        source: Some(EvidenceSource {
            file: "db/pg_stat_activity.csv".to_owned(),
            line: Some(1204),
            series: "pg_stat_activity".to_owned(),
            from: Some(START),
            to: Some(START + 175 * SECOND),
        }),
        spark: None,
    }
}

fn proof() -> Vec<Evidence> {
    use EvidenceState::{Absent, Present, Unobservable};
    use Strength::{Decisive, Moderate, Strong, Weak};
    let said = "10 of 10 catalog backends wait for Lock/relation in 36 of 36 snapshots";
    let mut e = vec![evidence("E1", Present, Decisive, 3.2, said)];
    e[0].role = EvidenceRole::Required;
    let said = "blocked by 11196 (startup); pid 13305 is the only older active transaction";
    e.push(evidence("E2", Present, Decisive, 3.0, said));
    e[1].inferred = true;
    let said = "replay lag begins at 20:10:01 and ends in the scrape in which pid 13305 ends";
    e.push(evidence("E3", Present, Strong, 2.1, said));
    e[2].source = Some(EvidenceSource {
        file: "prometheus/pg_replication_lag.json".to_owned(),
        line: None,
        series: "pg_replication_lag_seconds{instance=\"pg-replica\"}".to_owned(),
        from: None,
        to: None,
    });
    e[2].spark = Some(spark(Unit::Seconds, 0.0, 176.0, 0, true));
    let said = "database spans fall from 347 to 1: time is lost before the database";
    e.push(evidence("E4", Present, Strong, 1.9, said));
    let said = "user traffic 25.3/s, then 25.2/s: not more load";
    e.push(evidence("E5", Absent, Moderate, 0.9, said));
    e[4].role = EvidenceRole::Refutes;
    let said = "granted locks of pid 13305 (pg_locks was not exported)";
    e.push(evidence("E9", Unobservable, Weak, 0.0, said));
    e[5].source = None;
    e
}

fn action(kind: ActionKind, said: &str, run: Option<(&str, &str)>, effect: Option<&str>) -> Action {
    Action {
        kind,
        said: said.to_owned(),
        command: run.map(|(c, _)| c.to_owned()),
        on: run.map(|(_, on)| on.to_owned()),
        effect: effect.map(str::to_owned),
    }
}

fn actions() -> Vec<Action> {
    use ActionKind::{Confirm, Now, Prevent, Recover};
    let look = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND \
                wait_event = 'relation' AND datname = 'shop' AND pid <> pg_backend_pid();";
    let effect = "aborts a read-only report of metabase; it can be run again";
    vec![
        action(Prevent, "Set statement_timeout for the role metabase", None, None),
        action(Prevent, "Give max_standby_streaming_delay a finite value", None, None),
        action(
            Now,
            "Cancel the report query of metabase",
            Some(("SELECT pg_cancel_backend(13305);", "pg-replica")),
            Some(effect),
        ),
        action(Confirm, "Waiters on products go to 0", Some((look, "pg-replica")), None),
        action(Recover, "Let recommendation refill its cache before the next peak", None, None),
    ]
}

fn hypothesis(rank: usize, signature: Option<&str>, name: &str, p: f64) -> Hypothesis {
    Hypothesis {
        id: format!("H{rank}"),
        rank,
        signature: signature.map(str::to_owned),
        code: None,
        title: "Pool too small".to_owned(),
        headline: format!("The pool of {name} is too small"),
        entity: entity("service", name),
        probability: p,
        score: 1.0,
        role: Role::Contributing,
        severity: Severity::Medium,
        onset: Some(START),
        onset_uncertainty_s: None,
        facts: BTreeMap::new(),
        evidence: vec![],
        against: vec![],
        discriminators: vec![],
        mitigation: vec![],
        chain: vec![],
        terms: vec![Term { name: "prior".into(), nats: -3.0, said: "one in twenty".into() }],
    }
}

fn first() -> Hypothesis {
    let facts = [("pid", "13305"), ("application", "metabase"), ("relation", "products")];
    let term = |name: &str, nats, said: &str| Term { name: name.into(), nats, said: said.into() };
    let mut h = hypothesis(1, Some("long-query-blocks-replay"), "pg-replica", 0.93);
    h.code = Some("DB-0004".to_owned());
    h.title = "A long query on a standby blocks the replay of DDL".to_owned();
    h.headline = "A 3m32s query of metabase (pid 13305) on pg-replica keeps the replay of ALTER \
                  TABLE products waiting; catalog's pool fills with waiters"
        .to_owned();
    h.entity = entity("database", "pg-replica");
    h.role = Role::Cause;
    h.severity = Severity::Critical;
    h.onset = Some(START - SECOND);
    h.facts = facts.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
    h.evidence = proof();
    h.discriminators = vec![Discriminator {
        against: "pool-undersized".to_owned(),
        question: "Does pid 13305 hold a granted AccessShareLock on products?".to_owned(),
        this: "it does".to_owned(),
        other: "no such lock".to_owned(),
        command: Some("SELECT mode, granted FROM pg_locks WHERE pid = 13305;".to_owned()),
        cost: "10 s".to_owned(),
    }];
    h.mitigation = actions();
    h.chain = chain();
    h.terms = vec![
        term("prior", -3.2, "how common long-query-blocks-replay is"),
        term("evidence", 8.6, "6 pieces, see E1 to E9"),
        term(
            "position",
            1.1,
            "explains 5 of 5 entities that changed, by calls that are in the graph",
        ),
    ];
    h
}

fn rivals() -> Vec<Hypothesis> {
    use EvidenceState::{Absent, Present};
    let against =
        |id: &str, state, said: &str| vec![evidence(id, state, Strength::Strong, -2.0, said)];
    let mut pool = hypothesis(2, Some("pool-undersized"), "catalog", 0.04);
    pool.against =
        against("E10", Absent, "connections were held for 3 ms each before, demand is the same");
    let mut storm = hypothesis(3, Some("retry-storm"), "checkout", 0.02);
    storm.role = Role::Amplifier;
    storm.against = against("E11", Present, "starts 2 s after the pool is full");
    let mut other = hypothesis(4, None, "pg-primary", 0.01);
    other.discriminators = vec![];
    let mut deploy = hypothesis(5, Some("bad-deploy"), "recommendation", 0.004);
    deploy.role = Role::Rejected;
    deploy.against =
        against("E12", Absent, "142 s before the first failure, and nothing calls through it");
    vec![pool, storm, other, deploy]
}

fn skipped() -> Vec<Skipped> {
    vec![
        Skipped { signature: "dns-latency".into(), missing: vec!["dns.lookup.duration".into()] },
        Skipped { signature: "gc-pause".into(), missing: vec!["jvm.gc.duration".into()] },
    ]
}

fn rejected() -> Vec<Rejected> {
    vec![
        Rejected {
            signature: "host-cpu-saturation".to_owned(),
            title: "A host runs out of CPU".to_owned(),
            entity: Some(entity("host", "node-1")),
            reason: "idle 0 % before, during and after".to_owned(),
        },
        Rejected {
            signature: "traffic-surge".to_owned(),
            title: "More users".to_owned(),
            entity: None,
            reason: "traffic is flat".to_owned(),
        },
    ]
}

/// The incident of the design sketch.
pub(super) fn diagnosis() -> Diagnosis {
    let mut hypotheses = vec![first()];
    hypotheses.extend(rivals());
    let impact = |name: &str, said: &str, before, during, unit| Impact {
        entity: entity("service", name),
        signal: "http.server.errors".to_owned(),
        said: said.to_owned(),
        before,
        during,
        unit,
        source: Source { file: "a.json".to_owned(), series: "s".to_owned() },
    };
    Diagnosis {
        schema_version: SCHEMA_VERSION,
        tool: Tool { name: "rootline", version: "0.1.0" },
        catalog: CatalogRef { hash: "3f2a9c81d04e7766aa".to_owned(), signatures: 31 },
        title: None,
        inputs: inputs(),
        window: WindowReport {
            baseline: Span { from: AXIS.from, to: START - 2 * SECOND },
            incident: Span { from: START, to: START + 181 * SECOND },
            found: true,
            how: "found: errors of gateway leave their baseline (incident.toml has none)"
                .to_owned(),
        },
        entities: 7,
        edges: 9,
        series: 707,
        verdict: Verdict::Confirmed,
        reasons: vec![
            "two decisive pieces of evidence, none against it".to_owned(),
            "its onset is the earliest of all, 3 s before the next".to_owned(),
            "all 5 entities that changed are reached from it by calls".to_owned(),
        ],
        impact: vec![
            impact("gateway", "errors", 0.001, 0.746, Unit::Ratio),
            impact("checkout", "errors", 0.0, 0.987, Unit::Ratio),
            impact("recommendation", "p99 latency", 0.005, 8.0, Unit::Seconds),
        ],
        first_failure: Some(FirstFailure {
            entity: entity("database", "pg-replica"),
            at: START - SECOND,
            uncertainty_s: 1.0,
            said: "first backends wait for Lock/relation".to_owned(),
        }),
        hypotheses,
        suppressed: vec![],
        overrides: vec![],
        timeline: timeline(),
        skipped: skipped(),
        rejected: rejected(),
        gaps: gaps(),
        pages: Pages::default(),
    }
}

/// A diagnosis of nothing, as of an empty folder.
pub(super) fn empty() -> Diagnosis {
    let zero = Span { from: 0, to: 0 };
    Diagnosis {
        verdict: Verdict::Inconclusive,
        inputs: vec![],
        window: WindowReport { baseline: zero, incident: zero, how: String::new(), found: true },
        catalog: CatalogRef { hash: String::new(), signatures: 0 },
        entities: 0,
        edges: 0,
        series: 0,
        reasons: vec![],
        impact: vec![],
        first_failure: None,
        hypotheses: vec![],
        suppressed: vec![],
        overrides: vec![],
        timeline: vec![],
        skipped: vec![],
        rejected: vec![],
        gaps: vec![],
        ..diagnosis()
    }
}
