//! Signature files: what parses is linted as well.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let _ = rootline::catalog::parse("category/id.toml", text);
});
