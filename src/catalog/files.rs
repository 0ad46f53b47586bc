//! Signature files of a folder. In: a path. Out: the path and text of each. Parses nothing.

use crate::error::{Error, Result};
use std::{fs, path::Path};

/// Adds every `*.toml` file in the folder and below it, but for the table of signals.
///
/// # Errors
///
/// When a folder or a file cannot be read.
pub(super) fn collect(folder: &Path, files: &mut Vec<(String, String)>) -> Result<()> {
    let place = |p: &Path| p.display().to_string();
    let entries = fs::read_dir(folder).map_err(|e| Error::usage(place(folder), e.to_string()))?;
    for entry in entries.flatten() {
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        if path.is_dir() {
            collect(&path, files)?;
        } else if name.ends_with(".toml") && name != "signals.toml" {
            let text = fs::read_to_string(&path)
                .map_err(|e| Error::catalog(place(&path), e.to_string()))?;
            files.push((place(&path), text));
        }
    }
    Ok(())
}
