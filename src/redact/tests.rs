//! What leaves and what stays.

use super::*;
use crate::ingest::sql::normalize;
use proptest::prelude::*;
use std::io::Cursor;

fn redactor() -> Redactor {
    let settings = Settings { key: b"a key of the tests".to_vec(), ..Settings::default() };
    Redactor::new(&settings).expect("no patterns")
}

fn file(name: &str, content: &str) -> String {
    let mut out = Vec::new();
    let from = Box::new(Cursor::new(content.as_bytes().to_vec()));
    redactor().stream(name, from, &mut out).expect("text can be redacted");
    String::from_utf8(out).expect("text stays text")
}

/// Nothing of `private` is left, all of `kept` is, and a second pass changes nothing.
fn check(name: &str, content: &str, private: &[&str], kept: &[&str]) {
    let new = file(name, content);
    for p in private {
        assert!(content.contains(p), "{p} is not in the content");
        assert!(!new.contains(p), "{p} is left: {new}");
    }
    for k in kept {
        assert!(new.contains(k), "{k} is gone: {new}");
    }
    assert_eq!(file(name, &new), new, "a second pass changes something");
}

#[test]
fn json_loses_what_is_private_and_keeps_the_rest() {
    check(
        "a.json",
        r#"[{"service": "cart", "url":"https://bob:pw9@db1.acme.com:5432/x?token=t0ps3cret&page=2",
        "headers": {"Authorization": "Bearer abc123def", "Cookie": "sid=1; x=2", "Accept": "*/*"},
        "user": {"name": "alice", "id": 7}, "peer": "10.0.3.7:5432", "password": 12345678,
        "note": "mail carol@acme.com or call 5",
        "attributes": [{"key": "db.statement", "value": {"stringValue": "SELECT a FROM t WHERE m='zed'"}}],
        "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736", "inner": "{\"client_secret\": \"zzz9\"}"}]"#,
        &[
            "bob",
            "pw9",
            "acme",
            "t0ps3cret",
            "abc123def",
            "sid=1",
            "alice",
            "10.0.3.7",
            "12345678",
            "carol",
            "zed",
            "zzz9",
        ],
        &[
            "\"service\": \"cart\"",
            "https://",
            ".com:5432/x?token=",
            "page=2",
            "Bearer ",
            "*/*",
            ":5432\"",
            "SELECT a FROM t WHERE m='",
            "4bf92f3577b34da6a3ce929d0e0e4736",
            "call 5",
        ],
    );
}

#[test]
fn tables_are_redacted_by_their_columns() {
    check(
        "pg_stat_activity.csv",
        "pid,usename,client_addr,application_name,query\n\
         17,alice,10.1.2.3,cart,\"SELECT t.\"\"a\"\" FROM t WHERE x = 'o''hara' AND n = 4711 -- me\"\n\
         18,postgres,,\"web, 2\",\"COMMIT\"\n",
        &["alice", "10.1.2.3", "hara", "4711", "-- me"],
        &["17,", "cart", "postgres", "\"web, 2\"", "\"COMMIT\"", "\"\"a\"\"", "x = '"],
    );
    check("a.csv", "time;cpu_user;host\n1;0.5;web\n2;0.75;web\n", &[], &["1;0.5;web"]);
}

#[test]
fn logs_and_expositions_are_redacted_line_by_line() {
    check(
        "postgresql.log",
        "2026-11-26 13:41:07.729 UTC [4065] alice@shop LOG:  duration: 12.5 ms  statement: SELECT 1\n\
         \tFROM users WHERE mail = 'a@b.example'\n\
         2026-11-26 13:41:08 UTC [7] LOG:  connection from host 10.9.8.7 user \"carol\"\n\
         2026-11-26 13:41:08 UTC [7] DETAIL:  Key (email)=(dora) already exists.\n\
         2026-11-26 13:41:08 UTC [7] DETAIL:  parameters: $1 = 'eve', $2 = '12'\n\
         2026-11-26 13:41:09 UTC [8] LOG:  checkpoint complete: wrote 5 buffers\n",
        &["alice", "a@b.example", "10.9.8.7", "carol", "dora", "eve"],
        &["12.5 ms", "@shop LOG:", "FROM users", "wrote 5 buffers", "13:41:08", "[4065]"],
    );
    check(
        "metrics.prom",
        "# HELP up Whether it is up\nup{instance=\"10.0.0.1:9100\",user=\"dave\",q=\"SELECT 'x9'\"} 1 17\n",
        &["10.0.0.1", "dave", "x9"],
        &["up{instance=\"2", ":9100\"", "} 1 17", "# HELP"],
    );
    check(
        "key.txt",
        "-----BEGIN RSA PRIVATE KEY-----\nMIIEabc\nMIIEdef\n-----END RSA PRIVATE KEY-----\nsmall talk\n",
        &["MIIEabc", "MIIEdef"],
        &["small talk"],
    );
    check(
        "app.log",
        "level=warn msg=\"GET /a\" api_key=k3y password: hunter2 at /home/fred/x\n",
        &["k3y", "hunter2", "fred"],
        &["GET /a", "level=warn"],
    );
}

