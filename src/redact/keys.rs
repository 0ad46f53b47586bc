//! What the name of a field says of its value. In: a key of JSON, a column, a label, the left side of
//! `key=value`. Out: its class. Names are compared in lower case, `-` and `.` as `_`.

/// What a field holds, as far as its name tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Class {
    /// A password, token or key: the whole value goes.
    Secret,
    /// As a secret, but in a text the value reaches to the end of the line: `Authorization: a b`.
    Header,
    /// A secret unless it is a number: `tokens`, `pass`.
    Count,
    /// A statement.
    Sql,
    /// Parameters of statements, and documents that are asked for or written.
    Data,
    /// Who did something.
    User,
    #[default]
    Other,
}

/// Longest name that is looked at, bytes.
const NAME_MAX: usize = 96;

const HEADERS: [&str; 8] = [
    "authorization",
    "proxy_authorization",
    "cookie",
    "cookies",
    "set_cookie",
    "x_api_key",
    "x_auth_token",
    "x_amz_security_token",
];

/// Endings that name a secret however they are joined to what stands before them.
const SECRETS: [&str; 43] = [
    "password",
    "passwd",
    "passwords",
    "passphrase",
    "pass_phrase",
    "password_hash",
    "password_digest",
    "oauth2_bearer",
    "requirepass",
    "masterauth",
    "secret_string",
    "secret",
    "apikey",
    "api_key",
    "access_key",
    "accesskey",
    "access_key_id",
    "accesskeyid",
    "secret_key",
    "secretkey",
    "secret_access_key",
    "secretaccesskey",
    "private_key",
    "private_key_id",
    "encryption_key",
    "signing_key",
    "secret_key_base",
    "master_key",
    "license_key",
    "session_key",
    "hmac_key",
    "account_key",
    "privatekey",
    "access_token",
    "accesstoken",
    "auth_token",
    "connection_string",
    "connectionstring",
    "credential",
    "credentials",
    "sessionid",
    "x_amz_signature",
    "x_amz_credential",
];

/// Endings that name a secret when they are a word of their own.
const SECRET_WORDS: [&str; 13] = [
    "pwd",
    "token",
    "passcode",
    "salt",
    "storepass",
    "otp",
    "cvv",
    "ssn",
    "csrf",
    "xsrf",
    "jwt",
    "phpsessid",
    "jsessionid",
];

/// Endings that name a secret or a count when they are a word of their own.
const COUNT_WORDS: [&str; 5] = ["pass", "tokens", "sas", "sig", "sid"];

/// Names, or their last words, of what is put into statements.
const DATA: [&str; 7] = [
    "bindings",
    "bind_parameters",
    "query_parameters",
    "sql_parameters",
    "redis_args",
    "raw_command",
    "mongodb_command",
];

const STATEMENTS: [&str; 11] = [
    "query",
    "statement",
    "sql",
    "stmt",
    "query_text",
    "sql_text",
    "digest_text",
    "query_sample_text",
    "full_sql",
    // Conditions of a plan's nodes.
    "cond",
    "filter",
];

/// Words that name a person or a role, as the last word of a name.
const USERS: [&str; 29] = [
    "user",
    "usename",
    "username",
    "rolname",
    "role_name",
    "login",
    "loginname",
    "user_name",
    "enduser_id",
    "author",
    "committer",
    "assignee",
    "created_by",
    "createdby",
    "changed_by",
    "deployed_by",
    "requested_by",
    "approved_by",
    "approver",
    "reviewer",
    "reporter",
    "updated_by",
    "merged_by",
    "acknowledged_by",
    "principal_name",
    "silenced_by",
    "actor",
    "owner_name",
    "user_id",
];

/// Names of roles that come with a product and say nothing of anybody.
const PRODUCTS: [&str; 24] = [
    "postgres",
    "pgbouncer",
    "root",
    "guest",
    "default",
    "replicator",
    "replication",
    "rdsadmin",
    "rdsrepladmin",
    "mysql",
    "redis",
    "admin",
    "nobody",
    "system",
    "monitoring",
    "prometheus",
    "grafana",
    "haproxy",
    "nginx",
    "www-data",
    "kafka",
    "rabbitmq",
    "azuresu",
    "cloudsqladmin",
];

