//! One object of the Kubernetes API: its fields by path, its times, its image. In: JSON. Out: values.
//! Values of environment variables and annotations that repeat the manifest are never asked for.

use crate::ingest::raw::Raw;
use crate::ingest::text::beginning;
use crate::ingest::workload;
use crate::model::{EntityKind, Micros};
use crate::time::{self, Zone};
use serde_json::Value;

/// An object and the line of the file on which it begins.
#[derive(Clone, Copy)]
pub struct Object<'a> {
    pub value: &'a Value,
    pub line: u64,
}

impl<'a> Object<'a> {
    /// The text at a JSON pointer; empty when there is none.
    pub fn text(&self, path: &str) -> &'a str {
        self.value.pointer(path).and_then(Value::as_str).unwrap_or_default()
    }

    /// The first of some texts that is not empty.
    pub fn first_text(&self, paths: &[&str]) -> &'a str {
        paths.iter().map(|p| self.text(p)).find(|t| !t.is_empty()).unwrap_or_default()
    }

    /// The number at a JSON pointer.
    pub fn number(&self, path: &str) -> Option<f64> {
        self.value.pointer(path)?.as_f64()
    }

    /// The elements of the list at a JSON pointer.
    pub fn list(&self, path: &str) -> impl Iterator<Item = Object<'a>> + use<'a> {
        let line = self.line;
        let items = self.value.pointer(path).and_then(Value::as_array);
        items.into_iter().flatten().map(move |value| Object { value, line })
    }

    /// The first of some times that can be read; the zero time of Go is none.
    pub fn time(&self, paths: &[&str]) -> Option<Micros> {
        paths.iter().find_map(|p| time::parse(self.text(p), &Zone::default())).map(|t| t.at)
    }

    /// The object's own name.
    pub fn name(&self) -> &'a str {
        self.text("/metadata/name")
    }

    /// The object's namespace.
    pub fn namespace(&self) -> &'a str {
        self.text("/metadata/namespace")
    }

    /// The workload that owns the object; by the rule of names where no owner is given.
    pub fn owner(&self) -> String {
        let pod = || workload(self.name(), "pod").to_owned();
        let mut owners = self.list("/metadata/ownerReferences");
        let Some(owner) = owners.next() else { return pod() };
        match owner.text("/kind") {
            "ReplicaSet" | "Job" | "ReplicationController" => {
                workload(owner.text("/name"), "replicaset").to_owned()
            }
            "Node" | "" => pod(),
            _ => owner.text("/name").to_owned(),
        }
    }

    /// The version of the image in the pod or the pod template at `path`: of the container that
    /// is called like `workload`, or of the first one.
    pub fn version(&self, path: &str, workload: &str) -> String {
        let path = format!("{path}/spec/containers");
        let own = self.list(&path).find(|c| c.text("/name") == workload);
        let image = own.or_else(|| self.list(&path).next()).map_or("", |c| c.text("/image"));
        image_version(image)
    }
}

/// The tag of an image, or the beginning of its digest.
fn image_version(image: &str) -> String {
    // What is no reference to an image has no version: part of it may be anything.
    let fits = |b: u8| b.is_ascii_alphanumeric() || b"._-/:@+".contains(&b);
    if !image.bytes().all(fits) || image.contains("//") {
        return String::new();
    }
    let (name, digest) = image.split_once('@').unwrap_or((image, ""));
    let last = name.rsplit('/').next().unwrap_or(name);
    match last.split_once(':') {
        Some((_, tag)) => tag.to_owned(),
        None => digest.chars().take("sha256:".len() + 12).collect(),
    }
}

/// Makes a node known as a host.
pub fn host(node: &str, raw: &mut Raw) {
    if !node.is_empty() {
        raw.kinds.insert(node.to_owned(), EntityKind::Host);
    }
}

/// A message on one line without the queries of its URLs, cut to so many characters.
pub fn without_queries(text: &str, most: usize) -> String {
    let word = |w: &str| match w.contains("://").then(|| w.split_once('?')).flatten() {
        Some((before, _)) => before.to_owned(),
        None => w.to_owned(),
    };
    let words: Vec<String> = text.split_whitespace().map(word).collect();
    beginning(&words.join(" "), most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_have_a_tag_or_a_digest() {
        assert_eq!(image_version("registry:5000/shop/api:1.42"), "1.42");
        assert_eq!(image_version("registry:5000/shop/api"), "");
        assert_eq!(image_version("api:1 bob:pw@h"), "");
        assert_eq!(image_version("https://bob:pw@h/api"), "");
        assert_eq!(image_version("api@sha256:0123456789abcdef"), "sha256:0123456789ab");
        assert_eq!(image_version("api:1@sha256:0123456789abcdef"), "1");
    }

    #[test]
    fn queries_of_urls_are_cut() {
        let text = "Get \"http://10.0.0.1/health?token=x\":\ntimeout? yes";
        assert_eq!(without_queries(text, 99), "Get \"http://10.0.0.1/health timeout? yes");
        assert_eq!(without_queries("äöü", 2), "äö");
    }
}
