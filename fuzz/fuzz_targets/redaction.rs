//! Redaction of any file, and of what came of it.
#![no_main]

mod hook;

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

fuzz_target!(init: hook::spare_guarded(), |data: &[u8]| {
    if let Some(once) = redacted(data) {
        redacted(&once);
    }
});
