//! Requests to HTTP servers. In: a base URL, a path and parameters. Out: the whole body, bounded, or
//! why there is none. Tries again what may pass, keeps its distance, follows redirects, never shows
//! who it logs in as.

use super::pace::{Pace, Signals, pause};
use super::secret::{self, Secret};
use super::tls::Roots;
use crate::error::{Error, Result};
use std::fmt;
use std::time::Duration;
use ureq::config::RedirectAuthHeaders;
use ureq::tls::TlsConfig;
use ureq::typestate::WithoutBody;
use ureq::{Agent, RequestBuilder};

/// Redirects that are followed.
const REDIRECTS_MAX: u32 = 5;
/// Bytes of an error's body that are quoted from.
const SAID_BYTES: u64 = 4 << 10;
/// Characters of what a server said that are shown.
const SAID_SHOWN: usize = 200;

/// How patiently and how much.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Requests a second.
    pub rate: f64,
    /// Times that one request is tried.
    pub tries: u32,
    /// First pause between tries; doubled each time.
    pub pause: Duration,
    /// Longest time of one try, from name resolution to the last byte.
    pub timeout: Duration,
    /// Bytes of one answer, unpacked.
    pub body_max: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            rate: 10.0,
            tries: 4,
            pause: Duration::from_millis(500),
            timeout: Duration::from_secs(60),
            body_max: 64 << 20,
        }
    }
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The server answered that it will not: status and its words.
    Refused(u16, String),
    /// Nothing came, or not all of it.
    Unreachable(String),
    /// More than the limit of bytes.
    TooLarge(u64),
    /// The user stopped the recording.
    Stopped,
}

impl Failure {
    /// Says whether a smaller question may be answered.
    pub fn asks_for_less(&self) -> bool {
        // 422: too many samples; 400: too many points; 503 and 504: out of time.
        const WORDS: [&str; 6] =
            ["exceed", "too many", "too large", "timed out", "timeout", "limit"];
        match self {
            Failure::TooLarge(_) | Failure::Refused(413, _) => true,
            Failure::Refused(400 | 422 | 503 | 504, said) => {
                let said = said.to_lowercase();
                WORDS.iter().any(|w| said.contains(w))
            }
            _ => false,
        }
    }

    /// Says whether the same question may be answered a moment later.
    fn may_pass(&self) -> bool {
        match self {
            Failure::Refused(status, _) => [408, 429, 500, 502, 503, 504].contains(status),
            Failure::Unreachable(_) => true,
            Failure::TooLarge(_) | Failure::Stopped => false,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Refused(status, said) if said.is_empty() => write!(f, "HTTP status {status}"),
            Failure::Refused(status, said) => write!(f, "HTTP status {status}: {said}"),
            Failure::Unreachable(why) => f.write_str(why),
            Failure::TooLarge(limit) => write!(f, "the answer is larger than {} MiB", limit >> 20),
            Failure::Stopped => f.write_str("stopped"),
        }
    }
}

/// Who to log in as.
#[derive(Clone, Debug, Default)]
pub struct Login {
    pub bearer: Option<Secret>,
    pub password: Option<Secret>,
    /// `X-Scope-OrgID` of servers with tenants.
    pub tenant: Option<String>,
}

/// One server.
pub struct Client {
    agent: Agent,
    base: String,
    authorization: Option<Secret>,
    tenant: Option<String>,
    limits: Limits,
    pace: Pace,
    signals: Signals,
}