#[test]
fn tables_that_psql_draws_are_drawn_anew() {
    let text = concat!(
        " pid | usename |        query        \n",
        "-----+---------+---------------------\n",
        "   7 | alice   | SELECT 'one'       +\n",
        "     |         |  FROM t\n",
        "   8 |         | COMMIT\n",
        "(2 rows)\n\nsmall talk\n",
    );
    check("a.txt", text, &["alice", "one"], &["COMMIT", "FROM t", "small talk", "(2 rows)", "pid"]);
}

#[test]
fn one_value_has_one_token_everywhere() {
    let mut all = redactor();
    let a = all.value(Class::User, "alice", 1).expect("replaced");
    let b = all.value(Class::Sql, "SELECT 'alice'", 1).expect("replaced");
    assert_eq!(b, format!("SELECT '{a}'"));
    let host = all.value(Class::Other, "http://db.acme.com/", 1).expect("replaced");
    let same = all.value(Class::Other, "db.acme.com:80", 1).expect("replaced");
    assert_eq!(host.trim_start_matches("http://").trim_end_matches('/'), &same[..same.len() - 3]);
}

#[test]
fn a_sites_own_patterns_are_replaced() {
    let settings = Settings { patterns: vec!["CUST-\\d+".into()], ..Settings::default() };
    let mut all = Redactor::new(&settings).expect("a pattern");
    let new = all.value(Class::Other, "order of CUST-0042 late", 1).expect("replaced");
    assert!(!new.contains("0042") && new.starts_with("order of ") && new.ends_with(" late"));
    let bad = Settings { patterns: vec!["(".into()], ..Settings::default() };
    assert!(Redactor::new(&bad).is_err());
}

#[test]
fn what_is_only_hidden_leaves_names_and_addresses() {
    let settings = Settings { masking: Masking::Credentials, ..Settings::default() };
    let mut all = Redactor::new(&settings).expect("no patterns");
    let text = "mail a@b.example on 10.0.0.1 at db.acme.com password=hunter2 Authorization: Bearer \
                abc123 https://bob:pw9@h/?token=zzz9 AKIAIOSFODNN7EXAMPLE select 'x9', 7 from t";
    let new = all.value(Class::Other, text, 1).expect("hidden");
    for gone in ["hunter2", "abc123", "pw9", "zzz9", "AKIA", "x9", "7 from"] {
        assert!(text.contains(gone) && !new.contains(gone), "{gone}: {new}");
    }
    for kept in ["a@b.example", "10.0.0.1", "db.acme.com", "bob:xxxxx@h", "password=xxxxx"] {
        assert!(new.contains(kept), "{kept}: {new}");
    }
    assert_eq!(all.value(Class::Other, &new, 1), None, "{new}");
    let settings = Settings { masking: Masking::Prose, ..Settings::default() };
    let mut prose = Redactor::new(&settings).expect("no patterns");
    let new = prose.value(Class::Other, text, 1).expect("hidden");
    assert!(new.starts_with("mail [mail] on [address] at db.acme.com password=xxxxx "), "{new}");
    assert_eq!(prose.value(Class::Other, &new, 1), None, "{new}");
    let six = prose.value(Class::Other, "from fd00:1::7:9 port 5432", 1).expect("hidden");
    assert_eq!(six, "from [address] port 5432");
}

#[test]
fn findings_have_the_line() {
    let mut all = redactor();
    let text = "{\n\"a\": 1,\n\"b\": \"10.0.0.1\"\n}\n";
    all.stream("a.json", Box::new(Cursor::new(text)), &mut Vec::new()).expect("sound");
    assert_eq!(all.take_findings(), (vec![Finding { line: 3, kind: Kind::Address }], 1));
}

