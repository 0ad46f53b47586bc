//! Secrets of a recording. In: names of files and of environment variables. Out: values that nothing
//! prints, and texts from which every known secret and every URL's user part is taken.

use crate::error::{Error, Result};
use std::fmt;
use std::fs;
use std::path::Path;

/// Looks a variable of the environment up; only main reads it.
pub type Variable = fn(&str) -> Option<String>;

/// Begins a value that stands in the environment: `env:NAME`.
const FROM_ENVIRONMENT: &str = "env:";
/// Bytes of a file of passwords that are read; tokens have a few kilobytes at most.
const FILE_BYTES_MAX: u64 = 1 << 20;
/// What stands for a secret in a text.
const HIDDEN: &str = "***";
/// A shorter secret would take parts of innocent words out of a text.
const REDACTED_MIN: usize = 4;

/// A password or token; it has no text form.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

impl Secret {
    /// Wraps a value.
    pub fn new(value: impl Into<String>) -> Self {
        Secret(value.into())
    }

    /// The value, for the server that it is meant for.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

/// A value that may stand in the environment, and whether it does.
///
/// # Errors
///
/// When `env:NAME` names a variable that is not set.
pub fn of_argument(text: &str, variable: Variable) -> Result<(String, bool)> {
    let Some(name) = text.strip_prefix(FROM_ENVIRONMENT) else {
        return Ok((text.to_owned(), false));
    };
    match variable(name).filter(|v| !v.is_empty()) {
        Some(value) => Ok((value, true)),
        None => Err(Error::usage(text, "the environment variable is not set")),
    }
}

/// A secret from a file or from the environment (`env:NAME`); the first line, without its end.
///
/// # Errors
///
/// When there is no such file or variable, or nothing in it.
pub fn of_source(text: &str, variable: Variable) -> Result<Secret> {
    let value = match text.strip_prefix(FROM_ENVIRONMENT) {
        Some(_) => of_argument(text, variable)?.0,
        None => file_text(Path::new(text))?,
    };
    match value.lines().next().map(str::trim_end) {
        Some(line) if !line.is_empty() => Ok(Secret::new(line)),
        _ => Err(Error::usage(text, "holds no secret: its first line is empty")),
    }
}

/// Text of a small file.
fn file_text(path: &Path) -> Result<String> {
    let place = path.display().to_string();
    let fail = |e: std::io::Error| Error::usage(place.clone(), e.to_string());
    if fs::metadata(path).map_err(fail)?.len() > FILE_BYTES_MAX {
        return Err(Error::usage(place, "too large for a secret"));
    }
    fs::read_to_string(path).map_err(fail)
}

/// The password of PostgreSQL's password file for a server (`host:port:database:user:password`,
/// `*` for any, `\` before `:` and `\`); `None` where no line fits or the file is open to others.
pub fn of_pgpass(path: &Path, host: &str, port: u16, database: &str, user: &str) -> Option<Secret> {
    if open_to_others(path) {
        return None;
    }
    let text = file_text(path).ok()?;
    let wanted = [host, &port.to_string(), database, user];
    let lines = text.lines().filter(|l| !l.starts_with('#')).map(fields);
    let mut fitting = lines.filter(|f| {
        f.len() == 5 && f.iter().zip(&wanted).all(|(has, want)| has == "*" || has == want)
    });
    fitting.next().and_then(|f| f.into_iter().nth(4)).map(Secret::new)
}

/// Says whether others may read a file; libpq leaves such a password file out too.
#[cfg(unix)]
pub fn open_to_others(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).is_ok_and(|m| m.permissions().mode() & 0o077 != 0)
}

/// Says whether others may read a file; not known on this system.
#[cfg(not(unix))]
pub fn open_to_others(_: &Path) -> bool {
    false
}

fn fields(line: &str) -> Vec<String> {
    let mut found = vec![String::new()];
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        let last = found.len() - 1;
        match c {
            // The password is all that is left, colons included.
            ':' if found.len() < 5 => found.push(String::new()),
            '\\' => found[last].extend(chars.next()),
            c => found[last].push(c),
        }
    }
    found
}

/// The user and password of a URL (decoded), and the URL without them.
pub fn split_user(url: &str) -> (String, Option<String>, Option<Secret>) {
    let Some((scheme, rest)) = url.split_once("://") else { return (url.to_owned(), None, None) };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let Some(at) = rest[..end].rfind('@') else { return (url.to_owned(), None, None) };
    let (user, password) = match rest[..at].split_once(':') {
        Some((user, password)) => (user, Some(Secret::new(decoded(password)))),
        None => (&rest[..at], None),
    };
    (format!("{scheme}://{}", &rest[at + 1..]), Some(decoded(user)), password)
}

