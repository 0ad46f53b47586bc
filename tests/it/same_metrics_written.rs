//! Writers of the canonical metrics, one for each format. In: series. Out: the files of an export.

use super::same_data::{Files, T0, one};
use super::same_metrics::{RESET, Series};
use arrow::array::{
    Array, ArrayRef, AsArray, Float64Array, StringArray, TimestampMillisecondArray, UInt64Array,
};
use arrow::record_batch::RecordBatch;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint,
    ResourceMetrics, ScopeMetrics, Sum, metric, number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// `k="v", …` with the separator and the quotes that a format has.
fn pairs(s: &Series, by: &str) -> String {
    let all: Vec<String> = s.labels.iter().map(|(k, v)| format!("{k}=\"{v}\"")).collect();
    all.join(by)
}

fn metric_of(s: &Series) -> Value {
    let name = ("__name__".to_owned(), s.name.to_owned());
    let labels = s.labels.clone().into_iter().chain([name]);
    json!(labels.collect::<BTreeMap<String, String>>())
}

fn result(all: &[Series], kept: &dyn Fn(i64) -> bool) -> Value {
    let values = |s: &Series| -> Vec<Value> {
        let points = s.points.iter().filter(|(t, _)| kept(*t));
        points.map(|(t, v)| json!([t, v.to_string()])).collect()
    };
    let item = |s: &Series| json!({"metric": metric_of(s), "values": values(s)});
    json!(all.iter().map(item).collect::<Vec<_>>())
}

fn answer(result: Value) -> String {
    json!({"status": "success", "data": {"resultType": "matrix", "result": result}}).to_string()
}

pub fn range_json(all: &[Series]) -> Files {
    one("range.json", answer(result(all, &|_| true)))
}

pub fn bare_matrix(all: &[Series]) -> Files {
    one("bare.json", result(all, &|_| true).to_string())
}

pub fn two_chunks(all: &[Series]) -> Files {
    let part = |kept: &dyn Fn(i64) -> bool| answer(result(all, kept)).into_bytes();
    let middle = T0 + 20 * 15;
    vec![
        ("range-1.json".to_owned(), part(&|t| t <= middle)),
        ("range-2.json".to_owned(), part(&|t| t >= middle)),
    ]
}

/// Lines `NAME{LABELS} …`, one for each point.
fn lines(all: &[Series], line: &dyn Fn(&Series, i64, f64) -> String) -> String {
    let each = |s: &Series| s.points.iter().map(|(t, v)| line(s, *t, *v)).collect::<String>();
    all.iter().map(each).collect()
}

pub fn openmetrics(all: &[Series]) -> Files {
    let of = |s: &Series, t: i64, v: f64| format!("{}{{{}}} {v} {t}.000\n", s.name, pairs(s, ","));
    let text = lines(all, &of);
    one("om.txt", format!("# TYPE http_requests counter\n{text}# EOF\n"))
}

pub fn exposition(all: &[Series]) -> Files {
    let of = |s: &Series, t: i64, v: f64| format!("{}{{{}}} {v} {t}000\n", s.name, pairs(s, ","));
    one("scrape.prom", format!("# HELP x y\n# TYPE x gauge\n{}", lines(all, &of)))
}

pub fn tsdb_dump(all: &[Series]) -> Files {
    let of = |s: &Series, t: i64, v: f64| {
        format!("{{__name__=\"{}\", {}}} {v} {t}000\n", s.name, pairs(s, ", "))
    };
    one("dump.txt", lines(all, &of))
}

pub fn promtool(all: &[Series]) -> Files {
    let points = |s: &Series| s.points.iter().map(|(t, v)| format!("{v} @[{t}]\n")).collect();
    let each = |s: &Series| {
        let points: String = points(s);
        format!("{}{{{}}} =>\n{points}", s.name, pairs(s, ", "))
    };
    one("query.txt", all.iter().map(each).collect::<String>())
}

pub fn victoriametrics(all: &[Series]) -> Files {
    let line = |s: &Series| {
        let values: Vec<f64> = s.points.iter().map(|p| p.1).collect();
        let times: Vec<i64> = s.points.iter().map(|p| p.0 * 1000).collect();
        format!("{}\n", json!({"metric": metric_of(s), "values": values, "timestamps": times}))
    };
    one("vm.jsonl", all.iter().map(line).collect::<String>())
}

