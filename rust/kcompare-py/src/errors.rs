//! The one place where Rust errors become Python exceptions: the tree is that of `kcompare.errors`.

use kcompare_io::error::{ErrorKind, WireError};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

/// The exception of `kcompare.errors` that a failed request stands for.
pub(crate) fn wire_error(py: Python<'_>, error: &WireError) -> PyErr {
    let class = match error.kind() {
        ErrorKind::Unreachable | ErrorKind::TimedOut => "UnreachableError",
        ErrorKind::AuthenticationRefused | ErrorKind::AuthorizationRefused => "RefusedError",
        ErrorKind::Cancelled => "InterruptedRunError",
        ErrorKind::Unsupported => "UnsupportedError",
        ErrorKind::Protocol => "ProtocolError",
        ErrorKind::Broker => "SourceError",
    };
    let raised = py
        .import("kcompare.errors")
        .and_then(|errors| errors.getattr(class))
        .and_then(|class| class.call1((error.to_string(),)));
    match raised {
        Ok(exception) => PyErr::from_value(exception),
        Err(_) => PyRuntimeError::new_err(error.to_string()),
    }
}
