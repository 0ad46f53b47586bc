//! Objects of a store that speaks S3 (AWS, MinIO, Ceph, R2, Google's interoperable API). In: a URL
//! `s3://BUCKET/PREFIX` and the variables that AWS's own programs read. Out: names, and ranges of bytes.
//!
//! Requests are signed by AWS Signature Version 4 ("Authenticating Requests (AWS Signature Version 4)",
//! Amazon S3 API Reference), or not at all where no key is given, as public buckets allow.

use super::http::{Client, Failure, Limits, Login};
use super::now;
use super::pace::Signals;
use super::secret::{Secret, Variable};
use super::tls::Roots;
use crate::encoding::{hex, percent_encoded};
use crate::error::{Error, Result};
use crate::lake::Store;
use crate::model::{Micros, SECOND};
use crate::time;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use std::sync::atomic::{AtomicU64, Ordering};

/// Begins a URL of a bucket.
pub const SCHEME: &str = "s3://";
/// A store takes thousands of requests a second, where a server of metrics takes tens.
const RATE_FACTOR: f64 = 10.0;
/// Pages of a listing, of a thousand objects each.
const PAGES_MAX: usize = 1_000;
/// Where no region is named; stores other than AWS take any.
const REGION_USUAL: &str = "us-east-1";

/// A bucket, and who asks.
#[derive(Clone, Debug)]
pub struct Bucket {
    /// As it was given.
    pub url: String,
    endpoint: String,
    name: String,
    prefix: String,
    key: Option<Key>,
    region: String,
}

/// Who asks.
#[derive(Clone, Debug)]
struct Key {
    id: String,
    secret: Secret,
    /// Of a key that lasts for hours only.
    session: Option<Secret>,
}

impl Bucket {
    /// Reads a URL, and from the environment the endpoint, region and key.
    ///
    /// # Errors
    ///
    /// When the URL names no bucket, or a key has no secret.
    pub fn of(url: &str, variable: Variable) -> Result<Bucket> {
        let given = |name: &str| variable(name).filter(|v| !v.is_empty());
        let rest = url.strip_prefix(SCHEME).unwrap_or_default();
        let (name, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let fits = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if name.is_empty() || !name.chars().all(fits) {
            let hint = "s3://BUCKET/PREFIX; `rootline rollup FOLDER` reads files of this machine";
            return Err(Error::usage(url, "not a URL of a bucket").hint(hint));
        }
        let region = given("AWS_REGION").or_else(|| given("AWS_DEFAULT_REGION"));
        let region = region.unwrap_or_else(|| REGION_USUAL.to_owned());
        let endpoint = given("AWS_ENDPOINT_URL_S3").or_else(|| given("AWS_ENDPOINT_URL"));
        let endpoint = endpoint.unwrap_or_else(|| format!("https://s3.{region}.amazonaws.com"));
        let key = match (given("AWS_ACCESS_KEY_ID"), given("AWS_SECRET_ACCESS_KEY")) {
            (Some(id), Some(secret)) => {
                let session = given("AWS_SESSION_TOKEN").map(Secret::new);
                Some(Key { id, secret: Secret::new(secret), session })
            }
            (None, None) => None,
            _ => {
                let what = "of AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY one is not set";
                return Err(Error::usage(url, what));
            }
        };
        let (url, name, prefix) = (url.to_owned(), name.to_owned(), prefix.to_owned());
        Ok(Bucket { url, endpoint, name, prefix, key, region })
    }

    /// What must not be written.
    pub fn secrets(&self) -> Vec<Secret> {
        let key = self.key.iter();
        key.flat_map(|k| [Some(k.secret.clone()), k.session.clone()]).flatten().collect()
    }
}

/// A bucket that is asked.
pub struct Objects {
    bucket: Bucket,
    host: String,
    client: Client,
    requests: AtomicU64,
    bytes: AtomicU64,
}

impl Objects {
    /// Of a bucket.
    ///
    /// # Errors
    ///
    /// When the endpoint is no URL of a server.
    pub fn new(
        bucket: Bucket,
        limits: &Limits,
        roots: &Roots,
        signals: Signals,
    ) -> Result<Objects> {
        let endpoint = bucket.endpoint.trim_end_matches('/').to_owned();
        let host = endpoint.split_once("://").map_or("", |(_, host)| host).to_owned();
        if host.contains(['/', '@']) {
            return Err(Error::usage(host, "the endpoint is not a server's URL alone"));
        }
        let limits = Limits { rate: limits.rate * RATE_FACTOR, ..limits.clone() };
        let client = Client::new(&endpoint, Login::default(), limits, roots, signals)?;
        let (requests, bytes) = (AtomicU64::new(0), AtomicU64::new(0));
        Ok(Objects { bucket, host, client, requests, bytes })
    }