fn tags(s: &Series) -> String {
    s.labels.iter().map(|(k, v)| format!(",{k}={v}")).collect()
}

pub fn influx_line(all: &[Series]) -> Files {
    let of =
        |s: &Series, t: i64, v: f64| format!("prometheus{} {}={v} {t}000000000\n", tags(s), s.name);
    one("telegraf.lp", lines(all, &of))
}

pub fn influx_line_value(all: &[Series]) -> Files {
    let of = |s: &Series, t: i64, v: f64| format!("{}{} value={v} {t}000000000\n", s.name, tags(s));
    one("values.lp", lines(all, &of))
}

/// `2026-11-20T20:10:00Z` of a time within the hour.
fn iso(t: i64) -> String {
    let seconds = t - T0 + 600;
    format!("2026-11-20T20:{:02}:{:02}Z", seconds / 60, seconds % 60)
}

/// One table for each set of tag names, as Flux gives them.
pub fn influx_csv(all: &[Series]) -> Files {
    let mut text = String::new();
    let sets: BTreeSet<Vec<&String>> = all.iter().map(|s| s.labels.keys().collect()).collect();
    for set in sets {
        let more = |word: &str| set.iter().map(|_| format!(",{word}")).collect::<String>();
        let names: String = set.iter().map(|k| format!(",{k}")).collect();
        text += &format!("#group,false,false,false,false,true,true{}\r\n", more("true"));
        let types = "#datatype,string,long,dateTime:RFC3339,double,string,string";
        text += &format!("{types}{}\r\n#default,_result,,,,,{}\r\n", more("string"), more(""));
        text += &format!(",result,table,_time,_value,_field,_measurement{names}\r\n");
        let own = all.iter().filter(|s| s.labels.keys().collect::<Vec<_>>() == set);
        for (table, s) in own.enumerate() {
            let values: String = s.labels.values().map(|v| format!(",{v}")).collect();
            for (t, v) in &s.points {
                let at = iso(*t);
                text += &format!(",,{table},{at},{v},{},prometheus{values}\r\n", s.name);
            }
        }
        text += "\r\n";
    }
    one("flux.csv", text)
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

/// Grafana's CSV of some series joined by time.
fn grafana(all: &[&Series], by: char) -> String {
    let header =
        |s: &&Series| format!("{by}{}", quoted(&format!("{}{{{}}}", s.name, pairs(s, ", "))));
    let mut text = format!("\"Time\"{}\r\n", all.iter().map(header).collect::<String>());
    let times: BTreeSet<i64> = all.iter().flat_map(|s| s.points.iter().map(|p| p.0)).collect();
    for t in times {
        let at = |s: &Series| s.points.iter().find(|p| p.0 == t).map(|p| p.1.to_string());
        let cells = all.iter().map(|s| format!("{by}{}", at(s).unwrap_or_default()));
        text += &format!("{t}000{}\r\n", cells.collect::<String>());
    }
    text
}

pub fn grafana_joined(all: &[Series]) -> Files {
    let all: Vec<&Series> = all.iter().collect();
    one("Panel Title-data-as-joinbyfield-2026-11-20 20_30_00.csv", grafana(&all, ','))
}

pub fn grafana_single(all: &[Series]) -> Files {
    let name = |n: usize| format!("series-{n}-data-2026-11-20 20_30_00.csv");
    let each = |(n, s): (usize, &Series)| (name(n), grafana(&[s], ',').into_bytes());
    all.iter().enumerate().map(each).collect()
}

/// UTF-16LE with its mark.
pub fn utf_16(text: &str) -> Vec<u8> {
    [0xfeff].into_iter().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect()
}

pub fn grafana_excel(all: &[Series]) -> Files {
    let all: Vec<&Series> = all.iter().collect();
    one("Panel Title-data-2026-11-20 20_30_00.csv", utf_16(&grafana(&all, '\t')))
}

fn milliseconds(s: &Series) -> Vec<i64> {
    s.points.iter().map(|p| p.0 * 1000).collect()
}

fn values(s: &Series) -> Vec<f64> {
    s.points.iter().map(|p| p.1).collect()
}

pub fn grafana_frames(all: &[Series]) -> Files {
    let frame = |s: &Series| {
        json!({"schema": {"refId": "A", "fields": [
            {"name": "Time", "type": "time"},
            {"name": "Value", "type": "number", "labels": metric_of(s)}]},
            "data": {"values": [milliseconds(s), values(s)]}})
    };
    let frames: Vec<Value> = all.iter().map(frame).collect();
    one("query.json", json!({"results": {"A": {"status": 200, "frames": frames}}}).to_string())
}

pub fn grafana_panel(all: &[Series]) -> Files {
    let frame = |s: &Series| {
        json!({"refId": "A", "fields": [
            {"name": "Time", "type": "time", "config": {}, "values": milliseconds(s)},
            {"name": "Value", "type": "number", "config": {}, "labels": metric_of(s),
             "values": values(s)}]})
    };
    let frames: Vec<Value> = all.iter().map(frame).collect();
    one("panel.json", json!({"state": "Done", "series": frames}).to_string())
}

fn key_values(of: &[(&str, &str)]) -> Vec<KeyValue> {
    let value = |v: &str| AnyValue { value: Some(any_value::Value::StringValue(v.to_owned())) };
    let one = |(k, v): &(&str, &str)| KeyValue {
        key: (*k).to_owned(),
        value: Some(value(v)),
        ..KeyValue::default()
    };
    of.iter().map(one).collect()
}

/// What `s` was counted since, and its attributes beside service, instance and bound.
fn point(s: &Series, t: i64) -> NumberDataPoint {
    let restarted = s.labels["service"] == "checkout" && t >= RESET;
    let start = if restarted { RESET - 5 } else { T0 - 3600 };
    let own = ["service", "instance", "le"];
    let rest = s.labels.iter().filter(|(k, _)| !own.contains(&k.as_str()));
    let rest: Vec<(&str, &str)> = rest.map(|(k, v)| (k.as_str(), v.as_str())).collect();
    NumberDataPoint {
        attributes: key_values(&rest),
        start_time_unix_nano: start as u64 * 1_000_000_000,
        time_unix_nano: t as u64 * 1_000_000_000,
        ..NumberDataPoint::default()
    }
}

fn metric(s: &Series, of_service: &[&Series]) -> Option<Metric> {
    const DURATION: &str = "http_request_duration_seconds";
    let cumulative = AggregationTemporality::Cumulative as i32;
    let number = |(t, v): &(i64, f64)| NumberDataPoint {
        value: Some(number_data_point::Value::AsDouble(*v)),
        ..point(s, *t)
    };
    let data_points = s.points.iter().map(number).collect();
    let (name, data) = match s.name {
        n if n.ends_with("_total") => {
            let sum = Sum { data_points, is_monotonic: true, aggregation_temporality: cumulative };
            (n, metric::Data::Sum(sum))
        }
        n if n.ends_with("_count") => {
            let at = |part: &str, le: Option<&str>, t: i64| {
                let name = format!("{DURATION}{part}");
                let is =
                    |o: &&&Series| o.name == name && le == o.labels.get("le").map(String::as_str);
                let found = of_service.iter().find(is).expect("a part of the histogram");
                found.points.iter().find(|p| p.0 == t).expect("the same times").1
            };
            let histogram = |(t, count): &(i64, f64)| {
                let upto = ["0.1", "0.5", "+Inf"].map(|le| at("_bucket", Some(le), *t));
                let counts = [upto[0], upto[1] - upto[0], upto[2] - upto[1]];
                let own = point(s, *t);
                HistogramDataPoint {
                    attributes: own.attributes,
                    start_time_unix_nano: own.start_time_unix_nano,
                    time_unix_nano: own.time_unix_nano,
                    count: *count as u64,
                    sum: Some(at("_sum", None, *t)),
                    bucket_counts: counts.map(|c| c as u64).to_vec(),
                    explicit_bounds: vec![0.1, 0.5],
                    ..HistogramDataPoint::default()
                }
            };
            let data_points = s.points.iter().map(histogram).collect();
            let own = Histogram { data_points, aggregation_temporality: cumulative };
            (DURATION, metric::Data::Histogram(own))
        }
        n if n.starts_with(DURATION) => return None,
        n => (n, metric::Data::Gauge(Gauge { data_points })),
    };
    let unit = if name == DURATION { "s" } else { "" }.to_owned();
    Some(Metric { name: name.to_owned(), unit, data: Some(data), ..Metric::default() })
}

/// One request for each service.
fn requests(all: &[Series]) -> Vec<ExportMetricsServiceRequest> {
    let services: BTreeSet<&String> = all.iter().map(|s| &s.labels["service"]).collect();
    let request = |service: &String| {
        let own: Vec<&Series> = all.iter().filter(|s| s.labels["service"] == *service).collect();
        let instance = format!("{service}-1");
        let resource = [("service.name", service.as_str()), ("service.instance.id", &instance)];
        let metrics = own.iter().filter_map(|s| metric(s, &own)).collect();
        let group = ResourceMetrics {
            resource: Some(Resource { attributes: key_values(&resource), ..Resource::default() }),
            scope_metrics: vec![ScopeMetrics { metrics, ..ScopeMetrics::default() }],
            ..ResourceMetrics::default()
        };
        ExportMetricsServiceRequest { resource_metrics: vec![group] }
    };
    services.into_iter().map(request).collect()
}

pub fn otlp_lines(all: &[Series]) -> Files {
    let line = |r: &ExportMetricsServiceRequest| format!("{}\n", json!(r));
    one("metrics.jsonl", requests(all).iter().map(line).collect::<String>())
}

pub fn otlp_framed(all: &[Series]) -> Files {
    let framed = |r: &ExportMetricsServiceRequest| {
        let body = r.encode_to_vec();
        [&(body.len() as u32).to_be_bytes()[..], &body].concat()
    };
    one("metrics.binpb", requests(all).iter().flat_map(framed).collect::<Vec<u8>>())
}

fn datadog_tags(s: &Series) -> Vec<String> {
    s.labels.iter().map(|(k, v)| format!("{k}:{v}")).collect()
}

pub fn datadog_v1(all: &[Series]) -> Files {
    let series = |s: &Series| {
        let tags = datadog_tags(s);
        let points: Vec<(f64, f64)> =
            s.points.iter().map(|(t, v)| ((t * 1000) as f64, *v)).collect();
        json!({"metric": s.name, "scope": tags.join(","), "tag_set": tags, "pointlist": points,
               "expression": s.name, "unit": null, "interval": 15})
    };
    let series: Vec<Value> = all.iter().map(series).collect();
    let whole = json!({"status": "ok", "res_type": "time_series", "series": series});
    one("datadog.json", whole.to_string())
}

pub fn datadog_v2(all: &[Series]) -> Files {
    let times: BTreeSet<i64> = all.iter().flat_map(|s| s.points.iter().map(|p| p.0)).collect();
    let at = |s: &Series, t: i64| s.points.iter().find(|p| p.0 == t).map(|p| p.1);
    let values: Vec<Vec<Option<f64>>> =
        all.iter().map(|s| times.iter().map(|t| at(s, *t)).collect()).collect();
    let series: Vec<Value> = all
        .iter()
        .enumerate()
        .map(|(i, s)| json!({"metric": s.name, "group_tags": datadog_tags(s), "query_index": i}))
        .collect();
    let times: Vec<i64> = times.iter().map(|t| t * 1000).collect();
    let own = json!({"series": series, "times": times, "values": values});
    let whole = json!({"data": {"type": "timeseries_response", "attributes": own}});
    one("datadog2.json", whole.to_string())
}

pub fn cloudwatch(all: &[Series]) -> Files {
    let id = |i: usize| format!("m{i}");
    let query = |(i, s): (usize, &Series)| {
        let dimensions: Vec<Value> =
            s.labels.iter().map(|(k, v)| json!({"Name": k, "Value": v})).collect();
        let metric = json!({"Namespace": "Shop", "MetricName": s.name, "Dimensions": dimensions});
        json!({"Id": id(i), "MetricStat": {"Metric": metric, "Period": 15, "Stat": "Average"}})
    };
    let result = |(i, s): (usize, &Series)| {
        // Newest first, as CloudWatch answers.
        let times: Vec<String> = s.points.iter().rev().map(|p| iso(p.0)).collect();
        let values: Vec<f64> = s.points.iter().rev().map(|p| p.1).collect();
        json!({"Id": id(i), "Label": s.name, "Timestamps": times, "Values": values,
               "StatusCode": "Complete"})
    };
    let queries: Vec<Value> = all.iter().enumerate().map(query).collect();
    let results: Vec<Value> = all.iter().enumerate().map(result).collect();
    vec![
        ("data.json".to_owned(), json!({"MetricDataResults": results}).to_string().into_bytes()),
        ("queries.json".to_owned(), json!(queries).to_string().into_bytes()),
    ]
}

/// Every label that some series has.
fn keys(all: &[Series]) -> Vec<&String> {
    all.iter().flat_map(|s| s.labels.keys()).collect::<BTreeSet<_>>().into_iter().collect()
}

/// Rows by time and label set, with the values of the metrics that it has.
type Wide<'a> = BTreeMap<(i64, Vec<&'a str>), BTreeMap<&'static str, f64>>;

