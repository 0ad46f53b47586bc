//! Zip archives: each member is redacted like a file of its own; what cannot be is left out and told.

use super::stream::{Refused, WHOLE_MAX};
use super::{Names, Redactor};
use crate::ingest::plain_name;
use std::io::{Cursor, Read, Write};
use zip::write::SimpleFileOptions;
use zip::{ZipArchive, ZipWriter};

/// Rewrites an archive in memory.
pub(super) fn rewrite(
    all: &mut Redactor,
    stored: Vec<u8>,
    to: &mut dyn Write,
    level: usize,
    said: &mut Vec<String>,
) -> std::result::Result<(), Refused> {
    let packed = stored.len() as u64;
    let unfit = |e: zip::result::ZipError| Refused::unfit(format!("the zip archive: {e}"));
    let mut archive = ZipArchive::new(Cursor::new(stored)).map_err(unfit)?;
    if archive.len() as u64 > all.limits.members {
        return Err(Refused::unfit(format!("more than {} members", all.limits.members)));
    }
    let mut left = all.limits.unpacked_max(packed).min(WHOLE_MAX);
    let mut names = Names::default();
    let mut new = ZipWriter::new(Cursor::new(Vec::new()));
    for i in 0..archive.len() {
        let Some((name, bytes)) = member(&mut archive, i, &mut left, said)? else { continue };
        let shown = names.unique(&all.name(&name));
        let mut out = Vec::new();
        match all.nested(&name, Box::new(Cursor::new(bytes)), &mut out, level + 1, said) {
            Ok(()) => {}
            Err(Refused::Unfit(what)) => {
                said.push(format!("{name}: left out: {what}"));
                continue;
            }
            Err(e) => return Err(e),
        }
        new.start_file(shown, SimpleFileOptions::default()).map_err(unfit)?;
        new.write_all(&out).map_err(Refused::Write)?;
    }
    let new = new.finish().map_err(unfit)?.into_inner();
    to.write_all(&new).map_err(Refused::Write)
}

/// Name and content of a member; `None` for folders, and for what is left out.
fn member(
    archive: &mut ZipArchive<Cursor<Vec<u8>>>,
    index: usize,
    left: &mut u64,
    said: &mut Vec<String>,
) -> std::result::Result<Option<(String, Vec<u8>)>, Refused> {
    let mut leave = |what: String| {
        said.push(what);
        Ok(None)
    };
    let mut file = match archive.by_index(index) {
        Ok(file) => file,
        Err(e) => return leave(format!("member {}: left out: {e}", index + 1)),
    };
    let name = plain_name(&file);
    if file.is_dir() || name.is_empty() {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    match file.by_ref().take(*left + 1).read_to_end(&mut bytes) {
        Ok(_) if bytes.len() as u64 > *left => {
            Err(Refused::unfit("unpacks to more than telemetry does"))
        }
        Ok(_) => {
            *left -= bytes.len() as u64;
            Ok(Some((name, bytes)))
        }
        Err(e) => leave(format!("{name}: left out: {e}")),
    }
}
