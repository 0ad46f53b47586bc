//! Names of wide tables: `<entity>_<metric>` in one word. In: all names without labels. Out: where to
//! cut each.
//!
//! One name alone cannot say it: `cart_p50_latency` may be the latency of `cart_p50`. All names
//! together can: what several metrics are known of is an entity, and what stands behind its name is
//! a metric, also where no table knows it.

use crate::signals::{SignalId, SignalTable, qualifies, words};
use rayon::prelude::*;
use std::collections::{BTreeSet, HashMap};

/// Metrics that have to be known of an entity before its name cuts others.
const METRICS_MIN: usize = 2;

/// Entities by the names of columns, each with what is known to be measured of it.
#[derive(Debug, Default)]
pub struct Columns {
    entities: HashMap<String, BTreeSet<SignalId>>,
}

impl Columns {
    /// Learns the entities of a table's columns.
    pub fn of<'n>(table: &SignalTable, names: impl ParallelIterator<Item = &'n str>) -> Columns {
        let each: Vec<_> = names.filter_map(|name| known(table, name)).collect();
        let mut entities: HashMap<String, BTreeSet<SignalId>> = HashMap::new();
        for (entity, _, signal) in each {
            match entities.get_mut(entity) {
                Some(metrics) => {
                    metrics.insert(signal);
                }
                None => {
                    entities.insert(entity.to_owned(), BTreeSet::from([signal]));
                }
            }
        }
        Columns { entities }
    }

    /// Splits a name into its entity and its metric.
    pub fn split<'n>(&self, table: &SignalTable, name: &'n str) -> Option<(&'n str, &'n str)> {
        let Some((entity, metric, _)) = known(table, name) else {
            let own = cuts(name).rev().find(|(entity, _)| self.is_entity(entity));
            return own.or_else(|| guessed(table, name));
        };
        let whole = self.is_entity(entity);
        let mut shorter = cuts(entity).rev().filter(|(prefix, _)| self.is_entity(prefix));
        let of_metric = |(prefix, between): &(&str, &str)| {
            let between = words(between);
            // `cart_p50` is none; `cart_queue` is one where more than one thing is measured of it.
            !prefix.is_empty()
                && between.iter().all(|w| qualifies(w) || !whole && table.is_of_metrics(w))
        };
        let found = shorter.find(of_metric);
        Some(found.map_or((entity, metric), |(prefix, _)| (prefix, &name[prefix.len() + 1..])))
    }

    fn is_entity(&self, name: &str) -> bool {
        self.entities.get(name).is_some_and(|metrics| metrics.len() >= METRICS_MIN)
    }
}

/// Every way to cut a name in two, the shortest entity first.
fn cuts(name: &str) -> impl DoubleEndedIterator<Item = (&str, &str)> {
    let is_cut = |c: char| matches!(c, '_' | '.' | '/' | ':' | '|');
    let at = name.char_indices().filter(move |(i, c)| is_cut(*c) && *i > 0);
    at.map(|(i, _)| (&name[..i], &name[i + 1..]))
}

/// The cut in front of the longest metric that the table knows.
fn known<'n>(table: &SignalTable, name: &'n str) -> Option<(&'n str, &'n str, SignalId)> {
    cuts(name).filter(|(_, metric)| !metric.is_empty()).find_map(|(entity, metric)| {
        table.known(&words(metric)).map(|meaning| (entity, metric, meaning.signal))
    })
}

/// The last cut, where the words behind it mean something.
fn guessed<'n>(table: &SignalTable, name: &'n str) -> Option<(&'n str, &'n str)> {
    let (entity, metric) = name.rsplit_once('_').filter(|(entity, _)| !entity.is_empty())?;
    let meaning = table.meaning(metric)?;
    (Some(meaning.signal) != table.named("other")).then_some((entity, metric))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split<'n>(all: &[&'n str]) -> Vec<(&'n str, &'n str)> {
        let table = SignalTable::built_in().expect("valid");
        let columns = Columns::of(table, all.par_iter().copied());
        all.iter().map(|n| columns.split(table, n).unwrap_or((n, ""))).collect()
    }

    #[test]
    fn a_name_is_cut_at_the_metric() {
        assert_eq!(
            split(&["cart_cpu", "ts-order-service_latency-90", "my_shop_memory_usage", "zorkmids"]),
            [
                ("cart", "cpu"),
                ("ts-order-service", "latency-90"),
                ("my_shop", "memory_usage"),
                ("zorkmids", "")
            ]
        );
    }

    #[test]
    fn what_is_measured_of_an_entity_elsewhere_cuts_other_names_too() {
        let found = split(&[
            "cart_cpu",
            "cart_mem",
            "cart_p50_latency",
            "cart_err_rate",
            "cart_zork_mids",
            "cart_http_errors",
            "cart_http_requests",
        ]);
        let metrics = ["cpu", "mem", "p50_latency", "err_rate", "zork_mids", "http_errors"];
        assert!(found.iter().all(|(entity, _)| *entity == "cart"), "{found:?}");
        assert_eq!(found.iter().take(6).map(|f| f.1).collect::<Vec<_>>(), metrics);
    }

    #[test]
    fn a_longer_name_with_metrics_of_its_own_is_an_entity_of_its_own() {
        let found = split(&[
            "cart_cpu",
            "cart_mem",
            "cart_db_cpu",
            "cart_queue_cpu",
            "cart_queue_memory_usage",
        ]);
        let entities: Vec<&str> = found.iter().map(|f| f.0).collect();
        assert_eq!(entities, ["cart", "cart", "cart_db", "cart_queue", "cart_queue"]);
    }
}