/// Percent-decodes; what is no code stays as it is.
fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let (mut out, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while at < bytes.len() {
        let code = bytes.get(at + 1..at + 3).filter(|_| bytes[at] == b'%');
        let code = code.and_then(|c| std::str::from_utf8(c).ok());
        match code.and_then(|c| u8::from_str_radix(c, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                at += 3;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Takes known secrets and the user part of every URL out of a text.
pub fn redact(text: &str, secrets: &[Secret]) -> String {
    let mut out = text.to_owned();
    for secret in secrets.iter().filter(|s| s.0.len() >= REDACTED_MIN) {
        out = out.replace(&secret.0, HIDDEN);
    }
    let mut done = String::with_capacity(out.len());
    let mut rest = out.as_str();
    while let Some(at) = rest.find("://") {
        let behind = &rest[at + 3..];
        let stops = |c: char| "/?#\"'`<>".contains(c) || c.is_whitespace();
        let end = behind.find(stops).unwrap_or(behind.len());
        done.push_str(&rest[..at + 3]);
        rest = match behind[..end].rfind('@') {
            Some(user) => {
                done.push_str(HIDDEN);
                &behind[user..]
            }
            None => behind,
        };
    }
    done + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_has_no_text_form() {
        assert_eq!(format!("{:?}", Some(Secret::new("hunter2"))), "Some(***)");
    }

    #[test]
    fn secrets_and_users_of_urls_leave_a_text() {
        let secrets = [Secret::new("hunter2")];
        let text =
            "GET http://joe:s3c@db:1/x failed; hunter2, see https://h/a@b and postgres://u@h";
        let wanted = "GET http://***@db:1/x failed; ***, see https://h/a@b and postgres://***@h";
        assert_eq!(redact(text, &secrets), wanted);
        assert_eq!(redact("", &secrets), "");
        assert_eq!(redact("http://a@b@c/", &[]), "http://***@c/");
        assert_eq!(redact("ends in ://", &[]), "ends in ://");
    }

    #[test]
    fn a_url_is_parted_from_its_user() {
        let (url, user, password) = split_user("https://joe%40x:p%3a@h:9/a@b?c");
        assert_eq!((url.as_str(), user.as_deref()), ("https://h:9/a@b?c", Some("joe@x")));
        assert_eq!(password, Some(Secret::new("p:")));
        assert_eq!(split_user("http://h/x@y"), ("http://h/x@y".to_owned(), None, None));
        assert_eq!(split_user("nonsense@x").0, "nonsense@x");
        assert_eq!(split_user("http://a%zz@h").1.as_deref(), Some("a%zz"));
    }

    #[test]
    fn the_password_file_is_read_as_libpq_reads_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("pgpass");
        let text = "# c\nother:5432:*:joe:no\nshort:1\n*:5432:shop:joe:a\\:b:c\n*:*:*:*:last\n";
        fs::write(&path, text).expect("written");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = |m| fs::set_permissions(&path, fs::Permissions::from_mode(m));
            mode(0o644).expect("set");
            assert_eq!(of_pgpass(&path, "h", 5432, "shop", "joe"), None);
            mode(0o600).expect("set");
        }
        assert_eq!(of_pgpass(&path, "h", 5432, "shop", "joe"), Some(Secret::new("a:b:c")));
        assert_eq!(of_pgpass(&path, "h", 5433, "shop", "joe"), Some(Secret::new("last")));
        assert_eq!(of_pgpass(&folder.path().join("no"), "h", 1, "d", "u"), None);
    }

    #[test]
    fn a_source_is_a_file_or_a_variable() {
        let variable: Variable = |name| (name == "T").then(|| "tok\n".to_owned());
        assert_eq!(of_source("env:T", variable).expect("set"), Secret::new("tok"));
        assert!(of_source("env:U", variable).is_err());
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("t");
        fs::write(&path, "\nx").expect("written");
        assert!(of_source(&path.display().to_string(), variable).is_err());
        fs::write(&path, "abc\r\nx").expect("written");
        let read = of_source(&path.display().to_string(), variable).expect("there");
        assert_eq!(read, Secret::new("abc"));
    }
}