fn wide(all: &[Series]) -> (Vec<&'static str>, Wide<'_>) {
    let mut rows = Wide::new();
    let keys = keys(all);
    for s in all {
        let labels: Vec<&str> =
            keys.iter().map(|k| s.labels.get(*k).map_or("", String::as_str)).collect();
        for (t, v) in &s.points {
            rows.entry((*t, labels.clone())).or_default().insert(s.name, *v);
        }
    }
    let names: BTreeSet<&'static str> = all.iter().map(|s| s.name).collect();
    (names.into_iter().collect(), rows)
}

fn csv_text(rows: impl Iterator<Item = Vec<String>>) -> Vec<u8> {
    let mut out = csv::Writer::from_writer(Vec::new());
    rows.for_each(|r| out.write_record(r).expect("memory can be written"));
    out.into_inner().expect("memory can be written")
}

/// The rows of pools behind all others: the column of their label says nothing for long.
pub fn wide_csv_by_series(all: &[Series]) -> Files {
    let text = String::from_utf8(wide_csv(all).remove(0).1).expect("UTF-8");
    let (header, rows) = text.split_once('\n').expect("a header");
    let mut rows: Vec<&str> = rows.lines().collect();
    rows.sort_by_key(|r| r.contains(",main,"));
    one("by-series.csv", format!("{header}\n{}\n", rows.join("\n")))
}