impl Client {
    /// A client of the server at `url`, which may name a user and, from the environment, a password.
    ///
    /// # Errors
    ///
    /// When the URL is none, or a password has no user.
    pub fn new(
        url: &str,
        login: Login,
        limits: Limits,
        roots: &Roots,
        signals: Signals,
    ) -> Result<Client> {
        let (base, user, in_url) = secret::split_user(url);
        let scheme = base.split("://").next().unwrap_or_default();
        if !["http", "https"].contains(&scheme) || base.contains(['?', '#', ' ']) {
            return Err(Error::usage(base, "not a URL such as https://prometheus:9090"));
        }
        let password = login.password.or(in_url);
        let authorization = match (login.bearer, user, password) {
            (Some(token), _, _) => Some(Secret::new(format!("Bearer {}", token.reveal()))),
            (None, Some(user), password) => {
                let password = password.as_ref().map_or("", Secret::reveal);
                Some(Secret::new(format!(
                    "Basic {}",
                    base64(format!("{user}:{password}").as_bytes())
                )))
            }
            (None, None, Some(_)) => {
                let what = "a password is given and no user";
                return Err(Error::usage(base, what).hint("write https://USER@HOST"));
            }
            (None, None, None) => None,
        };
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(REDIRECTS_MAX)
            .redirect_auth_headers(RedirectAuthHeaders::SameHost)
            .timeout_global(Some(limits.timeout))
            .timeout_connect(Some(limits.timeout.min(Duration::from_secs(10))))
            .user_agent(concat!("rootline/", env!("CARGO_PKG_VERSION")))
            .tls_config(TlsConfig::builder().root_certs(roots.for_http()).build())
            .build();
        Ok(Client {
            agent: config.into(),
            base: base.trim_end_matches('/').to_owned(),
            authorization,
            tenant: login.tenant,
            pace: Pace::new(limits.rate),
            limits,
            signals,
        })
    }

    /// What the user's signals say.
    pub fn signals(&self) -> &Signals {
        &self.signals
    }

    /// Gets what `parse` makes of a whole body, trying again what may pass: also a body that it does
    /// not understand, which may have been cut off.
    ///
    /// # Errors
    ///
    /// After the last try, or at once where another would fail too.
    pub fn get<T>(
        &self,
        path: &str,
        parameters: &[(&str, String)],
        parse: impl Fn(Vec<u8>) -> std::result::Result<T, String>,
    ) -> std::result::Result<T, Failure> {
        let parameters: Vec<(&str, &str)> =
            parameters.iter().map(|(k, v)| (*k, v.as_str())).collect();
        self.again(
            || {
                self.agent
                    .get(format!("{}{path}", self.base))
                    .query_pairs(parameters.clone())
                    .header("Accept", "application/json")
            },
            parse,
        )
    }

