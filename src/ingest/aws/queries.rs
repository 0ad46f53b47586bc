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
    #[serde(default)]
    expression: Scalar,
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
    let mut stat = query.metric_stat;
    if let Some(found) = searched(&query.expression.text()) {
        stat = found;
    }
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
        period_s: period.filter(|p| *p >= 1.0),
    }
}

/// What `SEARCH('{Namespace,Dimension} MetricName="Name"', 'Statistic', period)` looks for; `None`
/// for any other expression.
fn searched(expression: &str) -> Option<MetricStat> {
    let inner = expression.trim().strip_prefix("SEARCH(")?.strip_suffix(')')?;
    let mut quoted = inner.split('\'');
    let (pattern, stat) = (quoted.nth(1)?, quoted.nth(1)?);
    let (_, name) = pattern.split_once("MetricName=")?;
    let name = name.trim_start_matches('"').split(['"', ' ']).next()?;
    let namespace = pattern.trim().strip_prefix('{')?.split([',', '}']).next()?;
    let period = quoted.next().map(|p| p.trim_matches([',', ' ']).to_owned());
    Some(MetricStat {
        metric: Metric {
            namespace: namespace.trim().trim_matches('"').to_owned(),
            metric_name: name.to_owned(),
            dimensions: Vec::new(),
        },
        period: Scalar::Text(period.unwrap_or_default()),
        stat: stat.to_owned(),
        unit: String::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::searched;

    #[test]
    fn a_search_says_namespace_metric_statistic_and_period() {
        let text = "SEARCH('{AWS/EC2,InstanceId} MetricName=\"CPUUtilization\"', 'Average', 300)";
        let found = searched(text).expect("a search");
        assert_eq!((found.metric.namespace, found.metric.metric_name).0, "AWS/EC2");
        assert_eq!((found.stat.as_str(), found.period.number()), ("Average", Some(300.0)));
        for no in ["m1/m2", "SEARCH('x')", "SUM(SEARCH('{A} MetricName=\"b\"', 'Sum', 60))"] {
            assert!(searched(no).is_none(), "{no}");
        }
    }
}
