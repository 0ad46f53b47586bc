//! What the data points of one OTLP metric say: gauges, sums, histograms of both kinds, summaries.
//! In: metrics with their resource. Out: points of named and labelled series in [`Growing`].

use super::super::Input;
use super::super::raw::Raw;
use super::super::{spans, sql};
use super::metrics::{Attribute, Data, Metric, Point};
use super::series::{Exponential, Growing, Growth, Labels, When};

/// Resource attributes that are labels, and under which name the resolver knows them.
const RESOURCE: [(&str, &str); 13] = [
    ("service.name", "service.name"),
    ("service.version", "service.version"),
    ("k8s.pod.name", "k8s.pod.name"),
    ("k8s.node.name", "k8s_node_name"),
    ("host.name", "host_name"),
    ("k8s.deployment.name", "deployment"),
    ("k8s.statefulset.name", "workload"),
    ("k8s.daemonset.name", "workload"),
    ("k8s.container.name", "container"),
    ("container.name", "container"),
    ("server.address", "server.address"),
    ("postgresql.database.name", "database"),
    ("postgresql.table.name", "table"),
];

/// Labels of everything that a resource measures; the instance is the one its spans have.
pub fn resource_labels(attributes: &[Attribute], raw: &mut Raw) -> Labels {
    let get = |name: &str| {
        let found = attributes.iter().find(|a| a.key == name);
        found.map(|a| a.value.as_str()).filter(|v| !v.is_empty())
    };
    let mut labels = Labels::new();
    for (attribute, label) in RESOURCE {
        if let Some(value) = get(attribute) {
            labels.entry(label.to_owned()).or_insert_with(|| value.to_owned());
        }
    }
    let identity = spans::identity(&get, &mut raw.symbols);
    let instance = raw.symbols.text(identity.instance);
    if labels.contains_key("service.name") && !instance.is_empty() {
        labels.insert("service.instance.id".to_owned(), instance.to_owned());
        // Several processes on one host stay apart.
        let own = get("service.instance.id").filter(|id| *id != instance);
        labels.extend(own.map(|id| ("process".to_owned(), id.to_owned())));
    }
    labels
}

/// Adds a point's own attributes; what may hold secrets is cut or left out.
fn point_labels(resource: &Labels, point: &Point) -> Labels {
    const PRIVATE: [&str; 6] =
        ["user.", "enduser.", "http.request.header.", "client.address", "url.query", "session."];
    let mut labels = resource.clone();
    for Attribute { key, value } in point.attributes.iter().filter(|a| !a.value.is_empty()) {
        let value = match key.as_str() {
            k if PRIVATE.iter().any(|p| k.starts_with(p)) => continue,
            "db.query.text" | "db.statement" => sql::normalize(value).text,
            "url.full" | "http.url" | "http.target" | "url.path" => {
                value.split(['?', '#']).next().unwrap_or_default().to_owned()
            }
            _ => value.clone(),
        };
        labels.insert(key.clone(), value);
    }
    labels
}

/// The base unit of a unit of time, and what divides its values to get there; others stay.
fn base_unit(unit: &str) -> (Option<&str>, f64) {
    match unit {
        "" => (None, 1.0),
        "ms" => (Some("s"), 1e3),
        "us" | "µs" => (Some("s"), 1e6),
        "ns" => (Some("s"), 1e9),
        other => (Some(other), 1.0),
    }
}

/// Where the points of one metric go.
struct Target<'a> {
    name: &'a str,
    unit: Option<&'a str>,
    divisor: f64,
    growth: Growth,
    series: &'a mut Growing,
}

impl Target<'_> {
    /// Adds a value in the metric's unit to one of its parts.
    fn value(&mut self, part: &str, labels: &Labels, when: When, value: f64) {
        let name = format!("{}{part}", self.name);
        let point = (when, value / self.divisor);
        self.series.push((&name, self.unit), labels, self.growth, point);
    }

    /// Adds a number of observations.
    fn count(&mut self, part: &str, labels: &Labels, when: When, count: f64) {
        let name = format!("{}{part}", self.name);
        let unit = if part == "_bucket" { self.unit } else { None };
        self.series.push((&name, unit), labels, self.growth, (when, count));
    }
}

