//! The lexer of statements: what it cuts is the statement, and no literal leaves it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rootline::ingest::sql;

fuzz_target!(|text: &str| {
    let whole: String = sql::stretches(text).iter().map(|s| s.text).collect();
    assert_eq!(whole, text);
    let normal = sql::normalize(text);
    sql::fingerprint(&normal.text);
    sql::tables(&normal.text);
    sql::summary(&normal.text);
});
