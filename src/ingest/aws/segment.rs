//! One X-Ray segment document: its shape, and what it says of callers, callees and failures.
//! In: JSON of the daemon or inside `Document`. Out: facts for spans; URLs lose their query.

use crate::ingest::lenient::Scalar;
use crate::ingest::raw::SpanKind;
use crate::ingest::spans::or_default;
use serde::Deserialize;
use serde_json::Value;
use std::collections::HashMap;

/// A segment or a subsegment.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Segment {
    #[serde(deserialize_with = "or_default")]
    pub id: String,
    #[serde(deserialize_with = "or_default")]
    pub name: String,
    #[serde(deserialize_with = "or_default")]
    pub trace_id: String,
    #[serde(deserialize_with = "or_default")]
    pub parent_id: String,
    pub start_time: Scalar,
    pub end_time: Scalar,
    pub in_progress: Scalar,
    pub inferred: Scalar,
    fault: Scalar,
    error: Scalar,
    throttle: Scalar,
    namespace: Scalar,
    origin: Scalar,
    #[serde(rename = "type")]
    pub own_type: Scalar,
    #[serde(deserialize_with = "or_default")]
    http: Http,
    #[serde(deserialize_with = "or_default")]
    sql: Sql,
    #[serde(deserialize_with = "or_default")]
    aws: Aws,
    #[serde(deserialize_with = "or_default")]
    service: Service,
    /// The exceptions themselves, or the id of one that stands elsewhere.
    cause: Value,
    #[serde(deserialize_with = "or_default")]
    pub subsegments: Vec<Segment>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Http {
    #[serde(deserialize_with = "or_default")]
    request: Request,
    #[serde(deserialize_with = "or_default")]
    response: Response,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Request {
    url: Scalar,
    method: Scalar,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Response {
    status: Scalar,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Sql {
    database_type: Scalar,
    sanitized_query: Scalar,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Aws {
    operation: Scalar,
    table_name: Scalar,
    queue_url: Scalar,
    topic_arn: Scalar,
    function_name: Scalar,
    #[serde(deserialize_with = "or_default")]
    ecs: Place,
    #[serde(deserialize_with = "or_default")]
    eks: Place,
    #[serde(deserialize_with = "or_default")]
    ec2: Place,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Place {
    container: Scalar,
    container_id: Scalar,
    pod: Scalar,
    instance_id: Scalar,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Service {
    version: Scalar,
}

/// Types of exceptions by their id.
pub type Exceptions = HashMap<String, String>;

impl Segment {
    /// The kind of its span: entries are servers, calls to elsewhere clients.
    pub fn kind(&self, entry: bool) -> SpanKind {
        let called = matches!(self.namespace.text().as_str(), "aws" | "remote");
        // The function's own segment lies below that of the Lambda service: one request, not two.
        let inner = self.origin.text() == "AWS::Lambda::Function" && !self.parent_id.is_empty();
        match entry {
            true if !inner => SpanKind::Server,
            false if called => SpanKind::Client,
            _ => SpanKind::Internal,
        }
    }

    /// Resource attributes by OpenTelemetry's names.
    pub fn resource(&self) -> Vec<(&'static str, String)> {
        let container = [&self.aws.ecs.container, &self.aws.eks.container_id];
        let container = container.into_iter().map(Scalar::text).find(|t| !t.is_empty());
        vec![
            ("service.name", self.name.clone()),
            ("service.version", self.service.version.text()),
            ("k8s.pod.name", self.aws.eks.pod.text()),
            ("container.id", container.unwrap_or_default()),
            ("host.name", self.aws.ec2.instance_id.text()),
        ]
    }

    /// What is done: method and path, the operation of an AWS call, else the name.
    pub fn operation(&self) -> String {
        let (method, url) = (self.http.request.method.text(), self.http.request.url.text());
        let operation = self.aws.operation.text();
        match () {
            () if !operation.is_empty() => operation,
            () if !method.is_empty() && !url.is_empty() => format!("{method} {}", path(&url)),
            () => self.name.clone(),
        }
    }

    /// Span attributes by OpenTelemetry's names.
    pub fn attributes(&self, kind: SpanKind, known: &Exceptions) -> Vec<(&'static str, String)> {
        let yes = |s: &Scalar| matches!(s, Scalar::Bool(true));
        let mut all = vec![("http.response.status_code", self.http.response.status.text())];
        // What the caller did wrong is no failure of the server.
        let own = kind != SpanKind::Server;
        if yes(&self.fault) || (own && (yes(&self.error) || yes(&self.throttle))) {
            all.push(("error", "true".to_owned()));
            all.push(("exception.type", self.exception(known)));
        }
        if own && yes(&self.throttle) {
            all.push(("error.type", "throttle".to_owned()));
        }
        if kind == SpanKind::Client {
            self.callee(&mut all);
        }
        all
    }

    /// Names the callee: a database by its host, an AWS resource by its own name.
    fn callee(&self, all: &mut Vec<(&'static str, String)>) {
        let database = self.sql.database_type.text().to_lowercase();
        let last = |s: &Scalar, by: char| s.text().rsplit(by).next().unwrap_or_default().to_owned();
        let queue = [last(&self.aws.queue_url, '/'), last(&self.aws.topic_arn, ':')];
        let queue = queue.into_iter().find(|q| !q.is_empty());
        let table = self.aws.table_name.text();
        let function = self.aws.function_name.text();
        let name = || self.name.clone();
        if !database.is_empty() {
            // `shop@host`: the schema and where it is.
            let host = self.name.rsplit_once('@').map_or(self.name.as_str(), |(_, host)| host);
            all.push(("db.system", database));
            all.push(("server.address", host.to_owned()));
            all.push(("db.statement", self.sql.sanitized_query.text()));
        } else if !table.is_empty() {
            all.push(("db.system", self.name.to_lowercase()));
            all.push(("peer.service", table));
        } else if let Some(queue) = queue {
            all.push(("messaging.destination.name", queue));
        } else {
            all.push(("peer.service", if function.is_empty() { name() } else { function }));
        }
    }

    fn exception(&self, known: &Exceptions) -> String {
        match &self.cause {
            Value::String(id) => known.get(id).cloned().unwrap_or_default(),
            cause => causes(cause).next().map(|(_, own_type)| own_type).unwrap_or_default(),
        }
    }

    /// Notes the types of all exceptions that stand in the segment and below it.
    pub fn exceptions(&self, known: &mut Exceptions) {
        known.extend(causes(&self.cause));
        for inner in &self.subsegments {
            inner.exceptions(known);
        }
    }
}

/// Id and type of each exception of a cause.
fn causes(cause: &Value) -> impl Iterator<Item = (String, String)> {
    let text =
        |e: &Value, key: &str| e.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let all = cause.get("exceptions").and_then(Value::as_array).into_iter().flatten();
    all.map(move |e| (text(e, "id"), text(e, "type")))
}

/// The path of a URL, without host, query and fragment.
fn path(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let from = rest.find('/').map_or("/", |at| &rest[at..]);
    from.split(['?', '#', ';']).next().unwrap_or("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_keeps_only_its_path() {
        assert_eq!(path("https://u:p@h/a/b?card=1#x"), "/a/b");
        assert_eq!(path("http://h?x=1"), "/");
        assert_eq!(path("/a?x"), "/a");
    }
}
