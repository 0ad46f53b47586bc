//! The five tools.

use super::answer::{self, object, page};
use super::{Fault, INVALID_PARAMS, Server};
use crate::diagnosis::{Action, ActionKind, Evidence, Hypothesis, Moment, Verdict};
use crate::documentation::documentation;
use crate::report::{self, Style};
use crate::time;
use serde_json::{Value, json};

/// A tool: what it is for, its one named argument, and what it does.
struct Tool {
    name: &'static str,
    what: &'static str,
    /// Name and meaning of an argument that must be there.
    argument: Option<(&'static str, &'static str)>,
    /// Its answer comes in pages.
    paged: bool,
    run: fn(&Server, &Value, &str, usize) -> Result<Value, String>,
}

const TOOLS: [Tool; 5] = [
    Tool {
        name: "diagnosis",
        what: "Verdict, window, impact, the first hypothesis, what to do now, gaps of the data.",
        argument: None,
        paged: false,
        run: diagnosis,
    },
    Tool {
        name: "hypotheses",
        what: "The ranked root-cause hypotheses with probability and what speaks against each.",
        argument: None,
        paged: true,
        run: hypotheses,
    },
    Tool {
        name: "evidence",
        what: "The evidence for and against one hypothesis, with file, line and time.",
        argument: Some(("hypothesis", "H1, H2, … as `hypotheses` lists them")),
        paged: true,
        run: evidence,
    },
    Tool {
        name: "timeline",
        what: "Changes, alerts, onsets, session events and recoveries, oldest first, in UTC.",
        argument: None,
        paged: true,
        run: timeline,
    },
    Tool {
        name: "explain_signature",
        what: "Documentation of a failure mode: mechanism, evidence, look-alikes, runbook.",
        argument: Some(("signature", "id or code of a signature")),
        paged: true,
        run: explain_signature,
    },
];

/// The answer to `tools/list`.
pub(super) fn list() -> Value {
    let tools = TOOLS.iter().map(|t| {
        let mut properties = serde_json::Map::new();
        if let Some((name, what)) = t.argument {
            properties.insert(name.to_owned(), json!({ "type": "string", "description": what }));
        }
        if t.paged {
            let what = "next_offset of the page before";
            let offset = json!({ "type": "integer", "minimum": 0, "description": what });
            properties.insert("offset".to_owned(), offset);
        }
        let required: Vec<&str> = t.argument.iter().map(|a| a.0).collect();
        json!({
            "name": t.name,
            "description": t.what,
            "inputSchema": {
                "type": "object",
                "properties": properties,
                "required": required,
                "additionalProperties": false,
            },
            "annotations": { "readOnlyHint": true, "idempotentHint": true, "openWorldHint": false },
        })
    });
    json!({ "tools": tools.collect::<Vec<_>>() })
}

/// The answer to `tools/call`.
pub(super) fn call(server: &Server, id: &Value, params: &Value) -> Result<Value, Fault> {
    let bad = |what: String| Fault::new(INVALID_PARAMS, what);
    let name = params.get("name").and_then(Value::as_str);
    let name = name.ok_or_else(|| bad("params.name is missing or no string".to_owned()))?;
    let tool = TOOLS.iter().find(|t| t.name == name).ok_or_else(|| {
        let names: Vec<&str> = TOOLS.iter().map(|t| t.name).collect();
        bad(format!("no such tool; there are {}", names.join(", ")))
    })?;
    let (argument, offset) = arguments(tool, params.get("arguments")).map_err(bad)?;
    Ok(match (tool.run)(server, id, &argument, offset) {
        Ok(value) => answer::result(&value, false),
        Err(what) => answer::result(&object(id, &json!({ "error": what })), true),
    })
}

/// The named argument and the offset; anything else is a mistake that is named.
fn arguments(tool: &Tool, given: Option<&Value>) -> Result<(String, usize), String> {
    let empty = serde_json::Map::new();
    let given = match given {
        None | Some(Value::Null) => &empty,
        Some(Value::Object(all)) => all,
        Some(_) => return Err("params.arguments is no object".to_owned()),
    };
    let known =
        |name: &str| tool.argument.is_some_and(|a| a.0 == name) || (tool.paged && name == "offset");
    if let Some(other) = given.keys().find(|k| !known(k)) {
        let other: String = other.chars().take(60).collect();
        return Err(format!("{} takes no argument {other:?}", tool.name));
    }
    let offset = match given.get("offset") {
        None => 0,
        Some(v) => v.as_u64().ok_or("offset is no whole number from 0 on")?,
    };
    let argument = match tool.argument {
        None => String::new(),
        Some((name, _)) => {
            let text = given.get(name).and_then(Value::as_str);
            text.ok_or_else(|| format!("{} needs {name}, a string", tool.name))?.to_owned()
        }
    };
    Ok((argument, usize::try_from(offset).unwrap_or(usize::MAX)))
}

