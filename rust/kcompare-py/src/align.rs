//! `align`, and the lanes that hold a second reading to the first.

use kcompare_core::compare::{
    LogDigest, OffsetAlignment, Place, Relation, Selection, Stretch, align_by_offset, align_by_ordinal,
    relate_offsets,
};
use kcompare_core::digest::{Lanes, LayoutError, Profile, read_rows};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

pub(crate) fn layout(error: LayoutError) -> PyErr {
    PyValueError::new_err(error.to_string())
}

#[pyclass(name = "Stretch", frozen, get_all)]
struct PyStretch {
    left: (i64, i64),
    right: (i64, i64),
    left_records: u64,
    right_records: u64,
}

impl From<&Stretch> for PyStretch {
    fn from(stretch: &Stretch) -> Self {
        let Stretch { left, right, left_records, right_records } = *stretch;
        Self { left, right, left_records, right_records }
    }
}

#[pyclass(name = "OffsetAlignment", frozen, get_all)]
struct PyOffsetAlignment {
    common: (i64, i64),
    left_records: (u64, u64, u64),
    right_records: (u64, u64, u64),
    matched: u64,
    dirty: Vec<Py<PyStretch>>,
}

impl PyOffsetAlignment {
    fn new(py: Python<'_>, found: &OffsetAlignment) -> PyResult<Py<Self>> {
        let dirty: PyResult<Vec<_>> =
            found.dirty.iter().map(|stretch| Py::new(py, PyStretch::from(stretch))).collect();
        let [left_below, left_in, left_past] = found.left_records;
        let [right_below, right_in, right_past] = found.right_records;
        Py::new(
            py,
            Self {
                common: found.common,
                left_records: (left_below, left_in, left_past),
                right_records: (right_below, right_in, right_past),
                matched: found.matched,
                dirty: dirty?,
            },
        )
    }
}

#[pyclass(name = "Alignment", frozen, get_all)]
struct PyAlignment {
    equal: bool,
    relation: Option<&'static str>,
    shift: Option<i64>,
    left_records: u64,
    right_records: u64,
    by_offset: Option<Py<PyOffsetAlignment>>,
    prefix: (i64, i64, u64),
    differs_before: Option<(i64, i64, u64)>,
    suffix: (i64, i64, u64),
}

fn triple(place: Place) -> (i64, i64, u64) {
    (place.left, place.right, place.records)
}

#[pyfunction]
#[pyo3(signature = (*, left_cells, left_anchors, left_start, right_cells, right_anchors, right_start, timestamps, offsets))]
#[expect(clippy::too_many_arguments, reason = "two sides of a table and what to compare, all by keyword")]
fn align(
    py: Python<'_>,
    left_cells: &[u8],
    left_anchors: &[u8],
    left_start: i64,
    right_cells: &[u8],
    right_anchors: &[u8],
    right_start: i64,
    timestamps: bool,
    offsets: bool,
) -> PyResult<PyAlignment> {
    let (profile, selection) = (Profile::default(), Selection { timestamps, offsets });
    let base = profile.base();
    let (left, right, by_offset, by_ordinal) = py
        .detach(|| {
            let left = LogDigest::new(left_cells, left_anchors, left_start, base)?;
            let right = LogDigest::new(right_cells, right_anchors, right_start, base)?;
            let by_offset = align_by_offset(&left, &right, selection, base);
            let by_ordinal = align_by_ordinal(&left, &right, selection, base);
            Ok((left, right, by_offset, by_ordinal))
        })
        .map_err(layout)?;
    let equal = selection.same(&left.whole(), &right.whole());
    let (relation, shift) = match (equal, left.first_offset(), right.first_offset()) {
        (true, Some(first), Some(other)) => {
            match relate_offsets(&left.whole(), first, &right.whole(), other, base) {
                Relation::Identical => (Some("identical"), Some(0)),
                Relation::Shifted(shift) => (Some("shifted"), Some(shift)),
                Relation::Mapped => (Some("mapped"), None),
            }
        }
        _ => (None, None),
    };
    Ok(PyAlignment {
        equal,
        relation,
        shift,
        left_records: left.whole().count,
        right_records: right.whole().count,
        by_offset: by_offset.as_ref().map(|found| PyOffsetAlignment::new(py, found)).transpose()?,
        prefix: triple(by_ordinal.prefix),
        differs_before: by_ordinal.differs_before.map(triple),
        suffix: triple(by_ordinal.suffix),
    })
}