/// Values that stand for no value.
const BLANK: [&str; 15] = [
    "",
    "-",
    "?",
    // All that there is, in a selector.
    ".*",
    ".+",
    "null",
    "none",
    "nil",
    "unknown",
    "[unknown]",
    "true",
    "false",
    "n/a",
    "redacted",
    "[redacted]",
];

/// The class of a field.
pub fn class(name: &str) -> Class {
    if name.is_empty() || name.len() > NAME_MAX {
        return Class::Other;
    }
    let name = folded(name);
    let word = |w: &&&str| name == **w || name.strip_suffix(**w).is_some_and(|r| r.ends_with('_'));
    match () {
        () if HEADERS.iter().any(|h| word(&h)) => Class::Header,
        () if SECRETS.iter().any(|s| name.ends_with(s)) => Class::Secret,
        () if SECRET_WORDS.iter().any(|s| word(&s)) => Class::Secret,
        () if COUNT_WORDS.iter().any(|s| word(&s)) => Class::Count,
        () if DATA.iter().any(|s| word(&s)) => Class::Data,
        () if ["query_parameter_", "operation_parameter_"].iter().any(|p| name.contains(p)) => {
            Class::Data
        }
        () if STATEMENTS.iter().any(|s| word(&s)) => Class::Sql,
        () if USERS.iter().any(|s| word(&s)) => Class::User,
        () => Class::Other,
    }
}

/// The class of a parameter in the query of a URL: some names of secrets are words elsewhere.
pub fn query_class(name: &str) -> Class {
    const SECRETS: [&str; 8] =
        ["auth", "code", "key", "session", "signature", "ticket", "assertion", "state"];
    match class(name) {
        Class::Other if SECRETS.iter().any(|s| s.eq_ignore_ascii_case(name)) => Class::Secret,
        class => class,
    }
}

/// Lower case, words joined by `_`: `clientSecret`, `client-secret` and `client.secret` are one.
fn folded(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 4);
    let mut lower = false;
    for c in name.chars() {
        match c {
            c if c.is_alphanumeric() => {
                if c.is_uppercase() && lower {
                    out.push('_');
                }
                lower = c.is_lowercase();
                out.extend(c.to_lowercase());
            }
            _ => {
                lower = false;
                if !out.ends_with('_') {
                    out.push('_');
                }
            }
        }
    }
    out.trim_matches('_').to_owned()
}

/// Says whether a value stands for none, or was made unreadable by somebody else.
pub fn is_blank(value: &str) -> bool {
    let value = value.trim();
    BLANK.iter().any(|b| value.eq_ignore_ascii_case(b))
        || value.chars().all(|c| matches!(c, '*' | 'x' | 'X' | '•' | '#' | '_'))
}

/// Says whether a field is there for mail addresses.
pub fn is_mail(name: &str) -> bool {
    folded(name).contains("mail")
}

/// Says whether a role comes with a product.
pub fn is_product(user: &str) -> bool {
    PRODUCTS.contains(&user) || user.starts_with("pg_") || user.starts_with("system:")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_what_its_value_is() {
        for (name, want) in [
            ("password", Class::Secret),
            ("clientSecret", Class::Secret),
            ("X-Amz-Signature", Class::Secret),
            ("db.auth.token", Class::Secret),
            ("AWS_SECRET_ACCESS_KEY", Class::Secret),
            ("http.request.header.authorization", Class::Header),
            ("Set-Cookie", Class::Header),
            ("db.query.text", Class::Sql),
            ("query", Class::Sql),
            ("usename", Class::User),
            ("db.user", Class::User),
            ("user_agent", Class::Other),
            ("query_id", Class::Other),
            ("compass", Class::Other),
            ("broken", Class::Other),
            ("users", Class::Other),
            ("", Class::Other),
        ] {
            assert_eq!(class(name), want, "{name}");
        }
        assert!(is_blank("****") && is_blank("NULL") && !is_blank("x1"));
    }
}