/// Two decimals are what a probability is good for; more only invite to compare noise.
fn rounded(p: f64) -> f64 {
    (p * 1e4).round() / 1e4
}

fn brief(h: &Hypothesis) -> Value {
    json!({
        "id": h.id,
        "signature": h.signature,
        "entity": h.entity.name,
        "role": h.role.word(),
        "probability": rounded(h.probability),
        "headline": h.headline,
        "onset": h.onset.map(time::rfc3339),
    })
}

fn diagnosis(server: &Server, id: &Value, _: &str, _: usize) -> Result<Value, String> {
    let d = server.diagnosis;
    let first = d.hypotheses.first().filter(|_| d.verdict != Verdict::Healthy);
    let now = first.map_or(&[][..], |h| &h.mitigation);
    let now = now.iter().filter(|a| a.kind == ActionKind::Now).take(2);
    let action = |a: &Action| {
        let (said, command) = (&a.said, &a.command);
        json!({ "said": said, "command": command, "on": a.on, "effect": a.effect })
    };
    let check = first.and_then(|h| h.discriminators.first());
    let check = check.map(|c| json!({ "question": c.question, "command": c.command }));
    let impact = d.impact.iter().take(5).map(|i| format!("{}: {}", i.entity.name, i.said));
    let gaps = d.gaps.iter().take(4).map(|g| g.what.clone());
    Ok(object(
        id,
        &json!({
            "verdict": d.verdict.word(),
            "reasons": d.reasons,
            "incident": {
                "from": time::rfc3339(d.window.incident.from),
                "to": time::rfc3339(d.window.incident.to),
                "found": d.window.found,
            },
            "impact": impact.collect::<Vec<_>>(),
            "first": first.map(brief),
            "runner_up": first.and(d.hypotheses.get(1)).map(brief),
            "do_now": now.map(action).collect::<Vec<_>>(),
            "next_check": check,
            "hypotheses": d.hypotheses.len(),
            "gaps": { "count": d.gaps.len(), "some": gaps.collect::<Vec<_>>() },
            "not_tested": d.skipped.len(),
        }),
    ))
}

fn hypotheses(server: &Server, id: &Value, _: &str, offset: usize) -> Result<Value, String> {
    let item = |h: &Hypothesis| {
        let mut item = brief(h);
        item["against"] = json!(h.against.first().map(|e| format!("{}: {}", e.id, e.said)));
        item
    };
    let items: Vec<Value> = server.diagnosis.hypotheses.iter().map(item).collect();
    Ok(page(id, "hypotheses", &items, offset))
}

fn evidence(server: &Server, id: &Value, name: &str, offset: usize) -> Result<Value, String> {
    let all = &server.diagnosis.hypotheses;
    let found = all.iter().find(|h| h.id.eq_ignore_ascii_case(name));
    let h = found.ok_or_else(|| format!("there are the hypotheses H1 to H{}", all.len()))?;
    let item = |e: &Evidence, side: &str| {
        let source = e.source.as_ref();
        json!({
            "id": e.id,
            "side": side,
            "state": e.state,
            "strength": e.strength,
            "nats": rounded(e.nats),
            "said": e.said,
            "inferred": e.inferred,
            "file": source.map(|s| s.file.as_str()),
            "line": source.and_then(|s| s.line),
            "from": source.and_then(|s| s.from).map(time::rfc3339),
            "to": source.and_then(|s| s.to).map(time::rfc3339),
        })
    };
    let mut items: Vec<Value> = h.evidence.iter().map(|e| item(e, "for")).collect();
    items.extend(h.against.iter().map(|e| item(e, "against")));
    Ok(page(id, "evidence", &items, offset))
}

fn timeline(server: &Server, id: &Value, _: &str, offset: usize) -> Result<Value, String> {
    let item = |m: &Moment| {
        let entity = m.entity.as_ref().map(|e| e.name.as_str());
        json!({
            "at": time::rfc3339(m.at),
            "kind": m.kind,
            "entity": entity,
            "said": m.said,
            "uncertainty_s": m.uncertainty_s,
        })
    };
    let items: Vec<Value> = server.diagnosis.timeline.iter().map(item).collect();
    Ok(page(id, "timeline", &items, offset))
}

fn explain_signature(
    server: &Server,
    id: &Value,
    name: &str,
    offset: usize,
) -> Result<Value, String> {
    let found = server.catalog.find(name).map_err(|e| e.to_string())?;
    let text = report::signature(&documentation(server.catalog, found), &Style::default());
    let lines: Vec<Value> = text.lines().map(|l| json!(l)).collect();
    Ok(page(id, "lines", &lines, offset))
}
