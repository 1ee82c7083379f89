//! `NamePattern`: which topic names a pattern chooses, in time linear in the name whatever the pattern is.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use regex::bytes::{Regex, RegexBuilder};

/// What a compiled pattern may take. Matching takes steps by its size times the name's 249 characters.
const SIZE_LIMIT: usize = 256 << 10;

/// A pattern that has to match a whole name. An automaton decides, so there is no backtracking to explode.
#[pyclass(name = "NamePattern", frozen)]
struct PyNamePattern(Regex);

/// The reason in one line: the crate draws the pattern with marks below it.
fn reason(error: &regex::Error) -> String {
    match error {
        regex::Error::CompiledTooBig(limit) => format!("it needs more than {limit} bytes to be matched"),
        other => {
            let text = other.to_string();
            let last = text.lines().last().unwrap_or_default();
            last.trim_start_matches("error: ").to_owned()
        }
    }
}

fn compiled(pattern: &str) -> Result<Regex, regex::Error> {
    // Topic names are ASCII, and classes of all of Unicode are large.
    let build = |text: &str| RegexBuilder::new(text).unicode(false).size_limit(SIZE_LIMIT).build();
    // By itself first: `a)|(b` is no pattern, and would be one inside a group.
    build(pattern)?;
    build(&format!(r"\A(?:{pattern})\z"))
}

#[pymethods]
impl PyNamePattern {
    #[new]
    #[pyo3(signature = (*, pattern))]
    fn new(pattern: &str) -> PyResult<Self> {
        compiled(pattern).map(Self).map_err(|error| PyValueError::new_err(reason(&error)))
    }

    /// The groups of a whole match, the match itself first; None where the name does not match.
    #[pyo3(signature = (*, name))]
    fn groups(&self, py: Python<'_>, name: &str) -> Option<Vec<Option<String>>> {
        let text = |found: regex::bytes::Match<'_>| String::from_utf8_lossy(found.as_bytes()).into_owned();
        py.detach(|| {
            let captures = self.0.captures(name.as_bytes())?;
            Some(captures.iter().map(|group| group.map(text)).collect())
        })
    }

    /// How many groups the pattern has, without the whole match.
    #[getter]
    fn group_count(&self) -> usize {
        self.0.captures_len() - 1
    }
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<PyNamePattern>()
}
