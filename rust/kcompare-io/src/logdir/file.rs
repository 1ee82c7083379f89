//! Segment files, read at explicit positions.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;

use super::error::LogDirError;
use super::segments::Segment;
use crate::cancel::CancelToken;
use crate::rate::RateLimit;

/// One segment file, open for reading.
#[derive(Debug)]
pub(super) struct SegmentFile<'a> {
    file: File,
    path: &'a Path,
    /// The size that it had when the directory was listed; what was appended since is not part of the log.
    size: u64,
    rate: Option<&'a RateLimit>,
    cancel: &'a CancelToken,
}

impl<'a> SegmentFile<'a> {
    /// Opens a segment. A file that took the place of the one that was listed is an error.
    pub(super) fn open(
        segment: &'a Segment,
        rate: Option<&'a RateLimit>,
        cancel: &'a CancelToken,
    ) -> Result<Self, LogDirError> {
        cancel.check()?;
        let path = segment.path.as_path();
        let failed = |error: io::Error| LogDirError::io(path, &error);
        let file = File::open(path).map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        if (metadata.dev(), metadata.ino()) != (segment.device, segment.inode) {
            return Err(changed(path, "another file has taken its place since the directory was listed"));
        }
        Ok(Self { file, path, size: segment.size, rate, cancel })
    }

    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// Fills `out` from `position` on, which must lie within the size.
    pub(super) fn read(&self, out: &mut [u8], position: u64) -> Result<(), LogDirError> {
        self.cancel.check()?;
        if let Some(rate) = self.rate {
            rate.take(out.len() as u64, self.cancel)?;
        }
        let mut filled = 0;
        while filled < out.len() {
            match self.file.read_at(&mut out[filled..], position + filled as u64) {
                Ok(0) => {
                    let end = position + filled as u64;
                    return Err(changed(
                        self.path,
                        &format!(
                            "it ends at byte {end} and had {} bytes when the directory was listed",
                            self.size
                        ),
                    ));
                }
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(LogDirError::io(self.path, &error)),
            }
        }
        Ok(())
    }
}

fn changed(path: &Path, detail: &str) -> LogDirError {
    LogDirError::Io { path: path.to_owned(), kind: io::ErrorKind::UnexpectedEof, detail: detail.to_owned() }
}
