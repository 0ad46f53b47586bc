//! The points of one series, held in columns. In: times with values, one after the other. Out: the
//! same in about half the memory: where all are equally far apart, as scrapes mostly are, two numbers
//! are all their times.

use crate::model::{Micros, Window};
use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

/// A time (microseconds, UTC) and a value.
pub type Point = (Micros, f64);

/// Points of one series. Nothing but the memory that they take tells how their times are held.
#[derive(Clone, Default, PartialEq)]
pub struct Points {
    times: Times,
    values: Vec<f64>,
}

/// Times of points; whichever form is the smaller, so that equal times are equal.
#[derive(Clone, PartialEq)]
enum Times {
    /// All at the same distance, which is above 0 from the second on and 0 before.
    Every {
        first: Micros,
        step: Micros,
    },
    Each(Vec<Micros>),
}

impl Default for Times {
    fn default() -> Self {
        Times::Every { first: 0, step: 0 }
    }
}

impl Times {
    /// Time `i`, which must be there.
    fn nth(&self, i: usize) -> Micros {
        match self {
            Times::Every { first, step } => first + step * i as Micros,
            Times::Each(times) => times[i],
        }
    }

    /// Adds a time behind `count` others; `room` is how many there may be.
    fn push(&mut self, count: usize, time: Micros, room: usize) {
        match self {
            Times::Every { first, step } => match count {
                0 => (*first, *step) = (time, 0),
                1 if distance(*first, time).is_some() => *step = time - *first,
                n if n > 1 && nth(*first, *step, n) == Some(time) => {}
                _ => {
                    let mut each = Vec::with_capacity(room.max(count + 1));
                    each.extend((0..count as Micros).map(|i| *first + *step * i));
                    each.push(time);
                    *self = Times::Each(each);
                }
            },
            Times::Each(times) => times.push(time),
        }
    }
}

impl Points {
    /// Without a point.
    pub fn new() -> Points {
        Points::default()
    }

    /// Without a point, with room for some.
    pub fn with_capacity(room: usize) -> Points {
        Points { values: Vec::with_capacity(room), ..Points::default() }
    }

    /// Number of points.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Says whether there is none.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The values, in the order of the points.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// The point with number `i`, if there is one.
    pub fn get(&self, i: usize) -> Option<Point> {
        let value = *self.values.get(i)?;
        Some((self.times.nth(i), value))
    }

    /// The point with number `i`.
    ///
    /// # Panics
    ///
    /// When there are not so many.
    pub fn at(&self, i: usize) -> Point {
        self.get(i).expect("the caller counted the points")
    }

    /// The first point.
    pub fn first(&self) -> Option<Point> {
        self.get(0)
    }

    /// The last point.
    pub fn last(&self) -> Option<Point> {
        self.get(self.len().checked_sub(1)?)
    }

