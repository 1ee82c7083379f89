//! The small text files of a broker: checkpoints, meta.properties, partition.metadata.
//!
//! None of them is trusted to be what a broker writes. A file that says something else is an error and counts as
//! unknown; nothing is guessed from the half of it that could be read.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::path::Path;

use super::error::LogDirError;
use crate::serve::EpochStart;

/// A broker with a hundred thousand partitions writes a few megabytes.
const LARGEST_CHECKPOINT: u64 = 32 << 20;
/// meta.properties and partition.metadata have some lines.
const LARGEST_PROPERTIES: u64 = 64 << 10;
/// Bytes of a file that an error shows.
const SHOWN: usize = 60;

/// Offsets by topic and partition, as the `*-offset-checkpoint` files of a log directory have them.
pub(super) type Offsets = HashMap<(String, i32), i64>;

/// What `meta.properties` says of a log directory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(clippy::struct_field_names, reason = "the names are those of the file")]
pub(super) struct Meta {
    pub(super) cluster_id: Option<String>,
    pub(super) node_id: Option<i32>,
    pub(super) directory_id: Option<String>,
}

/// The text of a file, `None` where there is none.
fn text_of(path: &Path, limit: u64) -> Result<Option<String>, LogDirError> {
    // Before it is opened: to open a pipe waits for somebody who writes into it.
    let metadata = match fs::metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        found => found.map_err(|error| LogDirError::io(path, &error))?,
    };
    if !metadata.is_file() {
        return Err(LogDirError::malformed(path, "is no file"));
    }
    let file = File::open(path).map_err(|error| LogDirError::io(path, &error))?;
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes).map_err(|error| LogDirError::io(path, &error))?;
    if bytes.len() as u64 > limit {
        return Err(LogDirError::malformed(
            path,
            format!("is larger than {limit} bytes, which no broker writes"),
        ));
    }
    String::from_utf8(bytes)
        .map(Some)
        .map_err(|error| LogDirError::malformed(path, format!("is no text: {}", error.utf8_error())))
}

/// The lines of a checkpoint file: version, how many entries, one entry a line. An empty file is an empty list, as it
/// is for a broker.
fn entries<T>(
    path: &Path,
    parse: impl Fn(&[&str]) -> Option<T>,
    mut take: impl FnMut(T) -> bool,
) -> Result<bool, LogDirError> {
    let Some(text) = text_of(path, LARGEST_CHECKPOINT)? else {
        return Ok(false);
    };
    let mut lines = text.lines();
    let Some(version) = lines.next() else {
        return Ok(true);
    };
    if version != "0" {
        let detail = format!("begins with version {:?}, and only version 0 is known", shown(version));
        return Err(LogDirError::malformed(path, detail));
    }
    let count = lines
        .next()
        .and_then(|line| line.parse::<usize>().ok())
        .ok_or_else(|| LogDirError::malformed(path, "does not say in line 2 how many entries it has"))?;
    let mut seen = 0;
    for (line, number) in lines.zip(3_u64..) {
        let fields: Vec<&str> = line.split_ascii_whitespace().take(4).collect();
        let refuse =
            |what: &str| LogDirError::malformed(path, format!("{what} in line {number}: {:?}", shown(line)));
        let entry = parse(&fields).ok_or_else(|| refuse("holds no entry"))?;
        if !take(entry) {
            return Err(refuse("says two things, the second of them"));
        }
        seen += 1;
    }
    if seen != count {
        return Err(LogDirError::malformed(path, format!("announces {count} entries and holds {seen}")));
    }
    Ok(true)
}

fn shown(line: &str) -> &str {
    let end = (0..=SHOWN.min(line.len())).rev().find(|&end| line.is_char_boundary(end)).unwrap_or(0);
    &line[..end]
}

fn natural<T: std::str::FromStr + PartialOrd + Default>(field: &str) -> Option<T> {
    field.parse().ok().filter(|number| *number >= T::default())
}

