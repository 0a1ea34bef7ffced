//! Evidence for any dataframe library, by Arrow's C data interface in capsules:
//! <https://arrow.apache.org/docs/format/CDataInterface/PyCapsuleInterface.html>. Numbers are not copied.

use std::sync::Arc;

use arrow_array::{
    ArrayRef, Float64Array, PrimitiveArray, RecordBatch, RecordBatchIterator, StringArray, TimestampMillisecondArray,
    UInt32Array,
    ffi_stream::FFI_ArrowArrayStream,
    types::{Float64Type, TimestampMillisecondType},
};
use arrow_buffer::{Buffer, ScalarBuffer};
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef, TimeUnit, ffi::FFI_ArrowSchema};
use chaos_core::{
    error::{Error, ErrorKind},
    model::{Level, LogLine, Logs},
};
use pyo3::{prelude::*, types::PyCapsule};

use crate::{
    errors::raised,
    evidence::{Held, Which},
};

/// A series' numbers as bytes, for as long as somebody has them.
struct Numbers(Held, Which);

impl AsRef<[u8]> for Numbers {
    fn as_ref(&self) -> &[u8] {
        let series = self.0.series();
        match self.1 {
            Which::At => bytemuck::cast_slice(&series.at),
            Which::Values => bytemuck::cast_slice(&series.values),
        }
    }
}

fn buffer(held: &Held, which: Which) -> Buffer {
    Buffer::from(bytes::Bytes::from_owner(Numbers(held.clone(), which)))
}

fn time() -> DataType {
    DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()))
}

/// Columns `at` (UTC, milliseconds) and `value` (NaN where it is missing).
pub(crate) fn series_schema() -> Schema {
    Schema::new(vec![Field::new("at", time(), false), Field::new("value", DataType::Float64, false)])
}

/// A series as one batch.
pub(crate) fn series(held: &Held) -> Result<RecordBatch, ArrowError> {
    let rows = held.series().values.len();
    let at = ScalarBuffer::<i64>::new(buffer(held, Which::At), 0, rows);
    let values = ScalarBuffer::<f64>::new(buffer(held, Which::Values), 0, rows);
    let at = PrimitiveArray::<TimestampMillisecondType>::new(at, None).with_timezone("UTC");
    let values: Float64Array = PrimitiveArray::<Float64Type>::new(values, None);
    RecordBatch::try_new(Arc::new(series_schema()), vec![Arc::new(at), Arc::new(values)])
}

/// Columns `at`, `level`, `unit`, `pid`, `text`, `template`.
pub(crate) fn logs_schema() -> Schema {
    Schema::new(vec![
        Field::new("at", time(), false),
        Field::new("level", DataType::Utf8, true),
        Field::new("unit", DataType::Utf8, true),
        Field::new("pid", DataType::UInt32, true),
        Field::new("text", DataType::Utf8, false),
        Field::new("template", DataType::Utf8, true),
    ])
}

/// The kept rows of a log stream as one batch.
pub(crate) fn logs(held: &Held) -> Result<RecordBatch, ArrowError> {
    let logs = held.logs();
    let lines = || logs.lines.iter();
    let at = TimestampMillisecondArray::from_iter_values(lines().map(|l| l.at.0)).with_timezone("UTC");
    let columns: Vec<ArrayRef> = vec![
        Arc::new(at),
        Arc::new(StringArray::from_iter(lines().map(|l| l.level.map(Level::as_str)))),
        Arc::new(StringArray::from_iter(lines().map(|l| l.unit.as_deref()))),
        Arc::new(UInt32Array::from_iter(lines().map(|l| l.pid))),
        Arc::new(StringArray::from_iter_values(lines().map(|l| l.text.as_str()))),
        Arc::new(StringArray::from_iter(lines().map(|l| template(logs, l)))),
    ];
    RecordBatch::try_new(Arc::new(logs_schema()), columns)
}

/// The template of a kept line.
pub(crate) fn template<'a>(logs: &'a Logs, line: &LogLine) -> Option<&'a str> {
    logs.patterns.get(line.pattern as usize).map(|p| p.template.as_str())
}

/// A capsule `arrow_array_stream` with one batch.
pub(crate) fn stream(py: Python<'_>, batch: Result<RecordBatch, ArrowError>) -> PyResult<Bound<'_, PyAny>> {
    let batch = batch.map_err(|e| broken(py, e))?;
    let schema: SchemaRef = batch.schema();
    let stream = FFI_ArrowArrayStream::new(Box::new(RecordBatchIterator::new([Ok(batch)], schema)));
    Ok(PyCapsule::new_with_value(py, stream, c"arrow_array_stream")?.into_any())
}

/// A capsule `arrow_schema`.
pub(crate) fn schema<'py>(py: Python<'py>, schema: &Schema) -> PyResult<Bound<'py, PyAny>> {
    let schema = FFI_ArrowSchema::try_from(schema).map_err(|e| broken(py, e))?;
    Ok(PyCapsule::new_with_value(py, schema, c"arrow_schema")?.into_any())
}

fn broken(py: Python<'_>, e: ArrowError) -> PyErr {
    raised(py, &Error::new(ErrorKind::Internal, "cannot make an Arrow stream").because(e))
}
