//! Measures every feature of a folder or file: what the comparison with other libraries times.
//! Prints the processor seconds of the measuring alone.

use rootline::features;
use rootline::ingest::Settings;
use std::path::Path;
use std::time::Instant;

fn main() -> rootline::error::Result<()> {
    let folder = std::env::args().nth(1).unwrap_or_default();
    let raw = rootline::ingest::read_folder(Path::new(&folder), &Settings::default())?;
    let mut telemetry = rootline::normalize::normalize(raw)?;
    let rollups = rootline::rollup::roll_up(&mut telemetry);
    let (start, cpu) = (Instant::now(), processor_seconds());
    let features = features::extract(&telemetry, &rollups)?;
    println!(
        "{} series, {} shifted, {} with an onset: {:.3} s of processor time, {:.3} s",
        features.series.len(),
        features.series.iter().filter(|f| f.shift.is_some_and(|s| s.z.abs() > 4.0)).count(),
        features.series.iter().filter(|f| f.onset.is_some()).count(),
        processor_seconds() - cpu,
        start.elapsed().as_secs_f64()
    );
    Ok(())
}

/// Processor time of all threads so far, from /proc; not a number elsewhere.
fn processor_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or("").split_whitespace().collect();
    let ticks = |i: usize| fields.get(i).and_then(|f| f.parse::<f64>().ok()).unwrap_or(f64::NAN);
    // User and system time, in ticks of which Linux has 100 a second.
    (ticks(11) + ticks(12)) / 100.0
}
