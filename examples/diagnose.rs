//! The library in a program of one's own: diagnoses a folder and prints the first hypothesis, what
//! speaks for it and what could not be seen.
//!
//! `cargo run --release --locked --example diagnose -- fixtures/incidents/pool-exhaustion`

use rootline::Options;
use std::path::Path;

fn main() -> rootline::error::Result<()> {
    let folder = std::env::args().nth(1).unwrap_or_default();
    // What a command line would say: zone, signatures of one's own, numbers of the site.
    let options = Options::default();
    let diagnosis = rootline::diagnose(Path::new(&folder), &options)?;
    println!("{:?}", diagnosis.verdict);
    if let Some(first) = diagnosis.hypotheses.first() {
        let signature = first.signature.as_deref().unwrap_or("no known failure mode");
        println!("{} ({signature}): {}", first.entity.name, first.headline);
        println!("probability {:.2}, since {:?}", first.probability, first.onset);
    }
    for gap in &diagnosis.gaps {
        println!("not seen: {} {}", gap.file.as_deref().unwrap_or_default(), gap.what);
    }
    // The whole answer, as `diagnose --format json` writes it.
    println!("{} bytes of JSON", rootline::report::json(&diagnosis).len());
    Ok(())
}