/// Reads one metric of one resource.
pub fn one(input: &Input, metric: &Metric, resource: &Labels, series: &mut Growing, raw: &mut Raw) {
    let kinds: [(&Option<Data>, Reading); 5] = [
        (&metric.gauge, plain),
        (&metric.sum, plain),
        (&metric.histogram, histogram),
        (&metric.exponential_histogram, exponential),
        (&metric.summary, summary),
    ];
    let Some((data, reading)) = kinds.iter().find_map(|(d, r)| Some((d.as_ref()?, r))) else {
        raw.skip(input.file, None, "metric without data points of a known kind", 1);
        return;
    };
    let is_sum = metric.sum.is_some();
    let growth = match (data.delta, is_sum && !data.monotonic || metric.gauge.is_some()) {
        (true, _) => Growth::Delta,
        (false, true) => Growth::Gauge,
        (false, false) => Growth::Cumulative,
    };
    // As Prometheus' exporters do: nothing else says that it is a counter.
    let counter = is_sum && data.monotonic && !metric.name.ends_with("total");
    let name = format!("{}{}", metric.name, if counter { "_total" } else { "" });
    let (unit, divisor) = base_unit(&metric.unit);
    let mut target = Target { name: &name, unit, divisor, growth, series };
    let exemplars = data.points.iter().map(|p| p.exemplars).sum();
    raw.pass_over(input.file, "exemplars (links to traces)", &metric.name, exemplars);
    for point in &data.points {
        let Some(at) = point.time_unix_nano else {
            raw.skip(input.file, None, "data point without a time", 1);
            continue;
        };
        if point.flags.is_some_and(|f| f as u64 & 1 == 1) {
            raw.skip(input.file, None, "data point that says that nothing was recorded", 1);
            continue;
        }
        let labels = point_labels(resource, point);
        let when = When { at, start: point.start_time_unix_nano };
        match reading(&mut target, &labels, when, point) {
            Ok(()) => raw.rows(input.file, 1),
            Err(why) => raw.skip(input.file, None, why, 1),
        }
    }
}

/// Adds one point to the series that it belongs to; an error says why it cannot.
type Reading = fn(&mut Target, &Labels, When, &Point) -> Result<(), &'static str>;

fn plain(to: &mut Target, labels: &Labels, when: When, point: &Point) -> Result<(), &'static str> {
    let value = point.as_double.or(point.as_int);
    let value = value.ok_or("data point whose value is NaN, infinite or missing")?;
    to.value("", labels, when, value);
    Ok(())
}

/// Adds what all kinds of histograms have.
fn totals(to: &mut Target, labels: &Labels, when: When, point: &Point) {
    to.count("_count", labels, when, point.count.unwrap_or(0.0));
    if let Some(sum) = point.sum {
        to.value("_sum", labels, when, sum);
    }
}

fn histogram(
    to: &mut Target,
    labels: &Labels,
    when: When,
    point: &Point,
) -> Result<(), &'static str> {
    let (counts, bounds) = (&point.bucket_counts, &point.explicit_bounds);
    if !counts.is_empty() && counts.len() != bounds.len() + 1 {
        return Err("histogram whose counts and bounds do not fit together");
    }
    if counts.iter().chain(bounds).any(|v| v.is_nan()) {
        return Err("histogram with a count or a bound that is no number");
    }
    totals(to, labels, when, point);
    let upper = bounds.iter().map(|b| (b / to.divisor).to_string());
    let upper: Vec<String> = upper.chain(["+Inf".to_owned()]).collect();
    let (mut labels, mut sum) = (labels.clone(), 0.0);
    for (bound, count) in upper.into_iter().zip(counts) {
        sum += count;
        labels.insert("le".to_owned(), bound);
        to.count("_bucket", &labels, when, sum);
    }
    Ok(())
}

fn exponential(
    to: &mut Target,
    labels: &Labels,
    when: When,
    point: &Point,
) -> Result<(), &'static str> {
    let counts = &point.positive.bucket_counts;
    let negative: f64 = point.negative.bucket_counts.iter().sum();
    let low = negative + point.zero_count.unwrap_or(0.0);
    if low.is_nan() || counts.iter().any(|v| v.is_nan()) {
        return Err("histogram with a count that is no number");
    }
    let scale = point.scale.unwrap_or(0.0) as i32;
    let offset = point.positive.offset.unwrap_or(0.0) as i32;
    let whole = Exponential { scale, low, offset: offset.into(), counts: counts.clone() };
    let what = (to.name, to.unit, to.divisor);
    if !to.series.push_exponential(what, labels, to.growth, (when, whole)) {
        return Err("exponential histogram with an impossible scale");
    }
    totals(to, labels, when, point);
    let mut labels = labels.clone();
    labels.insert("le".to_owned(), "+Inf".to_owned());
    to.count("_bucket", &labels, when, point.count.unwrap_or(0.0));
    Ok(())
}

fn summary(
    to: &mut Target,
    labels: &Labels,
    when: When,
    point: &Point,
) -> Result<(), &'static str> {
    totals(to, labels, when, point);
    let mut labels = labels.clone();
    let growth = std::mem::replace(&mut to.growth, Growth::Gauge);
    for q in &point.quantile_values {
        labels.insert("quantile".to_owned(), q.quantile.unwrap_or(0.0).to_string());
        to.value("", &labels, when, q.value.unwrap_or(0.0));
    }
    to.growth = growth;
    Ok(())
}