    /// Gets what `parse` makes of a whole body, as above; the path may have a query, and `headers` are
    /// made anew for each try.
    ///
    /// # Errors
    ///
    /// After the last try, or at once where another would fail too.
    pub fn get_with<T>(
        &self,
        path: &str,
        headers: &dyn Fn() -> Vec<(&'static str, String)>,
        parse: impl Fn(Vec<u8>) -> std::result::Result<T, String>,
    ) -> std::result::Result<T, Failure> {
        let ask = || {
            let request = self.agent.get(format!("{}{path}", self.base));
            headers().into_iter().fold(request, |r, (name, value)| r.header(name, value))
        };
        self.again(ask, parse)
    }

    fn again<T>(
        &self,
        ask: impl Fn() -> RequestBuilder<WithoutBody>,
        parse: impl Fn(Vec<u8>) -> std::result::Result<T, String>,
    ) -> std::result::Result<T, Failure> {
        let mut tried = 0;
        loop {
            if !self.pace.turn(&self.signals) {
                return Err(Failure::Stopped);
            }
            tried += 1;
            let (failure, wanted) = match self.once(ask()) {
                Ok(body) => match parse(body) {
                    Ok(parsed) => return Ok(parsed),
                    Err(why) => (Failure::Unreachable(why), None),
                },
                Err(e) => e,
            };
            if tried >= self.limits.tries || !failure.may_pass() {
                return Err(failure);
            }
            if !self.signals.sleep(pause(self.limits.pause, tried, wanted)) {
                return Err(Failure::Stopped);
            }
        }
    }

    /// One try; with the pause that the server asks for before the next.
    fn once(
        &self,
        mut request: RequestBuilder<WithoutBody>,
    ) -> std::result::Result<Vec<u8>, (Failure, Option<Duration>)> {
        if let Some(authorization) = &self.authorization {
            request = request.header("Authorization", authorization.reveal());
        }
        if let Some(tenant) = &self.tenant {
            request = request.header("X-Scope-OrgID", tenant);
        }
        let unreachable = |e: ureq::Error| (Failure::Unreachable(in_words(&e)), None);
        let mut answer = request.call().map_err(unreachable)?;
        let status = answer.status().as_u16();
        if !answer.status().is_success() {
            let wanted = answer.headers().get("retry-after").and_then(|v| v.to_str().ok());
            let wanted = wanted.and_then(|v| v.trim().parse().ok()).map(Duration::from_secs);
            let said = answer.body_mut().with_config().limit(SAID_BYTES).lossy_utf8(true);
            let said = said.read_to_string().unwrap_or_default();
            return Err((Failure::Refused(status, words_of(&said)), wanted));
        }
        let limit = self.limits.body_max;
        answer.body_mut().with_config().limit(limit).read_to_vec().map_err(|e| match e {
            ureq::Error::BodyExceedsLimit(_) => (Failure::TooLarge(limit), None),
            e => (Failure::Unreachable(format!("the answer breaks off: {}", in_words(&e))), None),
        })
    }
}

/// An error of the client without the URL, which may be long.
fn in_words(e: &ureq::Error) -> String {
    match e {
        ureq::Error::Timeout(what) => format!("no answer in time ({what})"),
        ureq::Error::Io(e) => e.to_string(),
        ureq::Error::TooManyRedirects => format!("more than {REDIRECTS_MAX} redirects"),
        e => e.to_string(),
    }
}

/// What an error's body says: its `error` where it is JSON, its first characters otherwise.
fn words_of(body: &str) -> String {
    #[derive(serde::Deserialize)]
    struct Said {
        #[serde(alias = "message", alias = "errors")]
        error: serde_json::Value,
    }
    let said = serde_json::from_str::<Said>(body).ok().map(|s| match s.error {
        serde_json::Value::String(text) => text,
        other => other.to_string(),
    });
    // Stores of objects answer with XML; a page of HTML says no more than the status.
    let message = body.split_once("<Message>").and_then(|(_, m)| m.split_once("</Message>"));
    let said = said.or_else(|| message.map(|(m, _)| m.to_owned()));
    let plain = Some(body).filter(|b| !b.trim_start().starts_with('<')).map(str::to_owned);
    let text = said.or(plain).unwrap_or_default();
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    text.chars().take(SAID_SHOWN).collect()
}

/// Base64 of RFC 4648, with padding.
pub fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let bits =
            chunk.iter().fold(0u32, |bits, b| bits << 8 | u32::from(*b)) << (8 * (3 - chunk.len()));
        for i in 0..4 {
            let letter = LETTERS[(bits >> (18 - 6 * i) & 63) as usize] as char;
            out.push(if i <= chunk.len() { letter } else { '=' });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_the_rfc() {
        for (text, wanted) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foobar", "Zm9vYmFy")] {
            assert_eq!(base64(text.as_bytes()), wanted);
        }
    }

    #[test]
    fn a_server_is_quoted_in_short() {
        assert_eq!(words_of("{\"status\":\"error\",\"error\":\"too\\n many\"}"), "too many");
        assert_eq!(words_of("<html>x"), "");
        assert_eq!(words_of("<Error><Message>no such\nkey</Message></Error>"), "no such key");
        assert_eq!(words_of(&"x".repeat(999)).len(), SAID_SHOWN);
    }

    #[test]
    fn a_client_needs_a_url_and_a_user_for_a_password() {
        let new = |url: &str, password: Option<&str>| {
            let login = Login { password: password.map(Secret::new), ..Login::default() };
            Client::new(url, login, Limits::default(), &Roots::default(), Signals::default())
        };
        for url in ["h:9", "ftp://h", "http://h?x", "http://a b", ""] {
            assert!(new(url, None).is_err(), "{url}");
        }
        assert!(new("http://h", Some("p")).is_err());
        let client = new("http://joe@h/base/", Some("p")).expect("complete");
        assert_eq!(client.base, "http://h/base");
        assert_eq!(client.authorization, Some(Secret::new("Basic am9lOnA=")));
    }
}