    /// All points in order.
    pub fn iter(&self) -> Iter<'_> {
        Iter { of: self, left: 0..self.len() }
    }

    /// Neighbours, as `windows(2)` of a slice.
    pub fn pairs(&self) -> impl DoubleEndedIterator<Item = (Point, Point)> + Clone + '_ {
        self.iter().zip(self.iter().skip(1))
    }

    /// The points as rows.
    pub fn to_vec(&self) -> Vec<Point> {
        self.iter().collect()
    }

    /// Makes room for further points, and for no more than these.
    pub fn reserve_exact(&mut self, more: usize) {
        self.values.reserve_exact(more);
        if let Times::Each(times) = &mut self.times {
            times.reserve_exact(more);
        }
    }

    /// Gives back the room that is not used.
    pub fn shrink_to_fit(&mut self) {
        self.values.shrink_to_fit();
        if let Times::Each(times) = &mut self.times {
            times.shrink_to_fit();
        }
    }

    /// Adds a point behind the others, whatever its time.
    pub fn push(&mut self, (time, value): Point) {
        self.times.push(self.values.len(), time, self.values.capacity());
        self.values.push(value);
    }

    /// The value of the last point.
    pub fn last_value(&mut self) -> Option<&mut f64> {
        self.values.last_mut()
    }

    /// Adds values that follow each other at a distance of `step`, above 0, from `first` on.
    pub fn extend_every(&mut self, first: Micros, step: Micros, values: &[f64]) {
        let fits = match self.times {
            Times::Every { first: own, step: usual } => match self.len() {
                0 => true,
                1 => distance(own, first) == Some(step),
                n => usual == step && nth(own, step, n) == Some(first),
            },
            Times::Each(_) => false,
        };
        let time = |i: usize| nth(first, step, i).unwrap_or(Micros::MAX);
        if !fits || time(values.len()) == Micros::MAX || self.len() + values.len() < 2 {
            return self.extend(values.iter().enumerate().map(|(i, v)| (time(i), *v)));
        }
        if let Times::Every { first: own, step: usual } = &mut self.times {
            *own = if self.values.is_empty() { first } else { *own };
            *usual = step;
        }
        self.values.extend_from_slice(values);
    }

    /// Keeps the points that `keep` wants.
    pub fn retain(&mut self, mut keep: impl FnMut(&Point) -> bool) {
        self.replace(|time, value| keep(&(time, value)).then_some(time));
    }

    /// Gives each point the time that `at` tells for its own; those without one are left out.
    pub fn retime(&mut self, at: impl Fn(Micros) -> Option<Micros>) {
        self.replace(|time, _| at(time));
    }

    fn replace(&mut self, mut time: impl FnMut(Micros, f64) -> Option<Micros>) {
        let before = std::mem::take(&mut self.times);
        let (all, mut kept) = (self.values.len(), 0);
        for i in 0..all {
            let value = self.values[i];
            if let Some(time) = time(before.nth(i), value) {
                self.times.push(kept, time, all);
                self.values[kept] = value;
                kept += 1;
            }
        }
        self.values.truncate(kept);
    }

    /// Multiplies every value.
    pub fn scale(&mut self, factor: f64) {
        self.values.iter_mut().for_each(|v| *v *= factor);
    }

    /// Moves every point in time.
    pub fn shift(&mut self, by: Micros) {
        match &mut self.times {
            Times::Every { .. } if self.values.is_empty() => {}
            Times::Every { first, .. } => *first += by,
            Times::Each(times) => times.iter_mut().for_each(|t| *t += by),
        }
    }

    /// The distance of all points, if they have one and there are at least two.
    pub fn even_step(&self) -> Option<Micros> {
        match self.times {
            Times::Every { step, .. } => (step > 0).then_some(step),
            Times::Each(_) => None,
        }
    }

    /// Says whether each point is later than the one before it.
    pub fn is_rising(&self) -> bool {
        match &self.times {
            Times::Every { .. } => true,
            Times::Each(times) => times.is_sorted_by(|a, b| a < b),
        }
    }

    /// Values inside a window, in order.
    pub fn within(&self, window: Window) -> Cow<'_, [f64]> {
        let Times::Every { first, step } = self.times else {
            let inside = self.iter().filter(|p| window.contains(p.0));
            return Cow::Owned(inside.map(|p| p.1).collect());
        };
        // How many points lie before a time.
        let before = |t: Micros| match (t.saturating_sub(first), self.len()) {
            (..=0, _) | (_, 0) => 0,
            (_, 1) => 1,
            (d, n) => ((d - 1) / step + 1).min(n as Micros) as usize,
        };
        let (from, to) = (before(window.from), before(window.to));
        Cow::Borrowed(self.values.get(from..to).unwrap_or_default())
    }
}

/// How far `to` lies behind `from`, if it does.
fn distance(from: Micros, to: Micros) -> Option<Micros> {
    to.checked_sub(from).filter(|d| *d > 0)
}

/// The time of point `n`.
fn nth(first: Micros, step: Micros, n: usize) -> Option<Micros> {
    step.checked_mul(n as Micros)?.checked_add(first)
}

/// Points in order.
#[derive(Clone)]
pub struct Iter<'a> {
    of: &'a Points,
    left: Range<usize>,
}

impl Iterator for Iter<'_> {
    type Item = Point;

    fn next(&mut self) -> Option<Point> {
        self.of.get(self.left.next()?)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.left.size_hint()
    }

    fn nth(&mut self, n: usize) -> Option<Point> {
        self.of.get(self.left.nth(n)?)
    }
}

impl DoubleEndedIterator for Iter<'_> {
    fn next_back(&mut self) -> Option<Point> {
        self.of.get(self.left.next_back()?)
    }
}

impl ExactSizeIterator for Iter<'_> {}

impl<'a> IntoIterator for &'a Points {
    type Item = Point;
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

impl IntoIterator for Points {
    type Item = Point;
    type IntoIter = std::vec::IntoIter<Point>;

