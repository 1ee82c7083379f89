//! Log directories that a test writes, and what came out of reading them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use kcompare_core::digest::{Gap, IsolationLevel, RecordConsumer, SliceReader, SliceSpec, Unread};
use kcompare_core::records::{BatchBuilder, ControlRecordType, RecordView};
use kcompare_io::budget::MemoryBudget;
use kcompare_io::cancel::CancelToken;
use kcompare_io::logdir::{LogDirError, LogDirs, PartitionLog, ReadEnd, ReadRange};
use kcompare_io::slice::{SliceSink, output_share};
use kcompare_io::wire;

pub use IsolationLevel::{ReadCommitted, ReadUncommitted};

static NUMBER: AtomicU64 = AtomicU64::new(0);

/// A directory that goes away with the test.
pub struct Scratch(pub PathBuf);

impl Scratch {
    pub fn new() -> Self {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("kcompare-logdir-{}-{number}", process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A log directory with one partition, `t-0`, unless a test adds more.
pub struct Dir {
    pub root: PathBuf,
    _scratch: Scratch,
}

impl Dir {
    /// With meta.properties and a recovery point of 0.
    pub fn new() -> Self {
        let scratch = Scratch::new();
        let dir = Self { root: scratch.0.join("data"), _scratch: scratch };
        fs::create_dir_all(dir.partition()).unwrap();
        dir.write("meta.properties", "#\nversion=1\ncluster.id=c\nnode.id=1\ndirectory.id=d\n");
        dir.recovery_point(0);
        dir
    }

    pub fn partition(&self) -> PathBuf {
        self.root.join("t-0")
    }

    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.root.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub fn checkpoint(&self, name: &str, offset: i64) {
        self.write(&format!("{name}-offset-checkpoint"), format!("0\n1\nt 0 {offset}\n"));
    }

    pub fn recovery_point(&self, offset: i64) {
        self.checkpoint("recovery-point", offset);
    }

    pub fn clean_shutdown(&self) {
        self.write(".kafka_cleanshutdown", "{\"version\":0,\"brokerEpoch\":7}");
    }

    pub fn segment_path(&self, base: i64) -> PathBuf {
        self.partition().join(format!("{base:020}.log"))
    }

    /// Writes a segment file.
    pub fn segment(&self, base: i64, batches: &[Vec<u8>]) {
        fs::write(self.segment_path(base), batches.concat()).unwrap();
    }

    pub fn dirs(&self) -> LogDirs {
        LogDirs::open(std::slice::from_ref(&self.root), None).unwrap()
    }

    pub fn log(&self) -> Arc<PartitionLog> {
        self.try_log().unwrap()
    }

    pub fn try_log(&self) -> Result<Arc<PartitionLog>, LogDirError> {
        self.dirs().partition("t", 0, &CancelToken::new())
    }
}

/// A batch of `count` records that say which they are.
pub fn batch(base: i64, count: i64) -> Vec<u8> {
    with(BatchBuilder::new(base), base, count)
}

/// The same with settings.
pub fn with(mut builder: BatchBuilder, base: i64, count: i64) -> Vec<u8> {
    for offset in base..base + count {
        builder.append(1000 + offset, Some(b"key"), Some(value(offset).as_bytes())).unwrap();
    }
    builder.build().unwrap()
}

/// A batch of a transaction.
pub fn transactional(base: i64, count: i64, producer: i64) -> Vec<u8> {
    with(BatchBuilder::new(base).producer(producer, 0, 0).transactional(), base, count)
}

/// A marker.
pub fn marker(base: i64, producer: i64, kind: ControlRecordType) -> Vec<u8> {
    let mut builder = BatchBuilder::new(base).producer(producer, 0, -1).transactional().control();
    builder.append(1000 + base, Some(&kind.to_key()), Some(&[0, 0, 0, 0, 0, 0])).unwrap();
    builder.build().unwrap()
}

pub const ABORT: ControlRecordType = ControlRecordType::Abort;
pub const COMMIT: ControlRecordType = ControlRecordType::Commit;

pub fn value(offset: i64) -> String {
    format!("value of offset {offset}")
}

/// Three batches of ten records in each segment, from `base` on.
pub fn thirty(base: i64) -> Vec<Vec<u8>> {
    (0..3).map(|place| batch(base + place * 10, 10)).collect()
}

/// What came out of a read.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Out {
    /// Values by offset.
    pub records: BTreeMap<i64, String>,
    /// Offsets of aborted records.
    pub aborted: Vec<i64>,
    /// Gaps but for unread ones.
    pub gaps: Vec<(i64, i64, Gap)>,
    position: i64,
}

impl RecordConsumer for Out {
    fn batch(&mut self, _log_append_time: bool) {}

    fn record(&mut self, record: &RecordView<'_>) {
        assert_eq!(record.offset, self.position);
        let value = String::from_utf8(record.value.unwrap().to_vec()).unwrap();
        self.records.insert(record.offset, value);
        self.position += 1;
    }

    fn aborted(&mut self, record: &RecordView<'_>) {
        assert_eq!(record.offset, self.position);
        self.aborted.push(record.offset);
        self.position += 1;
    }

    fn gap(&mut self, stop: i64, gap: Gap) {
        if stop <= self.position {
            return;
        }
        self.gaps.push((self.position, stop, gap));
        self.position = stop;
    }
}

#[derive(Debug)]
pub struct Read {
    pub out: Out,
    pub unread: Vec<Unread>,
    /// The first offset that no batch accounted for.
    pub reached: i64,
    pub end: ReadEnd,
    pub position: i64,
}

impl Read {
    /// Offsets of the records.
    pub fn offsets(&self) -> Vec<i64> {
        self.out.records.keys().copied().collect()
    }

    /// Start, stop and word of what could not be read.
    pub fn unread(&self) -> Vec<(i64, i64, &'static str)> {
        self.unread.iter().map(|one| (one.start, one.stop, one.reason.name())).collect()
    }
}

pub fn budget() -> MemoryBudget {
    MemoryBudget::new(8 << 20, 1)
}

/// Reads a range through the slice reader.
pub fn read(log: &PartitionLog, start: i64, stop: i64, level: IsolationLevel) -> Read {
    read_within(log, start, stop, level, &budget())
}

pub fn read_within(
    log: &PartitionLog,
    start: i64,
    stop: i64,
    level: IsolationLevel,
    budget: &MemoryBudget,
) -> Read {
    let spec = SliceSpec { start, stop, isolation_level: level };
    let consumer = Out { position: start, ..Out::default() };
    let cancel = CancelToken::new();
    let reader = SliceReader::new(spec, consumer, output_share(budget));
    let mut sink = SliceSink::new(reader, budget, &cancel, |_| ());
    let isolation_level = match level {
        ReadCommitted => wire::IsolationLevel::ReadCommitted,
        ReadUncommitted => wire::IsolationLevel::ReadUncommitted,
    };
    let outcome = log.read(ReadRange { start, stop, isolation_level }, &mut sink, budget, &cancel).unwrap();
    let (out, stats, reached) = sink.finish();
    for (offset, found) in &out.records {
        assert_eq!(*found, value(*offset), "a record is where it was written");
    }
    Read { out, unread: stats.unread, reached, end: outcome.end, position: outcome.position }
}

/// Reads everything that is planned.
pub fn read_all(log: &PartitionLog, level: IsolationLevel) -> Read {
    read(log, log.bounds().log_start_offset, log.bounds().log_end_offset, level)
}

/// Name, size, modification time and content of every file below a directory.
pub fn snapshot(path: &Path) -> Vec<(PathBuf, u64, SystemTime, Vec<u8>)> {
    let mut all = Vec::new();
    for entry in fs::read_dir(path).unwrap() {
        let path = entry.unwrap().path();
        let metadata = fs::metadata(&path).unwrap();
        if metadata.is_dir() {
            all.push((path.clone(), 0, metadata.modified().unwrap(), Vec::new()));
            all.extend(snapshot(&path));
        } else {
            let content = fs::read(&path).unwrap();
            all.push((path, metadata.len(), metadata.modified().unwrap(), content));
        }
    }
    all.sort();
    all
}
