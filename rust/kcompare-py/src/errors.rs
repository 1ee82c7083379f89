//! The one place where Rust errors become Python exceptions: the tree is that of `kcompare.errors`.

use kcompare_io::error::{ErrorKind, WireError};
use kcompare_io::logdir::LogDirError;
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
    raised(py, class, &error.to_string())
}

/// The exception that a log directory stands for: one that cannot be used as it was named, or cannot be read.
pub(crate) fn log_dir_error(py: Python<'_>, error: &LogDirError) -> PyErr {
    let class = match error {
        LogDirError::NotALogDir { .. }
        | LogDirError::DifferentNodes { .. }
        | LogDirError::TwoCopies { .. }
        | LogDirError::UnknownPartition { .. } => "UsageError",
        LogDirError::Malformed { .. } | LogDirError::Io { .. } => "SourceError",
        LogDirError::Cancelled => "InterruptedRunError",
    };
    raised(py, class, &error.to_string())
}

fn raised(py: Python<'_>, class: &str, message: &str) -> PyErr {
    let raised = py
        .import("kcompare.errors")
        .and_then(|errors| errors.getattr(class))
        .and_then(|class| class.call1((message,)));
    match raised {
        Ok(exception) => PyErr::from_value(exception),
        Err(_) => PyRuntimeError::new_err(message.to_owned()),
    }
}