    /// Requests that were answered, and bytes of their answers.
    pub fn fetched(&self) -> (u64, u64) {
        (self.requests.load(Ordering::Relaxed), self.bytes.load(Ordering::Relaxed))
    }

    /// Gets a whole answer of `length` bytes, or of any where `None`.
    fn get(
        &self,
        path: &str,
        query: &[(&str, &str)],
        range: Option<(u64, u64)>,
    ) -> Result<Vec<u8>> {
        let pairs = query
            .iter()
            .map(|(k, v)| format!("{}={}", percent_encoded(k, ""), percent_encoded(v, "")));
        let query = pairs.collect::<Vec<_>>().join("&");
        let range = range.map(|(from, many)| (format!("bytes={from}-{}", from + many - 1), many));
        let headers = || {
            let mut headers = match &self.bucket.key {
                None => Vec::new(),
                Some(key) => signed(key, &self.bucket.region, &self.host, (path, &query), now()),
            };
            headers.extend(range.as_ref().map(|(said, _)| ("Range", said.clone())));
            headers
        };
        let whole = |body: Vec<u8>| match &range {
            Some((_, many)) if *many != body.len() as u64 => {
                Err(format!("{} bytes came, not the {many} that were asked for", body.len()))
            }
            _ => Ok(body),
        };
        let target = if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") };
        let fail = |e: Failure| Error::runtime(&self.bucket.url, format!("{path}: {e}"));
        let body = self.client.get_with(&target, &headers, whole).map_err(fail)?;
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(body.len() as u64, Ordering::Relaxed);
        Ok(body)
    }
}

impl Store for Objects {
    fn list(&self) -> Result<Vec<(String, u64)>> {
        let path = format!("/{}", self.bucket.name);
        let (mut found, mut next) = (Vec::new(), None::<String>);
        for _ in 0..PAGES_MAX {
            // In the order of their names, as the signature needs them.
            let mut query: Vec<(&str, &str)> = Vec::new();
            query.extend(next.as_deref().map(|t| ("continuation-token", t)));
            query.extend([("list-type", "2"), ("prefix", self.bucket.prefix.as_str())]);
            let page = self.get(&path, &query, None)?;
            let page = String::from_utf8_lossy(&page);
            for object in elements(&page, "Contents") {
                let name = elements(object, "Key").next().map(text);
                let length = elements(object, "Size").next().and_then(|s| s.trim().parse().ok());
                found.extend(name.zip(length));
            }
            next = elements(&page, "NextContinuationToken").next().map(text);
            if next.is_none() {
                return Ok(found);
            }
        }
        let what = format!("more than {PAGES_MAX} thousand objects");
        Err(Error::usage(&self.bucket.url, what).hint("name a longer prefix"))
    }

    fn read(&self, name: &str, from: u64, length: u64) -> Result<Vec<u8>> {
        if length == 0 {
            return Ok(Vec::new());
        }
        let path = format!("/{}/{}", self.bucket.name, percent_encoded(name, "/"));
        self.get(&path, &[], Some((from, length)))
    }
}

/// What stands in the elements of a name, which are not in each other.
fn elements<'a>(xml: &'a str, name: &str) -> impl Iterator<Item = &'a str> {
    let (begin, end) = (format!("<{name}>"), format!("</{name}>"));
    let mut rest = xml;
    std::iter::from_fn(move || {
        let from = rest.find(&begin)? + begin.len();
        let length = rest[from..].find(&end)?;
        let own = &rest[from..from + length];
        rest = &rest[from + length..];
        Some(own)
    })
}