    fn into_iter(self) -> Self::IntoIter {
        self.to_vec().into_iter()
    }
}

impl Extend<Point> for Points {
    fn extend<I: IntoIterator<Item = Point>>(&mut self, more: I) {
        let more = more.into_iter();
        self.values.reserve(more.size_hint().0);
        more.for_each(|p| self.push(p));
    }
}

impl FromIterator<Point> for Points {
    fn from_iter<I: IntoIterator<Item = Point>>(all: I) -> Points {
        let mut points = Points::new();
        points.extend(all);
        points
    }
}

impl From<Vec<Point>> for Points {
    fn from(all: Vec<Point>) -> Points {
        all.into_iter().collect()
    }
}

impl fmt::Debug for Points {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl<const N: usize> PartialEq<[Point; N]> for Points {
    fn eq(&self, other: &[Point; N]) -> bool {
        self.iter().eq(other.iter().copied())
    }
}

impl PartialEq<Vec<Point>> for Points {
    fn eq(&self, other: &Vec<Point>) -> bool {
        self.iter().eq(other.iter().copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn held_evenly(points: &Points) -> bool {
        matches!(points.times, Times::Every { .. })
    }

    #[test]
    fn equal_distances_are_two_numbers_and_others_are_told_each() {
        let even: Points = (0..5).map(|i| (100 + 15 * i, i as f64)).collect();
        assert!(held_evenly(&even) && even.even_step() == Some(15) && even.is_rising());
        assert_eq!((even.first(), even.last()), (Some((100, 0.0)), Some((160, 4.0))));
        let odd: Points = vec![(1, 1.0), (2, 2.0), (4, 4.0)].into();
        assert!(!held_evenly(&odd) && odd.even_step().is_none() && odd.is_rising());
        let back: Points = vec![(2, 1.0), (1, 2.0)].into();
        assert!(!back.is_rising() && back == [(2, 1.0), (1, 2.0)]);
        let far: Points = vec![(i64::MIN, 1.0), (i64::MAX, 2.0), (i64::MAX, 3.0)].into();
        assert_eq!(far.at(1), (i64::MAX, 2.0));
        let long: Points = vec![(0, 1.0), (i64::MAX, 2.0), (5, 3.0)].into();
        assert_eq!(long, [(0, 1.0), (i64::MAX, 2.0), (5, 3.0)]);
        assert_eq!(format!("{odd:?}"), "[(1, 1.0), (2, 2.0), (4, 4.0)]");
    }

    proptest! {
        /// Times of few values, so that equal distances, holes, repetitions and steps back come up.
        #[test]
        fn points_are_what_a_list_of_them_is(
            steps in prop::collection::vec(prop_oneof![8 => Just(10i64), 1 => -10i64..30], 0..40),
            window in (-20i64..300, -20i64..300),
            even in (0i64..3, 1i64..3, 0usize..4),
            lost in 0usize..40,
        ) {
            let mut time = 0;
            let mut list: Vec<Point> = Vec::new();
            for (i, step) in steps.iter().enumerate() {
                time += step;
                list.push((time, i as f64));
            }
            let mut points: Points = list.clone().into();
            prop_assert_eq!(&points, &list);
            // More points, which may or may not go on as before.
            let (first, step) = (time + 10 * even.0, 10 * even.1);
            let values: Vec<f64> = (0..even.2).map(|i| -(i as f64)).collect();
            points.extend_every(first, step, &values);
            list.extend(values.iter().enumerate().map(|(i, v)| (first + step * i as i64, *v)));
            prop_assert_eq!(&points, &list);
            prop_assert!(points == list.clone(), "one form for the same times");
            let window = Window { from: window.0, to: window.1 };
            let inside = list.iter().filter(|p| window.contains(p.0)).map(|p| p.1);
            prop_assert_eq!(points.within(window).to_vec(), inside.collect::<Vec<f64>>());
            let rising = list.windows(2).all(|w| w[0].0 < w[1].0);
            prop_assert_eq!(points.is_rising(), rising);
            let pairs: Vec<(Point, Point)> = list.windows(2).map(|w| (w[0], w[1])).collect();
            prop_assert_eq!(points.pairs().collect::<Vec<_>>(), pairs);
            prop_assert!(points.iter().rev().eq(list.iter().rev().copied()));
            points.retain(|p| p.1 != lost as f64);
            list.retain(|p| p.1 != lost as f64);
            prop_assert_eq!(&points, &list);
            points.retime(|t| (t % 3 != 0).then_some(t * 2));
            list.retain(|p| p.0 % 3 != 0);
            list.iter_mut().for_each(|p| p.0 *= 2);
            prop_assert!(points == list.clone(), "{points:?} for {list:?}");
            points.shift(7);
            points.scale(2.0);
            let moved: Vec<Point> = list.iter().map(|(t, v)| (t + 7, v * 2.0)).collect();
            prop_assert_eq!(&points, &moved);
        }
    }
}