pub fn wide_csv(all: &[Series]) -> Files {
    let (names, rows) = wide(all);
    let owned = |all: &[&str]| all.iter().map(|t| (*t).to_owned()).collect::<Vec<String>>();
    let keys: Vec<&str> = keys(all).into_iter().map(String::as_str).collect();
    let header = [owned(&["time"]), owned(&keys), owned(&names)].concat();
    let rows = rows.iter().map(|((t, labels), values)| {
        let cell = |n: &&str| values.get(n).map(f64::to_string).unwrap_or_default();
        [vec![iso(*t)], owned(labels), names.iter().map(cell).collect()].concat()
    });
    one("wide.csv", csv_text([header].into_iter().chain(rows)))
}

pub fn long_csv(all: &[Series]) -> Files {
    let keys = keys(all);
    let header = ["timestamp", "metric", "value"].map(str::to_owned).into_iter();
    let header = header.chain(keys.iter().map(|k| (*k).clone())).collect();
    let rows = all.iter().flat_map(|s| {
        let labels = keys.iter().map(|k| s.labels.get(*k).cloned().unwrap_or_default());
        let labels: Vec<String> = labels.collect();
        s.points.iter().map(move |(t, v)| {
            [vec![t.to_string(), s.name.to_owned(), v.to_string()], labels.clone()].concat()
        })
    });
    one("long.csv", csv_text([header].into_iter().chain(rows)))
}

