//! `ColumnSlice`: a slice whose records another client reads, taken a batch of columns at a time.
//!
//! Python hands over one iterable a field, so that a message is asked for a field by the interpreter's own loop over C
//! functions and nothing is kept for longer than it takes to copy it into a column. The digests then run without the
//! GIL.

use crate::check::PyTimeOrder;
use crate::control::PyProgress;
use crate::read::{LastRecords, TailRecord};
use kcompare_core::digest::{CellBuilder, CheckBuilder, ColumnReader, Profile, RowBuilder, StreamStats};
use kcompare_core::records::{ByteColumn, Columns, ColumnsError};
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyIterator, PyString, PyTuple};
use std::collections::VecDeque;
use std::sync::LazyLock;
use std::sync::atomic::Ordering;

static PROFILE: LazyLock<Profile> = LazyLock::new(Profile::default);

/// `TIMESTAMP_NOT_AVAILABLE` and `TIMESTAMP_LOG_APPEND_TIME` of librdkafka.
const NOT_AVAILABLE: i32 = 0;
const LOG_APPEND_TIME: i32 = 2;

#[derive(Default)]
struct Bytes {
    lengths: Vec<i32>,
    payload: Vec<u8>,
}

impl Bytes {
    fn clear(&mut self) {
        self.lengths.clear();
        self.payload.clear();
    }

    fn push(&mut self, bytes: Option<&[u8]>) -> PyResult<()> {
        let Some(bytes) = bytes else {
            self.lengths.push(-1);
            return Ok(());
        };
        let length = i32::try_from(bytes.len())
            .map_err(|_| PyValueError::new_err(format!("{} bytes are no field of a record", bytes.len())))?;
        self.lengths.push(length);
        self.payload.extend_from_slice(bytes);
        Ok(())
    }

    fn push_object(&mut self, object: &Bound<'_, PyAny>) -> PyResult<()> {
        if object.is_none() { self.push(None) } else { self.push(Some(object.cast::<PyBytes>()?.as_bytes())) }
    }

    fn column(&self) -> ByteColumn<'_> {
        ByteColumn { lengths: &self.lengths, payload: &self.payload }
    }
}

/// The columns of one call; the buffers outlive it.
#[derive(Default)]
struct Packed {
    offsets: Vec<i64>,
    timestamps: Vec<i64>,
    log_append_times: Vec<bool>,
    keys: Bytes,
    values: Bytes,
    header_counts: Vec<u32>,
    header_names: Bytes,
    header_values: Bytes,
}

impl Packed {
    fn clear(&mut self) {
        self.offsets.clear();
        self.timestamps.clear();
        self.log_append_times.clear();
        self.header_counts.clear();
        for bytes in [&mut self.keys, &mut self.values, &mut self.header_names, &mut self.header_values] {
            bytes.clear();
        }
    }

    /// Packs headers until the iterable ends or raises; the error belongs to the record behind the last packed one.
    fn pack_headers(&mut self, headers: &Bound<'_, PyIterator>) -> Option<PyErr> {
        for found in headers {
            let names = self.header_names.lengths.len();
            match found.and_then(|found| self.pack_header_list(&found)) {
                Ok(count) => self.header_counts.push(count),
                Err(error) => {
                    // A part of a record is no record.
                    for bytes in [&mut self.header_names, &mut self.header_values] {
                        bytes.lengths.truncate(names);
                        let kept: usize =
                            bytes.lengths.iter().map(|length| length.max(&0).unsigned_abs() as usize).sum();
                        bytes.payload.truncate(kept);
                    }
                    return Some(error);
                }
            }
        }
        None
    }

    fn pack_header_list(&mut self, found: &Bound<'_, PyAny>) -> PyResult<u32> {
        if found.is_none() {
            return Ok(0);
        }
        let mut count = 0;
        for header in found.try_iter()? {
            let header = header?;
            let header = header.cast::<PyTuple>()?;
            let name = header.get_item(0)?;
            self.header_names.push(Some(name.cast::<PyString>()?.encode_utf8()?.as_bytes()))?;
            self.header_values.push_object(&header.get_item(1)?)?;
            count += 1;
        }
        Ok(count)
    }

