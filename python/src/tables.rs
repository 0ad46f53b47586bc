//! Rollups as Arrow tables. In: the telemetry and its rollups. Out: frames with the Arrow PyCapsule
//! interface, which hands over pointers and no bytes.

use arrow::array::{
    Array, ArrayRef, Float64Array, RecordBatch, RecordBatchIterator, RecordBatchReader,
    StringArray, StructArray, TimestampMicrosecondArray,
};
use arrow::datatypes::DataType;
use arrow::ffi_stream::FFI_ArrowArrayStream;
use engine::model::{EntityId, Micros, Subject};
use engine::rollup::Rollups;
use engine::telemetry::Telemetry;
use pyo3::prelude::*;
use pyo3::types::PyCapsule;
use std::sync::Arc;

/// A table; immutable, and may be handed over any number of times.
#[pyclass(frozen)]
pub struct Frame {
    batch: RecordBatch,
}

#[pymethods]
impl Frame {
    /// The table as a stream of the Arrow C interface.
    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_stream__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        // The interface lets a producer give its own schema whatever is asked for.
        let _ = requested_schema;
        let batches = std::iter::once(Ok(self.batch.clone()));
        let reader = RecordBatchIterator::new(batches, self.batch.schema());
        let reader: Box<dyn RecordBatchReader + Send> = Box::new(reader);
        let stream = FFI_ArrowArrayStream::new(reader);
        PyCapsule::new(py, stream, Some(c"arrow_array_stream".to_owned()))
    }

    /// Names of the columns.
    #[getter]
    fn columns(&self) -> Vec<String> {
        self.batch.schema().fields().iter().map(|f| f.name().clone()).collect()
    }

    fn __len__(&self) -> usize {
        self.batch.num_rows()
    }

    fn __repr__(&self) -> String {
        format!("<rootline.Frame: {} rows of {}>", self.batch.num_rows(), self.columns().join(", "))
    }
}

fn texts<'a>(all: impl Iterator<Item = &'a str>) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(all))
}

fn times(all: impl Iterator<Item = Micros>) -> ArrayRef {
    Arc::new(TimestampMicrosecondArray::from_iter_values(all).with_timezone("UTC"))
}

fn numbers(all: impl Iterator<Item = f64>) -> ArrayRef {
    Arc::new(Float64Array::from_iter_values(all))
}

fn frame(columns: Vec<(&'static str, ArrayRef)>) -> Frame {
    // All columns are made from the same rows, so they have one length.
    let columns = columns.into_iter().map(|(name, c)| {
        let kind: DataType = c.data_type().clone();
        (Arc::new(arrow::datatypes::Field::new(name, kind, false)), c)
    });
    Frame { batch: StructArray::from(columns.collect::<Vec<_>>()).into() }
}

/// The frames by name.
pub fn of(telemetry: &Telemetry, rollups: &Rollups) -> Vec<(&'static str, Frame)> {
    vec![
        ("series", series(telemetry, rollups)),
        ("operations", operations(telemetry, rollups)),
        ("calls", calls(telemetry, rollups)),
    ]
}

fn name(telemetry: &Telemetry, id: EntityId) -> &str {
    &telemetry.graph.entity(id).name
}

fn symbol(telemetry: &Telemetry, number: u32) -> &str {
    telemetry.symbols.get(number as usize).map_or("", String::as_str)
}

fn series(telemetry: &Telemetry, rollups: &Rollups) -> Frame {
    let all = &rollups.series;
    let shown = |subject: Subject| match subject {
        Subject::Entity(e) => name(telemetry, e).to_owned(),
        Subject::Edge(a, b) => format!("{} -> {}", name(telemetry, a), name(telemetry, b)),
    };
    let subjects: Vec<String> = all.iter().map(|s| shown(s.subject)).collect();
    let stats: Vec<String> = all.iter().map(|s| format!("{:?}", s.stat).to_lowercase()).collect();
    let rows = || all.iter().enumerate().flat_map(|(i, s)| s.points.iter().map(move |p| (i, p)));
    frame(vec![
        ("subject", texts(rows().map(|(i, _)| subjects[i].as_str()))),
        ("signal", texts(rows().map(|(i, _)| telemetry.signals.get(all[i].signal).name.as_str()))),
        ("statistic", texts(rows().map(|(i, _)| stats[i].as_str()))),
        ("dims", texts(rows().map(|(i, _)| all[i].dims.as_str()))),
        ("file", texts(rows().map(|(i, _)| all[i].source.file.as_str()))),
        ("time", times(rows().map(|(_, p)| p.0))),
        ("value", numbers(rows().map(|(_, p)| p.1))),
    ])
}

fn operations(telemetry: &Telemetry, rollups: &Rollups) -> Frame {
    let rows = || rollups.operations.iter();
    frame(vec![
        ("service", texts(rows().map(|r| name(telemetry, r.service)))),
        ("operation", texts(rows().map(|r| symbol(telemetry, r.operation)))),
        ("time", times(rows().map(|r| r.t))),
        ("spans", numbers(rows().map(|r| r.count))),
        ("errors", numbers(rows().map(|r| r.errors))),
        ("seconds", numbers(rows().map(|r| r.duration))),
        ("own_seconds", numbers(rows().map(|r| r.self_time))),
    ])
}

fn calls(telemetry: &Telemetry, rollups: &Rollups) -> Frame {
    let rows = || rollups.calls.iter();
    frame(vec![
        ("caller", texts(rows().map(|r| name(telemetry, r.caller)))),
        ("caller_operation", texts(rows().map(|r| symbol(telemetry, r.caller_operation)))),
        ("callee", texts(rows().map(|r| name(telemetry, r.callee)))),
        ("operation", texts(rows().map(|r| symbol(telemetry, r.operation)))),
        ("time", times(rows().map(|r| r.t))),
        ("calls", numbers(rows().map(|r| r.count))),
    ])
}