fn times(all: impl Iterator<Item = i64>) -> ArrayRef {
    let all: Vec<i64> = all.map(|t| t * 1000).collect();
    Arc::new(TimestampMillisecondArray::from(all).with_timezone("UTC"))
}

fn words<'a>(all: impl Iterator<Item = &'a str>) -> ArrayRef {
    let said = |t: &'a str| (!t.is_empty()).then_some(t);
    Arc::new(all.map(said).collect::<StringArray>())
}

fn batch(columns: Vec<(String, ArrayRef)>) -> RecordBatch {
    let columns = columns.into_iter().map(|(name, column)| (name, column, true));
    RecordBatch::try_from_iter_with_nullable(columns).expect("columns of one length")
}

fn wide_batch(all: &[Series]) -> RecordBatch {
    let (names, rows) = wide(all);
    let mut columns = vec![("time".to_owned(), times(rows.keys().map(|k| k.0)))];
    for (i, key) in keys(all).into_iter().enumerate() {
        columns.push((key.clone(), words(rows.keys().map(|k| k.1[i]))));
    }
    for name in names {
        let cells: Float64Array = rows.values().map(|v| v.get(name).copied()).collect();
        columns.push((name.to_owned(), Arc::new(cells)));
    }
    batch(columns)
}

fn long_batch(all: &[Series]) -> RecordBatch {
    let rows: Vec<(&Series, i64, f64)> =
        all.iter().flat_map(|s| s.points.iter().map(move |(t, v)| (s, *t, *v))).collect();
    let values: Float64Array = rows.iter().map(|r| Some(r.2)).collect();
    let mut columns = vec![
        ("timestamp".to_owned(), times(rows.iter().map(|r| r.1))),
        ("metric".to_owned(), words(rows.iter().map(|r| r.0.name))),
        ("value".to_owned(), Arc::new(values) as ArrayRef),
    ];
    for key in keys(all) {
        let label = |s: &'_ Series| s.labels.get(key).cloned().unwrap_or_default();
        let cells: Vec<String> = rows.iter().map(|r| label(r.0)).collect();
        columns.push((key.clone(), words(cells.iter().map(String::as_str))));
    }
    batch(columns)
}

