//! Redaction of any file: what was redacted once stays as it is.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rootline::redact::{Redactor, Settings};
use std::io::Cursor;

fn redacted(content: &[u8]) -> Option<Vec<u8>> {
    let settings = Settings { key: b"a key of the fuzzer".to_vec(), ..Settings::default() };
    let mut out = Vec::new();
    let mut all = Redactor::new(&settings).expect("there are no patterns");
    all.stream("a.txt", Box::new(Cursor::new(content.to_vec())), &mut out).ok()?;
    Some(out)
}

fuzz_target!(|data: &[u8]| {
    if let Some(once) = redacted(data) {
        redacted(&once).expect("what was written can be read");
    }
});
