//! Series in one line, as promtool writes them, for tests: `"1x20 1+0.5x10 _ 9x3"`.

use crate::model::{Micros, SECOND};

/// Points ten seconds apart; `_` is a gap, `axn` repeats, `a+bxn` and `a-bxn` go on from `a`.
pub fn points(text: &str) -> Vec<(Micros, f64)> {
    let mut out = Vec::new();
    let mut at = 0;
    let mut push = |v: Option<f64>| {
        if let Some(v) = v {
            out.push((at * 10 * SECOND, v));
        }
        at += 1;
    };
    for word in text.split_whitespace() {
        if word == "_" {
            push(None);
            continue;
        }
        let (start, times) = match word.split_once('x') {
            Some((start, times)) => (start, times.parse().expect("a count stands behind x")),
            None => (word, 1),
        };
        let cut = start
            .char_indices()
            .skip(1)
            .find(|(i, c)| (*c == '+' || *c == '-') && !start[..*i].ends_with('e'));
        let number = |t: &str| t.parse::<f64>().expect("a number");
        let (from, by) = match cut {
            Some((i, _)) => (number(&start[..i]), number(&start[i..])),
            None => (number(start), 0.0),
        };
        for k in 0..times {
            push(Some(from + by * f64::from(k)));
        }
    }
    out
}

/// The values alone.
pub fn values(text: &str) -> Vec<f64> {
    points(text).into_iter().map(|p| p.1).collect()
}

#[test]
fn the_notation_is_promtools() {
    assert_eq!(values("1x3 2+0.5x3 _ 9"), [1.0, 1.0, 1.0, 2.0, 2.5, 3.0, 9.0]);
    assert_eq!(points("1 _ 2").iter().map(|p| p.0).collect::<Vec<_>>(), [0, 20 * SECOND]);
    assert_eq!(values("10-2x3"), [10.0, 8.0, 6.0]);
}