/// A Parquet file of one batch.
pub fn parquet(batch: &RecordBatch) -> Vec<u8> {
    let mut out = Vec::new();
    let writer = parquet::arrow::ArrowWriter::try_new(&mut out, batch.schema(), None);
    let mut writer = writer.expect("a schema that Parquet has");
    writer.write(batch).expect("memory can be written");
    writer.close().expect("memory can be written");
    out
}

pub fn wide_parquet(all: &[Series]) -> Files {
    one("wide.parquet", parquet(&wide_batch(all)))
}

/// The rows of pools behind all others.
pub fn wide_parquet_by_series(all: &[Series]) -> Files {
    let batch = wide_batch(all);
    let pool = batch.column_by_name("pool").expect("a label").clone();
    let pool = pool.as_string::<i32>();
    let (last, first): (Vec<usize>, Vec<usize>) =
        (0..batch.num_rows()).partition(|i| pool.is_valid(*i));
    let order: UInt64Array = first.iter().chain(&last).map(|i| Some(*i as u64)).collect();
    let batch = arrow::compute::take_record_batch(&batch, &order).expect("its own rows");
    one("by-series.parquet", parquet(&batch))
}

pub fn long_parquet(all: &[Series]) -> Files {
    one("long.parquet", parquet(&long_batch(all)))
}

pub fn wide_arrow(all: &[Series]) -> Files {
    let batch = wide_batch(all);
    let writer = arrow::ipc::writer::FileWriter::try_new(Vec::new(), &batch.schema());
    let mut writer = writer.expect("a schema");
    writer.write(&batch).expect("memory can be written");
    one("wide.arrow", writer.into_inner().expect("memory can be written"))
}

pub fn long_arrow_stream(all: &[Series]) -> Files {
    let batch = long_batch(all);
    let writer = arrow::ipc::writer::StreamWriter::try_new(Vec::new(), &batch.schema());
    let mut writer = writer.expect("a schema");
    writer.write(&batch).expect("memory can be written");
    one("long.arrows", writer.into_inner().expect("memory can be written"))
}