    fn pack_timestamps(&mut self, timestamps: Bound<'_, PyIterator>, records: usize) -> PyResult<()> {
        for found in timestamps.take(records) {
            let (kind, timestamp): (i32, i64) = found?.extract()?;
            self.timestamps.push(if kind == NOT_AVAILABLE { -1 } else { timestamp });
            self.log_append_times.push(kind == LOG_APPEND_TIME);
        }
        Ok(())
    }

    fn columns(&self) -> Columns<'_> {
        Columns {
            offsets: &self.offsets,
            timestamps: &self.timestamps,
            log_append_times: &self.log_append_times,
            keys: self.keys.column(),
            values: self.values.column(),
            header_counts: &self.header_counts,
            header_names: self.header_names.column(),
            header_values: self.header_values.column(),
        }
    }
}

/// What takes the records.
enum Reader {
    Cells(Box<ColumnReader<CellBuilder<'static>>>),
    Check(Box<ColumnReader<CheckBuilder<'static>>>),
    Rows(ColumnReader<RowBuilder<'static>>),
    Last(ColumnReader<LastRecords>),
}

/// Does the same to whichever reader it is.
macro_rules! each {
    ($reader:expr, $name:ident => $does:expr) => {
        match $reader {
            Reader::Cells($name) => $does,
            Reader::Check($name) => $does,
            Reader::Rows($name) => $does,
            Reader::Last($name) => $does,
        }
    };
}

#[pyclass(name = "ColumnRead", frozen, get_all)]
struct PyColumnRead {
    rows: Py<PyBytes>,
    anchors: Py<PyBytes>,
    last: Vec<TailRecord>,
    order: Option<Py<PyTimeOrder>>,
    records: u64,
    bytes: u64,
    position: i64,
    unexplained: Vec<(i64, i64)>,
    unexplained_total: u64,
}

#[pyclass(name = "ColumnSlice")]
struct PyColumnSlice {
    reader: Option<Reader>,
    packed: Packed,
    progress: Option<Py<PyProgress>>,
}

impl PyColumnSlice {
    fn new(reader: Reader, progress: Option<Py<PyProgress>>) -> Self {
        Self { reader: Some(reader), packed: Packed::default(), progress }
    }

    fn reader(&mut self) -> PyResult<&mut Reader> {
        self.reader.as_mut().ok_or_else(|| PyRuntimeError::new_err("the slice is finished"))
    }

    fn count(&self, records: u64, bytes: u64, offsets: i64) {
        if let Some(progress) = &self.progress {
            let counters = &progress.get().0;
            counters.records.fetch_add(records, Ordering::Relaxed);
            counters.bytes.fetch_add(bytes, Ordering::Relaxed);
            counters.offsets.fetch_add(offsets.max(0).unsigned_abs(), Ordering::Relaxed);
        }
    }
}

fn check_range(start: i64, stop: i64) -> PyResult<()> {
    if start < 0 || stop < start {
        return Err(PyValueError::new_err(format!("[{start}, {stop}) is no range of offsets")));
    }
    Ok(())
}

fn columns_error(error: ColumnsError) -> PyErr {
    PyValueError::new_err(error.to_string())
}

#[pymethods]
impl PyColumnSlice {
    #[staticmethod]
    #[pyo3(signature = (*, start, stop, checkpoints, progress))]
    fn cells(start: i64, stop: i64, checkpoints: Vec<i64>, progress: Py<PyProgress>) -> PyResult<Self> {
        check_range(start, stop)?;
        let builder = CellBuilder::new(&PROFILE, start, &checkpoints);
        Ok(Self::new(Reader::Cells(Box::new(ColumnReader::new(start, stop, builder))), Some(progress)))
    }

    #[staticmethod]
    #[pyo3(signature = (*, start, stop, progress))]
    fn check(start: i64, stop: i64, progress: Py<PyProgress>) -> PyResult<Self> {
        check_range(start, stop)?;
        let builder = CheckBuilder::new(&PROFILE, start);
        Ok(Self::new(Reader::Check(Box::new(ColumnReader::new(start, stop, builder))), Some(progress)))
    }

    #[staticmethod]
    #[pyo3(signature = (*, start, stop, limit))]
    fn row_table(start: i64, stop: i64, limit: usize) -> PyResult<Self> {
        check_range(start, stop)?;
        let builder = RowBuilder::new(&PROFILE, start, limit);
        Ok(Self::new(Reader::Rows(ColumnReader::new(start, stop, builder)), None))
    }

    #[staticmethod]
    #[pyo3(signature = (*, start, stop, limit, value_limit_bytes))]
    fn last_records(start: i64, stop: i64, limit: usize, value_limit_bytes: usize) -> PyResult<Self> {
        check_range(start, stop)?;
        let last = LastRecords { kept: VecDeque::new(), limit, value_limit_bytes, records: 0 };
        Ok(Self::new(Reader::Last(ColumnReader::new(start, stop, last)), None))
    }

    #[getter]
    fn position(&mut self) -> PyResult<i64> {
        Ok(each!(self.reader()?, reader => reader.position()))
    }

    #[pyo3(signature = (*, offsets, timestamps, keys, values, headers))]
    fn push(
        &mut self,
        py: Python<'_>,
        offsets: &Bound<'_, PyAny>,
        timestamps: &Bound<'_, PyAny>,
        keys: &Bound<'_, PyAny>,
        values: &Bound<'_, PyAny>,
        headers: &Bound<'_, PyAny>,
    ) -> PyResult<u64> {
        let packed = &mut self.packed;
        packed.clear();
        let undelivered = packed.pack_headers(&headers.try_iter()?);
        let records = packed.header_counts.len();
        for offset in offsets.try_iter()?.take(records) {
            packed.offsets.push(offset?.extract()?);
        }
        packed.pack_timestamps(timestamps.try_iter()?, records)?;
        for (objects, bytes) in [(keys, &mut packed.keys), (values, &mut packed.values)] {
            for object in objects.try_iter()?.take(records) {
                bytes.push_object(&object?)?;
            }
        }
        let reader = self.reader.as_mut().ok_or_else(|| PyRuntimeError::new_err("the slice is finished"))?;
        let columns = self.packed.columns();
        let (before, after) = py
            .detach(|| {
                let before = each!(reader, reader => reader.position());
                let result = each!(reader, reader => reader.push(&columns));
                result.map(|()| (before, each!(reader, reader => reader.position())))
            })
            .map_err(columns_error)?;
        let payloads =
            [&self.packed.keys, &self.packed.values, &self.packed.header_names, &self.packed.header_values];
        let bytes = payloads.iter().map(|bytes| bytes.payload.len() as u64).sum();
        self.count(records as u64, bytes, after - before);
        match undelivered {
            Some(error) => Err(error),
            None => Ok(bytes),
        }
    }

    #[pyo3(signature = (*, offset))]
    fn skip_to(&mut self, offset: i64) -> PyResult<()> {
        let (before, after) = each!(self.reader()?, reader => {
            let before = reader.position();
            reader.skip_to(offset);
            (before, reader.position())
        });
        self.count(0, 0, after - before);
        Ok(())
    }

    fn finish(&mut self, py: Python<'_>) -> PyResult<PyColumnRead> {
        let reader = self.reader.take().ok_or_else(|| PyRuntimeError::new_err("the slice is finished"))?;
        let read = |rows: &[u8], anchors: &[u8], last, records, stats: StreamStats, position| PyColumnRead {
            rows: PyBytes::new(py, rows).unbind(),
            anchors: PyBytes::new(py, anchors).unbind(),
            last,
            order: None,
            records,
            bytes: stats.bytes,
            position,
            unexplained: stats.unexplained,
            unexplained_total: stats.unexplained_total,
        };
        Ok(match reader {
            Reader::Cells(reader) => {
                let (builder, stats, position) = reader.finish();
                let records = builder.records();
                let (cells, anchors) = builder.finish();
                read(&cells, &anchors, Vec::new(), records, stats, position)
            }
            Reader::Check(reader) => {
                let (builder, stats, position) = reader.finish();
                let records = builder.records();
                let (cells, order) = builder.finish();
                let order = Some(Py::new(py, PyTimeOrder::from(order))?);
                PyColumnRead { order, ..read(&cells, &[], Vec::new(), records, stats, position) }
            }
            Reader::Rows(reader) => {
                let (builder, stats, position) = reader.finish();
                let records = builder.records();
                read(&builder.finish(), &[], Vec::new(), records, stats, position)
            }
            Reader::Last(reader) => {
                let (last, stats, position) = reader.finish();
                let records = last.records;
                read(&[], &[], last.kept.into(), records, stats, position)
            }
        })
    }
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<PyColumnRead>()?;
    module.add_class::<PyColumnSlice>()
}
