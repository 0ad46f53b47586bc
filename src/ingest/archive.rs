//! Zip archives in memory: each member is an input of its own, called `archive.zip/member`. Nothing
//! is ever written, so no name in an archive can do harm.

use super::file::{self, Source, Stored};
use super::raw::Raw;
use super::taken::Taken;
use super::walk::is_aside;
use crate::time;
use std::fs::File;
use std::io::{Cursor, Read, Seek};
use zip::ZipArchive;
use zip::read::ZipFile;

/// First bytes of an archive, and of an empty one.
const MAGIC: [&[u8]; 2] = [b"PK\x03\x04", b"PK\x05\x06"];

/// Says whether a file that was opened is a zip archive; it is read from its beginning again.
pub fn is_zip(mut file: &File) -> bool {
    let mut magic = Vec::new();
    let read = file.take(4).read_to_end(&mut magic).is_ok();
    file.rewind().is_ok() && read && is_packed(&magic)
}

fn is_packed(bytes: &[u8]) -> bool {
    MAGIC.iter().any(|m| bytes.starts_with(m))
}

/// Reads every member that is not among the `excluded` paths; what cannot be had is a gap.
pub fn read(source: &Source, stored: Stored, excluded: &[String]) -> Vec<Raw> {
    let broken = |what: String| source.unreadable(what);
    let stored = match stored {
        Ok(bytes) => bytes,
        Err(what) => return vec![broken(what)],
    };
    let mut archive = match ZipArchive::new(Cursor::new(stored.as_slice())) {
        Ok(archive) => archive,
        Err(e) => return vec![broken(format!("the zip archive's directory is not readable: {e}"))],
    };
    let mut parts = Vec::new();
    if archive.is_empty() {
        parts.push(broken("an empty zip archive".to_owned()));
    }
    if archive.index_for_name("[Content_Types].xml").is_some() {
        return vec![broken("an Office document: save it as CSV".to_owned())];
    }
    let most = usize::try_from(source.limits.members).unwrap_or(usize::MAX);
    if archive.len() > most {
        let what = format!(
            "{} members, of which the first {most} are read (`--limit members=N` allows more)",
            archive.len()
        );
        parts.push(broken(what));
    }
    let mut left = source.limits.unpacked_max(stored.len() as u64);
    for i in 0..archive.len().min(most) {
        // The raw member has a name even where its content cannot be had.
        let Ok((name, folder)) = archive.by_index_raw(i).map(|m| (plain_name(&m), m.is_dir()))
        else {
            parts.push(broken(format!("member {} of the zip archive is not readable", i + 1)));
            continue;
        };
        let path = format!("{}/{name}", source.shown);
        let aside = name.split('/').any(|part| is_aside(part) || part == "__MACOSX");
        if folder || aside || excluded.contains(&path) {
            continue;
        }
        if left == 0 {
            parts.push(broken("inflating stopped at the limit of an archive's size".to_owned()));
            break;
        }
        let inside = Source { shown: &path, ..*source };
        parts.push(member(&mut archive, i, &inside, &mut left));
    }
    parts
}

/// A member's name without steps out of the archive.
pub fn plain_name<R: Read>(member: &ZipFile<R>) -> String {
    let name = member.name().map_or_else(
        |_| String::from_utf8_lossy(member.name_raw()).into_owned(),
        |name| name.into_owned(),
    );
    let parts = name.split(['/', '\\']).filter(|p| !matches!(*p, "" | "." | ".."));
    parts.collect::<Vec<_>>().join("/")
}

/// Inflates one member and reads it as a file; `left` are the bytes that may still be inflated.
fn member(
    archive: &mut ZipArchive<Cursor<&[u8]>>,
    index: usize,
    source: &Source,
    left: &mut u64,
) -> Raw {
    let encrypted = archive.by_index_raw(index).is_ok_and(|m| m.encrypted());
    if encrypted {
        return source.unreadable("encrypted: not read".to_owned());
    }
    let (mut bytes, mut most) = (Vec::new(), *left);
    let (result, changed) = match archive.by_index(index) {
        Ok(mut file) => {
            let changed =
                file.last_modified().and_then(|t| time::parse(&t.to_string(), source.zone));
            most = most.min(source.limits.unpacked_max(file.compressed_size()));
            (file.by_ref().take(most).read_to_end(&mut bytes).map_err(|e| e.to_string()), changed)
        }
        Err(e) => (Err(e.to_string()), None),
    };
    let full = bytes.len() as u64 == most;
    *left -= bytes.len() as u64;
    let nested = is_packed(&bytes);
    let defect = match result {
        Err(e) => Some(format!("inflating stopped after {} bytes: {e}", bytes.len())),
        Ok(_) if full && *left == 0 => {
            Some("inflating stopped at the limit of an archive's size".to_owned())
        }
        Ok(_) if full => Some("inflating stopped: no telemetry is packed so well".to_owned()),
        Ok(_) => None,
    };
    let modified = changed.map(|t| t.at).or(source.taken.modified);
    let source = Source { taken: Taken { modified, ..source.taken }, ..*source };
    let stored = match &defect {
        Some(what) if bytes.is_empty() => Err(what.clone()),
        _ if nested => Err("an archive inside an archive: unpack it first".to_owned()),
        _ => Ok(bytes),
    };
    let kept = stored.is_ok();
    let mut raw = file::read_stored(&source, stored);
    if let Some(what) = defect.filter(|_| kept) {
        raw.gap(crate::model::GapKind::Truncated, 0, None, what);
    }
    raw
}