/// Text of an element, with the five entities of XML.
fn text(xml: &str) -> String {
    let named = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&amp;", "&")];
    named.iter().fold(xml.to_owned(), |text, (code, letter)| text.replace(code, letter))
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

/// Headers that sign a GET without a body; the path and the query are encoded, the query is sorted.
fn signed(
    key: &Key,
    region: &str,
    host: &str,
    (path, query): (&str, &str),
    at: Micros,
) -> Vec<(&'static str, String)> {
    // 20261126T231201Z
    let second = time::rfc3339(at - at.rem_euclid(SECOND));
    let stamp: String = second.chars().filter(|c| !"-:".contains(*c)).collect();
    let day = stamp.get(..8).unwrap_or_default();
    let body = hex(Sha256::digest(b""));
    let session = key.session.as_ref().map(|s| s.reveal().to_owned());
    let mut headers = vec![("x-amz-content-sha256", body.clone()), ("x-amz-date", stamp.clone())];
    headers.extend(session.map(|s| ("x-amz-security-token", s)));
    let mut own = vec![("host", host.to_owned())];
    own.extend(headers.clone());
    let lines: String = own.iter().map(|(k, v)| format!("{k}:{v}\n")).collect();
    let names: Vec<&str> = own.iter().map(|(k, _)| *k).collect();
    let names = names.join(";");
    let request = format!("GET\n{path}\n{query}\n{lines}\n{names}\n{body}");
    let scope = format!("{day}/{region}/s3/aws4_request");
    let digest = hex(Sha256::digest(request.as_bytes()));
    let to_sign = format!("AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{digest}");
    let first = format!("AWS4{}", key.secret.reveal()).into_bytes();
    let signing = [day, region, "s3", "aws4_request"].iter().fold(first, |k, part| mac(&k, part));
    let signature = hex(mac(&signing, &to_sign));
    let id = &key.id;
    let said = format!(
        "AWS4-HMAC-SHA256 Credential={id}/{scope}, SignedHeaders={names}, Signature={signature}"
    );
    headers.push(("Authorization", said));
    headers
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> Key {
        Key {
            id: "AKIAIOSFODNN7EXAMPLE".to_owned(),
            secret: Secret::new("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
            session: None,
        }
    }

    /// The examples of the reference, "Signature Calculations for the Authorization Header".
    #[test]
    fn signatures_are_those_of_the_reference() {
        let at = 1_369_353_600 * SECOND;
        let host = "examplebucket.s3.amazonaws.com";
        for (query, wanted) in [
            ("lifecycle=", "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"),
            (
                "max-keys=2&prefix=J",
                "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
            ),
        ] {
            let headers = signed(&key(), "us-east-1", host, ("/", query), at + 7);
            assert_eq!(headers[1], ("x-amz-date", "20130524T000000Z".to_owned()));
            let said = &headers.last().expect("signed").1;
            let scope = "Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request";
            assert!(said.contains(scope), "{said}");
            assert!(said.ends_with(wanted), "{query}: {said}");
        }
    }

    #[test]
    fn a_bucket_is_read_from_a_url_and_the_environment() {
        let none: Variable = |_| None;
        let bucket = Bucket::of("s3://lake/spans/a b", none).expect("a bucket");
        assert_eq!((bucket.name.as_str(), bucket.prefix.as_str()), ("lake", "spans/a b"));
        assert_eq!(bucket.endpoint, "https://s3.us-east-1.amazonaws.com");
        assert!(bucket.key.is_none() && bucket.secrets().is_empty());
        let some: Variable = |name| match name {
            "AWS_ENDPOINT_URL" => Some("http://127.0.0.1:9000/".to_owned()),
            "AWS_ACCESS_KEY_ID" | "AWS_SECRET_ACCESS_KEY" => Some("k".to_owned()),
            _ => None,
        };
        let bucket = Bucket::of("s3://lake", some).expect("a bucket");
        assert_eq!((bucket.secrets().len(), bucket.prefix.as_str()), (1, ""));
        let half: Variable = |name| (name == "AWS_ACCESS_KEY_ID").then(|| "k".to_owned());
        for (url, variable) in [("s3://", none), ("s3://a b", none), ("/a", none), ("s3://b", half)]
        {
            assert!(Bucket::of(url, variable).is_err(), "{url}");
        }
    }

    #[test]
    fn a_listing_is_understood() {
        let xml = "<R><Contents><Key>a&amp;lt;b/c.parquet</Key><Size>12</Size></Contents>\
                   <Contents><Key>d</Key><Size>3</Size></Contents></R>";
        let keys: Vec<String> =
            elements(xml, "Contents").flat_map(|c| elements(c, "Key").map(text)).collect();
        assert_eq!(keys, ["a&lt;b/c.parquet", "d"]);
    }
}