fn pack<'py>(py: Python<'py>, lanes: &Lanes) -> Bound<'py, PyBytes> {
    let mut bytes = lanes.count.to_le_bytes().to_vec();
    for lane in [lanes.content, lanes.timestamps, lanes.offsets, lanes.sum_content, lanes.sum_joint] {
        bytes.extend_from_slice(&lane.to_le_bytes());
    }
    PyBytes::new(py, &bytes)
}

fn unpack(bytes: &[u8]) -> PyResult<Lanes> {
    let mut lane = [0_u128; 5];
    let wrong = || PyValueError::new_err(format!("{} bytes are no lanes", bytes.len()));
    let (count, rest) = bytes.split_first_chunk::<8>().ok_or_else(wrong)?;
    let (chunks, left) = rest.as_chunks::<16>();
    if chunks.len() != lane.len() || !left.is_empty() {
        return Err(wrong());
    }
    for (slot, chunk) in lane.iter_mut().zip(chunks) {
        *slot = u128::from_le_bytes(*chunk);
    }
    let [content, timestamps, offsets, sum_content, sum_joint] = lane;
    Ok(Lanes { count: u64::from_le_bytes(*count), content, timestamps, offsets, sum_content, sum_joint })
}

#[pyfunction]
#[pyo3(signature = (*, cells, anchors, start, offset))]
fn prefix_lanes<'py>(
    py: Python<'py>,
    cells: &[u8],
    anchors: &[u8],
    start: i64,
    offset: i64,
) -> PyResult<Option<Bound<'py, PyBytes>>> {
    let log = LogDigest::new(cells, anchors, start, Profile::default().base()).map_err(layout)?;
    Ok(log.at_offset(offset).map(|checkpoint| pack(py, &checkpoint.lanes)))
}

#[pyfunction]
#[pyo3(signature = (*, lanes, rows))]
fn extend_lanes<'py>(py: Python<'py>, lanes: Option<&[u8]>, rows: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
    let profile = Profile::default();
    let before = lanes.map(unpack).transpose()?.unwrap_or_default();
    let rows = read_rows(rows).map_err(layout)?;
    let after = rows.iter().fold(before, |lanes, row| lanes.concat(&row.lanes(&profile), profile.base()));
    Ok(pack(py, &after))
}

#[pyfunction]
#[pyo3(signature = (*, left, right))]
fn concat_lanes<'py>(py: Python<'py>, left: &[u8], right: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
    Ok(pack(py, &unpack(left)?.concat(&unpack(right)?, Profile::default().base())))
}

#[pyfunction]
#[pyo3(signature = (*, left, right, timestamps, offsets))]
fn same_lanes(left: &[u8], right: &[u8], timestamps: bool, offsets: bool) -> PyResult<bool> {
    Ok(Selection { timestamps, offsets }.same(&unpack(left)?, &unpack(right)?))
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<PyStretch>()?;
    module.add_class::<PyOffsetAlignment>()?;
    module.add_class::<PyAlignment>()?;
    module.add_function(wrap_pyfunction!(align, module)?)?;
    module.add_function(wrap_pyfunction!(prefix_lanes, module)?)?;
    module.add_function(wrap_pyfunction!(extend_lanes, module)?)?;
    module.add_function(wrap_pyfunction!(concat_lanes, module)?)?;
    module.add_function(wrap_pyfunction!(same_lanes, module)?)
}
