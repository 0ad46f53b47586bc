//! Change points of every column of a wide CSV by augurs (Bayesian online detection, its normal-gamma
//! detector), for `benches/peers/features.py`. A package of its own: rootline does not depend on it.

use augurs_changepoint::{Detector, NormalGammaDetector};
use std::time::Instant;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("usage: augurs-peer FILE.csv COLUMNS")?;
    let wanted: usize = std::env::args().nth(2).ok_or("usage: augurs-peer FILE.csv COLUMNS")?.parse()?;
    let mut reader = csv::Reader::from_path(path)?;
    let columns = reader.headers()?.len() - 1;
    let mut series: Vec<Vec<f64>> = vec![Vec::new(); columns.min(wanted)];
    for row in reader.records() {
        let row = row?;
        for (column, text) in series.iter_mut().zip(row.iter().skip(1)) {
            column.push(text.parse()?);
        }
    }
    let start = Instant::now();
    let found: usize = series
        .iter()
        .map(|y| NormalGammaDetector::default().detect_changepoints(y).len())
        .sum();
    println!("{} series, {found} change points: {:.3} s", series.len(), start.elapsed().as_secs_f64());
    Ok(())
}
