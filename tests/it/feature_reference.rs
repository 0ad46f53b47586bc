//! Our statistics against scipy, numpy and pymannkendall on fixed series; the numbers were written
//! by `tests/reference/features.py`.

use super::support::{items, root, text};
use rootline::features::{change, robust, skew, trend};
use rootline::model::SECOND;
use serde_json::Value;
use std::fs;

fn reference() -> Vec<Value> {
    let path = root().join("tests/reference/features.json");
    let text = fs::read_to_string(path).expect("the reference ships with the project");
    serde_json::from_str(&text).expect("the reference is JSON")
}

fn number(v: &Value) -> f64 {
    v.as_f64().expect("a number")
}

fn values(one: &Value) -> Vec<f64> {
    items(&one["values"]).iter().map(number).collect()
}

fn near(found: f64, wanted: f64, tolerance: f64) -> bool {
    (found - wanted).abs() <= tolerance * wanted.abs().max(1.0)
}

#[test]
fn centre_spread_quantiles_and_ranks_are_those_of_numpy_and_scipy() {
    let all = reference();
    assert!(all.len() >= 9, "only {} series", all.len());
    for one in &all {
        let (name, y) = (text(&one["name"]), values(one));
        let exact = |found: Option<f64>, wanted: &Value, what: &str| {
            let found = found.expect("not empty");
            assert!(near(found, number(wanted), 1e-9), "{name}: {what} {found} is not {wanted}");
        };
        exact(robust::median(&y), &one["median"], "median");
        exact(robust::mad(&y), &one["mad"], "MAD");
        let quantiles = one["quantiles"].as_object().expect("quantiles by probability");
        assert_eq!(quantiles.len(), 5, "{name}");
        for (q, wanted) in quantiles {
            exact(robust::quantile(&y, q.parse().expect("a probability")), wanted, q);
        }
        let ranks: Vec<f64> = items(&one["ranks"]).iter().map(number).collect();
        assert_eq!(change::ranks(&y), ranks, "{name}");
        if y.iter().all(|v| *v >= 0.0) {
            exact(skew::skew(&[], &y).map(|s| s.gini), &one["gini"], "Gini coefficient");
        }
    }
}

#[test]
fn trends_are_those_of_scipy_and_pymannkendall() {
    for one in &reference() {
        let (name, y) = (text(&one["name"]), values(one));
        let points: Vec<_> =
            y.iter().enumerate().map(|(i, v)| (10 * SECOND * i as i64, *v)).collect();
        let found = trend::trend(&points).expect("four points or more");
        for (found, key, tolerance) in [
            (found.slope, "theil_sen", 1e-9),
            (found.tau, "tau", 1e-9),
            (found.p, "mann_kendall_p", 1e-6),
        ] {
            let wanted = number(&one[key]);
            assert!(near(found, wanted, tolerance), "{name}: {key} {found} is not {wanted}");
        }
    }
}

#[test]
fn the_best_split_is_where_scipys_rank_sum_test_is_most_extreme() {
    let all = reference();
    let split: Vec<&Value> = all.iter().filter(|o| o["split"].is_object()).collect();
    assert!(split.len() >= 8, "only {} series are long enough", split.len());
    for one in split {
        let (k, z) = change::best_split(&values(one)).expect("not constant");
        let (at, wanted) = (one["split"]["at"].as_u64(), number(&one["split"]["z"]));
        assert_eq!(Some(k as u64), at, "{}", one["name"]);
        assert!(near(z, wanted, 1e-6), "{}: z {z} is not {wanted}", one["name"]);
    }
}
