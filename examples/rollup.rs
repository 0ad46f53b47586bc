//! Reads a folder or file and rolls it up, nothing more: what the comparison with peers times.

use rootline::ingest::Settings;
use std::path::Path;

fn main() -> rootline::error::Result<()> {
    let folder = std::env::args().nth(1).unwrap_or_default();
    let raw = rootline::ingest::read_folder(Path::new(&folder), &Settings::default())?;
    let rows: u64 = raw.files.iter().map(|f| f.rows).sum();
    let mut telemetry = rootline::normalize::normalize(raw)?;
    let rollups = rootline::rollup::roll_up(&mut telemetry);
    println!(
        "{rows} rows, {} series, {} operation buckets, {} call buckets",
        rollups.series.len(),
        rollups.operations.len(),
        rollups.calls.len()
    );
    Ok(())
}
