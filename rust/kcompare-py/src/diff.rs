//! `common_rows` and `diff_rows`: the records of a stretch, compared one by one.

use crate::align::layout;
use kcompare_core::compare::{Run, RunKind, Selection, Tables, classify, diff_by_content, diff_by_offset};
use kcompare_core::digest::read_rows;
use pyo3::prelude::*;

#[pyclass(name = "Run", frozen, get_all)]
struct PyRun {
    kind: &'static str,
    left: (usize, usize),
    right: (usize, usize),
    records: u64,
    fields: Vec<&'static str>,
    alone: bool,
}

impl From<Run> for PyRun {
    fn from(run: Run) -> Self {
        let kind = match run.kind {
            RunKind::Duplicated => "duplicated",
            RunKind::Reordered => "reordered",
            RunKind::Changed => "changed",
            RunKind::Forked => "forked",
            RunKind::OnlyLeft => "only_left",
            RunKind::OnlyRight => "only_right",
            RunKind::Unclassified => "unclassified",
        };
        let names = [(1, "key"), (2, "value"), (4, "headers"), (8, "timestamp"), (16, "offset")];
        Self {
            kind,
            left: (run.left.start, run.left.end),
            right: (run.right.start, run.right.end),
            records: run.records,
            fields: names.iter().filter(|(bit, _)| run.fields & bit != 0).map(|(_, name)| *name).collect(),
            alone: run.alone,
        }
    }
}

#[pyfunction]
#[pyo3(signature = (*, left_rows, right_rows, timestamps, offsets))]
fn common_rows(left_rows: &[u8], right_rows: &[u8], timestamps: bool, offsets: bool) -> PyResult<usize> {
    let selection = Selection { timestamps, offsets };
    let (left, right) = (read_rows(left_rows).map_err(layout)?, read_rows(right_rows).map_err(layout)?);
    Ok(left.iter().zip(&right).take_while(|(a, b)| selection.same_record(a, b)).count())
}

#[pyfunction]
#[pyo3(signature = (*, left_rows, right_rows, timestamps, offsets, by_offset, to_the_end, epoch_starts, limit))]
#[expect(clippy::too_many_arguments, reason = "two tables and what is known of them, all by keyword")]
fn diff_rows(
    py: Python<'_>,
    left_rows: &[u8],
    right_rows: &[u8],
    timestamps: bool,
    offsets: bool,
    by_offset: bool,
    to_the_end: bool,
    epoch_starts: bool,
    limit: usize,
) -> PyResult<Option<Vec<PyRun>>> {
    let selection = Selection { timestamps, offsets };
    let (left, right) = (read_rows(left_rows).map_err(layout)?, read_rows(right_rows).map_err(layout)?);
    let runs = py.detach(|| {
        let hunks = if by_offset {
            diff_by_offset(&left, &right, selection)
        } else {
            // Where the rows go on to the ends, what one side has left there is its tail and no edit.
            diff_by_content(&left, &right, selection, limit, to_the_end)?
        };
        let tables = Tables { left: &left, right: &right, selection, by_offset, to_the_end, epoch_starts };
        Some(classify(&tables, &hunks))
    });
    Ok(runs.map(|runs| runs.into_iter().map(PyRun::from).collect()))
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<PyRun>()?;
    module.add_function(wrap_pyfunction!(common_rows, module)?)?;
    module.add_function(wrap_pyfunction!(diff_rows, module)?)
}
