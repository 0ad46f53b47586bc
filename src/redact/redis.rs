//! Commands of Redis without their data. In: the text of a statement. Out: command and key as they are,
//! tokens for what stands behind.

use super::words::Scope;
use super::{Kind, Redactor, keys, tokens};

/// Redis commands whose arguments behind the key are data.
const WRITES: [&str; 36] = [
    "set",
    "setex",
    "psetex",
    "setnx",
    "getset",
    "hset",
    "hmset",
    "hsetnx",
    "lpush",
    "lpushx",
    "rpush",
    "rpushx",
    "linsert",
    "lset",
    "lrem",
    "sadd",
    "srem",
    "sismember",
    "smove",
    "zadd",
    "zrem",
    "zrank",
    "zscore",
    "mset",
    "msetnx",
    "append",
    "publish",
    "spublish",
    "xadd",
    "pfadd",
    "geoadd",
    "setrange",
    "hget",
    "hdel",
    "eval",
    "config",
];

/// Says whether a line of a pipeline is a command of Redis without arguments.
fn is_redis_word(line: &str) -> bool {
    ["multi", "exec", "discard", "ping"].iter().any(|c| line.trim().eq_ignore_ascii_case(c))
}

impl Redactor {
    /// Data of Redis commands, one on each line; the outer `None` where it is none.
    pub(super) fn redis(&mut self, text: &str) -> Option<Option<String>> {
        let first = text.lines().next().filter(|line| line.len() < text.len());
        let Some(first) = first else { return self.redis_command(text) };
        self.redis_command(first).or(is_redis_word(first).then_some(None))?;
        let mut changed = false;
        let mut line = |line: &str| {
            let new = match self.redis_command(line) {
                Some(new) => new,
                None => self.text(line, Scope::Value),
            };
            changed |= new.is_some();
            new.unwrap_or_else(|| line.to_owned())
        };
        let lines: Vec<String> = text.split('\n').map(&mut line).collect();
        Some(changed.then(|| lines.join("\n")))
    }

    fn redis_command(&mut self, text: &str) -> Option<Option<String>> {
        let mut parts = text.splitn(3, ' ');
        let (command, first, rest) = (parts.next()?, parts.next()?, parts.next());
        let lower = command.to_ascii_lowercase();
        if matches!(lower.as_str(), "auth" | "hello") {
            let data = &text[command.len() + 1..];
            return Some(self.secret(data).map(|t| format!("{command} {t}")));
        }
        let rest = rest.filter(|_| WRITES.contains(&lower.as_str()))?;
        if rest.split(' ').all(|w| tokens::is_token(w) || w == "?" || keys::is_blank(w)) {
            return Some(None);
        }
        let all: Vec<String> = rest.split(' ').map(|w| self.token(Kind::Literal, w)).collect();
        Some(Some(format!("{command} {first} {}", all.join(" "))))
    }
}