#[test]
fn what_is_known_is_counted_and_found_each_time() {
    let mut all = redactor();
    let text = "time,a,b\n1,10.0.0.1 carol@acme.com,x\n2,10.0.0.1 carol@acme.com,y\n";
    all.stream("a.csv", Box::new(Cursor::new(text)), &mut Vec::new()).expect("sound");
    let (findings, found) = all.take_findings();
    assert_eq!(findings.iter().map(|f| f.line).collect::<Vec<_>>(), [2, 3]);
    assert_eq!((findings[0].kind, found), (findings[1].kind, 2));
    let counts: Vec<_> = all.counts().iter().map(|(k, n)| (*k, *n)).collect();
    assert_eq!(counts, [(Kind::Mail, 2), (Kind::Address, 2)]);
    assert!(Kind::ALL.iter().enumerate().all(|(i, k)| *k as usize == i));
}

#[test]
fn the_name_of_a_file_is_no_finding_of_the_next() {
    let mut all = redactor();
    assert_ne!(all.name("carol@acme.com.csv"), "carol@acme.com.csv");
    let text = "{\n\"a\": \"b\"}\nplain words\n";
    all.stream("a.json", Box::new(Cursor::new(text)), &mut Vec::new()).expect("sound");
    assert_eq!(all.take_findings(), (Vec::new(), 0));
}

#[test]
fn the_scheme_before_a_secret_stays() {
    let mut all = redactor();
    for scheme in ["Bearer", "basic", "Digest", "Negotiate", "Token", "ApiKey"] {
        let new = all.value(Class::Header, &format!("{scheme} abc123"), 1).expect("replaced");
        let rest = new.strip_prefix(scheme).and_then(|r| r.strip_prefix(' ')).expect("kept");
        assert!(tokens::is_token(rest), "{new}");
        assert_eq!(all.value(Class::Header, &new, 1), None, "{new}");
    }
}

#[test]
fn binary_data_of_no_known_form_is_refused() {
    let noise: Vec<u8> = (0..2_000u32).map(|i| ((i * 7_919) >> 3) as u8).collect();
    let done = redactor().stream("a.bin", Box::new(Cursor::new(noise)), &mut Vec::new());
    assert!(matches!(done, Err(Refused::Unfit(_))));
}

proptest! {
    #[test]
    fn a_statement_is_the_same_but_for_its_literals(
        sql in "(SELECT|select|UPDATE t SET) [a-z0-9_'\"$/*\\-. (),;\\\\\n]{0,60}",
    ) {
        let new = redactor().literals(&sql, true).unwrap_or_else(|| sql.clone());
        prop_assert_eq!(normalize(&new).text, normalize(&sql).text, "{} -> {}", sql, new);
    }

    #[test]
    fn any_text_is_redacted_once_and_for_all(text in "\\PC{0,80}") {
        let once = file("a.txt", &text);
        prop_assert_eq!(file("a.txt", &once), once);
    }

    #[test]
    fn pieces_of_any_size_give_the_same(
        text in "[\\[\\]{}\":, a@.b/=0-9\\\\\n']{0,120}", cut in 1..40usize,
    ) {
        let (mut all, mut out) = (redactor(), Vec::new());
        let mut walk = json::Walk::new();
        let mut rest: Vec<u8> = Vec::new();
        for piece in text.as_bytes().chunks(cut) {
            rest.extend_from_slice(piece);
            let used = walk.feed(&rest, false, &mut all, &mut out);
            rest.drain(..used);
        }
        walk.feed(&rest, true, &mut all, &mut out);
        let mut whole = Vec::new();
        json::Walk::new().feed(text.as_bytes(), true, &mut redactor(), &mut whole);
        prop_assert_eq!(out, whole);
    }
}

/// What begins something again and again that never ends must not be looked at to its end each time:
/// a megabyte would take a minute.
#[test]
fn time_grows_with_the_length_whatever_begins_without_an_end() {
    const UNITS: [&str; 16] = [
        "password=x,",
        "://",
        "<password ",
        "<password>x",
        "/* a ",
        " value: x",
        " name=password value=x",
        " -p1 mysql",
        "password: ",
        ")=(x) already exists ",
        "query: x ",
        "query: {} ",
        "[parameters: (1 ",
        "\"select a from t ",
        "select a from t where b = \"x ",
        "Cond: (a ",
    ];
    let start = std::time::Instant::now();
    for unit in UNITS {
        let text = unit.repeat((1 << 20) / unit.len());
        for name in ["a.log", "a.json"] {
            let text = match name {
                "a.log" => text.clone(),
                _ => serde_json::json!({ "message": text, "query": text }).to_string(),
            };
            file(name, &text);
        }
    }
    let taken = start.elapsed().as_secs();
    assert!(taken < 30, "{taken} s for {} texts of a megabyte", 3 * UNITS.len());
}