/// Reads a file of offsets by topic and partition; `None` where there is none.
pub(super) fn read_offsets(path: &Path) -> Result<Option<Offsets>, LogDirError> {
    let mut offsets = Offsets::new();
    let parse = |fields: &[&str]| match fields {
        [topic, partition, offset] => {
            Some(((*topic).to_owned(), natural::<i32>(partition)?, natural::<i64>(offset)?))
        }
        _ => None,
    };
    let found = entries(path, parse, |(topic, partition, offset)| {
        offsets.insert((topic, partition), offset).is_none()
    })?;
    Ok(found.then_some(offsets))
}

/// Reads `leader-epoch-checkpoint`: epochs and the offsets at which they begin, both ascending; empty without one.
pub(super) fn read_epochs(path: &Path) -> Result<Vec<EpochStart>, LogDirError> {
    let mut epochs: Vec<EpochStart> = Vec::new();
    let parse = |fields: &[&str]| match fields {
        [epoch, offset] => Some(EpochStart { leader_epoch: natural(epoch)?, start_offset: natural(offset)? }),
        _ => None,
    };
    entries(path, parse, |entry| {
        // As a broker takes them in: a later line overrules what it contradicts.
        while epochs.last().is_some_and(|last| {
            last.leader_epoch >= entry.leader_epoch || last.start_offset >= entry.start_offset
        }) {
            epochs.pop();
        }
        epochs.push(entry);
        true
    })?;
    Ok(epochs)
}

/// Names and values of a Java properties file as brokers write them: no continuation lines, no escapes.
fn properties(path: &Path) -> Result<Option<HashMap<String, String>>, LogDirError> {
    let Some(text) = text_of(path, LARGEST_PROPERTIES)? else {
        return Ok(None);
    };
    let mut found = HashMap::new();
    for (line, number) in text.lines().zip(1_u64..) {
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', '!']) {
            continue;
        }
        let Some((name, value)) = line.split_once(['=', ':']) else {
            let detail = format!("holds no property in line {number}: {:?}", shown(line));
            return Err(LogDirError::malformed(path, detail));
        };
        // As in Java, the last one counts.
        found.insert(name.trim().to_owned(), value.trim().to_owned());
    }
    Ok(Some(found))
}

/// Reads `meta.properties`; `None` where there is none.
pub(super) fn read_meta(path: &Path) -> Result<Option<Meta>, LogDirError> {
    let Some(mut found) = properties(path)? else {
        return Ok(None);
    };
    // Version 0 calls it broker.id.
    let node_id = match found.remove("node.id").or_else(|| found.remove("broker.id")) {
        None => None,
        Some(text) => Some(natural(&text).ok_or_else(|| {
            LogDirError::malformed(path, format!("says node.id {:?}, which is no number", shown(&text)))
        })?),
    };
    Ok(Some(Meta {
        cluster_id: found.remove("cluster.id"),
        node_id,
        directory_id: found.remove("directory.id"),
    }))
}

/// Reads the topic id of `partition.metadata`; `None` where there is no such file (brokers before 2.8).
pub(super) fn read_topic_id(path: &Path) -> Result<Option<[u8; 16]>, LogDirError> {
    let Some(mut found) = properties(path)? else {
        return Ok(None);
    };
    let text = found.remove("topic_id").unwrap_or_default();
    // All zeros stand for no id, and a broker takes such a file for a broken one.
    let id = uuid(&text).filter(|id| *id != [0; 16]).ok_or_else(|| {
        LogDirError::malformed(path, format!("says topic_id {:?}, which is no topic id", shown(&text)))
    })?;
    Ok(Some(id))
}

/// 16 bytes from the 22 characters of URL-safe base64 without padding in which Kafka writes ids.
fn uuid(text: &str) -> Option<[u8; 16]> {
    if text.len() != 22 {
        return None;
    }
    let mut bits: u128 = 0;
    let mut rest = 0;
    for (byte, place) in text.bytes().zip(0..) {
        let six = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'-' => 62,
            b'_' => 63,
            _ => return None,
        };
        if place < 21 {
            bits = (bits << 6) | u128::from(six);
        } else {
            // The last character has two bits of the id; the other four are zero.
            bits = (bits << 2) | u128::from(six >> 4);
            rest = six & 0x0f;
        }
    }
    (rest == 0).then(|| bits.to_be_bytes())
}

#[cfg(test)]
#[path = "checkpoints_tests.rs"]
mod tests;
