//! Segment files that are open for those who fetch from them: never more than a few, however many segments there are.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use super::piece::ReadAt;
use crate::logdir::Segment;

/// So many files stay open. A connection holds one more while it reads from it.
const LIMIT: usize = 64;

/// Device and inode.
type Identity = (u64, u64);

/// Open files, the one that was used last in front.
#[derive(Debug, Default)]
pub(super) struct OpenFiles {
    open: Mutex<VecDeque<(Identity, Arc<File>)>>,
}

/// A segment file that is opened when it is read.
#[derive(Debug)]
pub(super) struct SegmentReader {
    path: PathBuf,
    device: u64,
    inode: u64,
    files: Arc<OpenFiles>,
}

impl SegmentReader {
    pub(super) fn new(segment: &Segment, files: &Arc<OpenFiles>) -> Self {
        let Segment { path, device, inode, .. } = segment.clone();
        Self { path, device, inode, files: Arc::clone(files) }
    }

    /// The file that was there when its directory was listed. Another one of the same name is an error.
    fn file(&self) -> io::Result<Arc<File>> {
        let identity = (self.device, self.inode);
        let mut open = self.files.open.lock().unwrap_or_else(PoisonError::into_inner);
        let found = open.iter().position(|(held, _)| *held == identity).and_then(|place| open.remove(place));
        let file = if let Some((_, file)) = found {
            file
        } else {
            let file = File::open(&self.path)?;
            let metadata = file.metadata()?;
            if (metadata.dev(), metadata.ino()) != identity {
                let why = format!("another file has taken the place of {}", self.path.display());
                return Err(io::Error::new(io::ErrorKind::NotFound, why));
            }
            Arc::new(file)
        };
        open.push_front((identity, Arc::clone(&file)));
        open.truncate(LIMIT);
        Ok(file)
    }
}

impl ReadAt for SegmentReader {
    fn read_exact_at(&self, buffer: &mut [u8], position: u64) -> io::Result<()> {
        self.file()?.read_exact_at(buffer, position)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn reader(path: PathBuf, files: &Arc<OpenFiles>) -> SegmentReader {
        let metadata = fs::metadata(&path).unwrap();
        let (device, inode) = (metadata.dev(), metadata.ino());
        SegmentReader::new(&Segment { base_offset: 0, path, size: metadata.len(), device, inode }, files)
    }

    #[test]
    fn few_files_are_open_however_many_are_read() {
        let root = std::env::temp_dir().join(format!("kcompare-open-files-{}", std::process::id()));
        fs::create_dir_all(&root).unwrap();
        let files = Arc::new(OpenFiles::default());
        let mut readers = Vec::new();
        for number in 0..LIMIT + 10 {
            let path = root.join(number.to_string());
            fs::write(&path, [number as u8; 4]).unwrap();
            readers.push(reader(path, &files));
        }
        let mut buffer = [0; 4];
        for _ in 0..2 {
            for (number, reader) in readers.iter().enumerate() {
                reader.read_exact_at(&mut buffer, 0).unwrap();
                assert_eq!(buffer, [number as u8; 4]);
                assert!(files.open.lock().unwrap().len() <= LIMIT);
            }
        }
        // What was read last is open still; what was read first is not, and another file is in its place now.
        for number in [0, LIMIT + 9] {
            fs::rename(root.join("1"), root.join(number.to_string())).unwrap();
            fs::write(root.join("1"), "more").unwrap();
        }
        assert!(readers[LIMIT + 9].read_exact_at(&mut buffer, 0).is_ok());
        assert!(readers[0].read_exact_at(&mut buffer, 0).is_err());
        assert!(readers[2].read_exact_at(&mut buffer, 1).is_err(), "there are four bytes, not five");
        fs::remove_dir_all(root).unwrap();
    }
}
