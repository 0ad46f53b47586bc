//! The query file of `get-metric-data`: which metric, statistic and period an `Id` stands for.
//! In: `[{"Id","MetricStat"}]`, bare or under `MetricDataQueries`. Out: queries to join.

use super::complete::MetricQuery;
use crate::ingest::lenient::{self, Scalar};
use crate::ingest::raw::Raw;
use crate::ingest::spans::or_default;
use crate::ingest::{Head, Input};
use serde::Deserialize;

/// Accepts queries by their keys; an answer holds none of them.
pub fn accepts(head: &Head) -> bool {
    let query = head.has_key("MetricStat") || head.has_key("Expression");
    let alarm = head.has_key("AlarmName") || head.has_key("MetricAlarms");
    head.has_key("Id") && query && !alarm
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Dimension {
    #[serde(default, deserialize_with = "or_default")]
    name: String,
    #[serde(default, deserialize_with = "or_default")]
    value: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Metric {
    #[serde(deserialize_with = "or_default")]
    namespace: String,
    #[serde(deserialize_with = "or_default")]
    metric_name: String,
    #[serde(deserialize_with = "or_default")]
    dimensions: Vec<Dimension>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct MetricStat {
    #[serde(deserialize_with = "or_default")]
    metric: Metric,
    period: Scalar,
    #[serde(deserialize_with = "or_default")]
    stat: String,
    #[serde(deserialize_with = "or_default")]
    unit: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Query {
    #[serde(default, deserialize_with = "or_default")]
    id: String,
    #[serde(default, deserialize_with = "or_default")]
    metric_stat: MetricStat,
    #[serde(default)]
    period: Scalar,
}

/// Reads the queries.
pub fn read(input: &Input, raw: &mut Raw) {
    input.documents(raw, |base, document, raw| {
        let keys = ["MetricDataQueries"];
        input.elements((base, document), &keys, "a query", raw, |at, element, raw| {
            match lenient::from_slice::<Query>(element) {
                Ok(query) => {
                    raw.cloudwatch.queries.push(made(input, query));
                    raw.rows(input.file, 1);
                }
                Err(e) => input.skip_unreadable(at, "a query", e, raw),
            }
        });
    });
}

fn made(input: &Input, query: Query) -> MetricQuery {
    let stat = query.metric_stat;
    let period = stat.period.number().or_else(|| query.period.number());
    let dimensions = stat.metric.dimensions.into_iter();
    MetricQuery {
        file: input.file,
        id: query.id,
        namespace: stat.metric.namespace,
        name: stat.metric.metric_name,
        labels: dimensions.map(|d| super::complete::dimension(&d.name, &d.value)).collect(),
        statistic: stat.stat,
        unit: stat.unit,
        period_s: period.filter(|p| *p > 0.0),
    }
}
