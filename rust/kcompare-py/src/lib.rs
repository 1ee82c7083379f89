//! The Python binding: one file per verb, no logic. Its reference is `python/kcompare/_native.pyi`.

#![deny(unsafe_code)]
#![allow(
    clippy::needless_pass_by_value,
    clippy::fn_params_excessive_bools,
    reason = "PyO3 hands arguments over by value, and on the Python side every flag has its keyword"
)]

mod align;
mod check;
mod cluster;
mod columns;
mod control;
mod diff;
mod errors;
mod logdir;
mod logdir_read;
mod names;
mod read;
mod serve;
mod serve_directories;
mod start;

use kcompare_core::digest::{
    ANCHOR_BYTES, CELL_BYTES, CELL_OFFSETS, DEFAULT_SEED, DIGEST_VERSION, ROW_BYTES,
};
use pyo3::prelude::*;

#[pymodule(gil_used = false)]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add("DEBUG_BUILD", cfg!(debug_assertions))?;
    module.add("CELL_BYTES", CELL_BYTES)?;
    module.add("ANCHOR_BYTES", ANCHOR_BYTES)?;
    module.add("ROW_BYTES", ROW_BYTES)?;
    module.add("CELL_OFFSETS", CELL_OFFSETS)?;
    module.add("DIGEST_VERSION", DIGEST_VERSION)?;
    module.add("DEFAULT_SEED", DEFAULT_SEED)?;
    control::register(module)?;
    cluster::register(module)?;
    read::register(module)?;
    check::register(module)?;
    columns::register(module)?;
    align::register(module)?;
    diff::register(module)?;
    names::register(module)?;
    serve::register(module)?;
    serve_directories::register(module)?;
    start::register(module)?;
    logdir::register(module)
}
