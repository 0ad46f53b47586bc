//! rootline for Python. In: a folder of exports. Out: the diagnosis as a dict, and what it was made
//! from as Arrow frames that pandas, polars and pyarrow take without a copy of ours.

mod tables;

use engine::error::{Error, ExitCode};
use engine::{Options, rollup};
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use std::path::PathBuf;
use tables::Frame;

/// What the library says, as Python says it: input that cannot be used is a `ValueError`.
fn raised(e: &Error) -> PyErr {
    let text = match &e.hint {
        Some(hint) => format!("{e} ({hint})"),
        None => e.to_string(),
    };
    match e.code {
        ExitCode::Usage | ExitCode::Catalog => PyValueError::new_err(text),
        _ => PyRuntimeError::new_err(text),
    }
}

fn options(timezone: Option<&str>, signatures: Option<PathBuf>) -> PyResult<Options> {
    let named = |name: &str| {
        let unknown = || PyValueError::new_err(format!("\"{name}\" is no time zone"));
        engine::time::Zone::named(name).ok_or_else(unknown)
    };
    let zone = timezone.map(named).transpose()?;
    Ok(Options { zone, signatures, ..Options::default() })
}

/// Diagnoses a folder of exports, or one file: the dict is what `rootline diagnose --format json`
/// writes (`rootline schema` prints its schema).
///
/// `timezone` is that of times without one; `signatures` is a folder of one's own catalogue. Raises
/// ValueError where nothing can be read. Input that is only partly readable is no error: see `gaps`.
#[pyfunction]
#[pyo3(signature = (path, *, timezone=None, signatures=None))]
fn diagnose<'py>(
    py: Python<'py>,
    path: PathBuf,
    timezone: Option<&str>,
    signatures: Option<PathBuf>,
) -> PyResult<Bound<'py, PyDict>> {
    let options = options(timezone, signatures)?;
    let text =
        py.allow_threads(|| engine::diagnose(&path, &options).map(|found| engine::report::json(&found)));
    let text = text.map_err(|e| raised(&e))?;
    let parsed = py.import("json")?.call_method1("loads", (text,))?;
    Ok(parsed.downcast_into::<PyDict>()?)
}

/// What a diagnosis looks at, as Arrow frames by name: `series` (subject, signal, statistic, time,
/// value), `operations` and `calls` (counts, errors and seconds per bucket, from spans).
///
/// Each has `__arrow_c_stream__`: `polars.DataFrame(frame)`, `pyarrow.table(frame)` or
/// `pandas.DataFrame.from_arrow(frame)`.
#[pyfunction]
#[pyo3(signature = (path, *, timezone=None))]
fn frames<'py>(
    py: Python<'py>,
    path: PathBuf,
    timezone: Option<&str>,
) -> PyResult<Bound<'py, PyDict>> {
    let options = options(timezone, None)?;
    let made = py.allow_threads(|| -> engine::error::Result<_> {
        let mut telemetry = engine::telemetry_of(&path, &options)?;
        let rollups = rollup::roll_up(&mut telemetry);
        Ok(tables::of(&telemetry, &rollups))
    });
    let out = PyDict::new(py);
    for (name, frame) in made.map_err(|e| raised(&e))? {
        out.set_item(name, Bound::new(py, frame)?)?;
    }
    Ok(out)
}

/// Telemetry-driven incident diagnosis.
#[pymodule]
fn rootline(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add("__version__", env!("CARGO_PKG_VERSION"))?;
    m.add_class::<Frame>()?;
    m.add_function(wrap_pyfunction!(diagnose, m)?)?;
    m.add_function(wrap_pyfunction!(frames, m)?)
}
