//! Random logs, in random segments and log directories, against a model that does nothing clever: sound ones are read to
//! the record, damaged ones never give a record that is not there, and never keep quiet about one that they do not give.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use kcompare_core::digest::Gap;
use kcompare_core::records::{BatchBuilder, Codec, NewRecord};
use kcompare_io::cancel::CancelToken;
use kcompare_io::logdir::{LogDirs, PartitionLog};
use proptest::prelude::*;

use crate::support::*;

/// One step of a log.
#[derive(Debug, Clone)]
enum Step {
    /// A batch with as many records as there are flags; those that are false were compacted away.
    Data { kept: Vec<bool>, producer: Option<i64>, codec: Codec },
    /// The end of a transaction.
    Marker { producer: i64, abort: bool },
    /// Whole batches that were compacted away.
    Hole(i64),
    /// A new segment.
    Roll,
}

fn codec() -> impl Strategy<Value = Codec> {
    prop::sample::select(vec![Codec::None, Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd])
}

fn step(compacted: bool) -> impl Strategy<Value = Step> {
    let kept = prop::collection::vec(prop::bool::weighted(if compacted { 0.7 } else { 1.0 }), 1..6);
    let producer = prop::option::of(1..4_i64);
    prop_oneof![
        6 => (kept, producer, codec()).prop_map(|(kept, producer, codec)| Step::Data { kept, producer, codec }),
        3 => (1..4_i64, any::<bool>()).prop_map(|(producer, abort)| Step::Marker { producer, abort }),
        u32::from(compacted) => (1..9_i64).prop_map(Step::Hole),
        2 => Just(Step::Roll),
    ]
}

#[derive(Debug, Clone)]
struct Plan {
    start: i64,
    compacted: bool,
    steps: Vec<Step>,
    /// In which of the roots the partition is, and how many there are.
    root: usize,
    roots: usize,
}

fn plan() -> impl Strategy<Value = Plan> {
    let roots = (1..4_usize).prop_flat_map(|roots| (0..roots, Just(roots)));
    let steps = any::<bool>()
        .prop_flat_map(|compacted| (Just(compacted), prop::collection::vec(step(compacted), 0..40)));
    let start = prop_oneof![Just(0), Just(1), Just(70_000), Just(3_000_000_000_i64)];
    (start, steps, roots).prop_map(|(start, (compacted, steps), (root, roots))| Plan {
        start,
        compacted,
        steps,
        root,
        roots,
    })
}

/// A batch as written.
#[derive(Debug, Clone)]
struct Written {
    segment: i64,
    base: i64,
    next: i64,
    bytes: Vec<u8>,
}

/// What a log holds, worked out step by step.
#[derive(Debug, Default)]
struct Model {
    batches: Vec<Written>,
    segments: Vec<i64>,
    /// Records by offset, and the transaction that they are in.
    records: BTreeMap<i64, Option<usize>>,
    markers: BTreeSet<i64>,
    /// Of each transaction whether it was aborted; `None` open.
    ends: Vec<Option<bool>>,
    /// The first record of each transaction.
    begins: Vec<i64>,
    end: i64,
}

impl Model {
    fn of(plan: &Plan) -> Self {
        let mut model = Self { end: plan.start, segments: vec![plan.start], ..Self::default() };
        let mut open: BTreeMap<i64, usize> = BTreeMap::new();
        for step in &plan.steps {
            let base = model.end;
            match step {
                Step::Data { kept, producer, codec } => {
                    let mut builder =
                        BatchBuilder::new(base).codec(*codec).last_offset_delta(kept.len() as i32 - 1);
                    if let Some(producer) = producer {
                        builder = builder.producer(*producer, 0, 0).transactional();
                    }
                    let offsets: Vec<i64> =
                        (base..).zip(kept).filter(|(_, kept)| **kept).map(|(at, _)| at).collect();
                    for offset in &offsets {
                        let value = value(*offset);
                        let record = NewRecord {
                            offset: *offset,
                            timestamp: 1000 + offset,
                            key: Some(b"key"),
                            value: Some(value.as_bytes()),
                            headers: &[],
                        };
                        builder.push(&record).unwrap();
                    }
                    if let Some(producer) = producer.filter(|_| !offsets.is_empty()) {
                        open.entry(producer).or_insert_with(|| {
                            model.ends.push(None);
                            model.begins.push(base);
                            model.ends.len() - 1
                        });
                    }
                    let transaction = producer.and_then(|producer| open.get(&producer).copied());
                    model.records.extend(offsets.iter().map(|offset| (*offset, transaction)));
                    model.add(base + kept.len() as i64, builder.build().unwrap());
                }
                Step::Marker { producer, abort } => {
                    if let Some(transaction) = open.remove(producer) {
                        model.ends[transaction] = Some(*abort);
                    }
                    model.markers.insert(base);
                    model.add(base + 1, marker(base, *producer, if *abort { ABORT } else { COMMIT }));
                }
                // The cleaner leaves the last batch of a log alone.
                Step::Hole(length) => model.end += length,
                Step::Roll if *model.segments.last().unwrap() < base => model.segments.push(base),
                Step::Roll => {}
            }
        }
        model
    }

    fn add(&mut self, next: i64, bytes: Vec<u8>) {
        let (segment, base) = (*self.segments.last().unwrap(), self.end);
        self.batches.push(Written { segment, base, next, bytes });
        self.end = next;
    }

    fn is_aborted(&self, offset: i64) -> bool {
        self.records[&offset].is_some_and(|transaction| self.ends[transaction] == Some(true))
    }

    /// One past the last batch, or the name of the last segment.
    fn reached(&self) -> i64 {
        let batches = self.batches.last().map_or(i64::MIN, |batch| batch.next);
        batches.max(*self.segments.last().unwrap())
    }

    fn last_stable(&self) -> i64 {
        let open =
            self.begins.iter().zip(&self.ends).filter(|(_, end)| end.is_none()).map(|(begin, _)| *begin);
        open.min().unwrap_or(self.reached())
    }

    fn segment_bytes(&self, segment: i64) -> Vec<u8> {
        let batches = self.batches.iter().filter(|batch| batch.segment == segment);
        batches.flat_map(|batch| batch.bytes.iter().copied()).collect()
    }
}

/// The log directories of a plan.
struct Disk {
    scratch: Scratch,
    root: usize,
    roots: usize,
}

impl Disk {
    fn of(plan: &Plan, model: &Model) -> Self {
        let disk = Self { scratch: Scratch::new(), root: plan.root, roots: plan.roots };
        for number in 0..plan.roots {
            let root = disk.path(number);
            fs::create_dir_all(root.join(format!("t-{}", number + 1))).unwrap();
            fs::write(root.join("meta.properties"), "cluster.id=c\nnode.id=1\n").unwrap();
            fs::write(root.join("recovery-point-offset-checkpoint"), "0\n0\n").unwrap();
        }
        fs::create_dir_all(disk.partition()).unwrap();
        for segment in &model.segments {
            fs::write(disk.segment(*segment), model.segment_bytes(*segment)).unwrap();
        }
        if plan.compacted {
            let text = format!("0\n1\nt 0 {}\n", model.end);
            fs::write(disk.path(plan.root).join("cleaner-offset-checkpoint"), text).unwrap();
        }
        disk
    }

    fn path(&self, root: usize) -> PathBuf {
        self.scratch.0.join(format!("disk{root}"))
    }

    fn partition(&self) -> PathBuf {
        self.path(self.root).join("t-0")
    }

    fn segment(&self, base: i64) -> PathBuf {
        self.partition().join(format!("{base:020}.log"))
    }

    fn log(&self) -> Arc<PartitionLog> {
        let paths: Vec<PathBuf> = (0..self.roots).map(|number| self.path(number)).collect();
        LogDirs::open(&paths, None).unwrap().partition("t", 0, &CancelToken::new()).unwrap()
    }
}

/// What happens to the files.
#[derive(Debug, Clone)]
enum Harm {
    /// A bit of a batch.
    Flip { batch: prop::sample::Index, bit: prop::sample::Index },
    /// The end of a segment.
    Truncate { segment: prop::sample::Index, length: prop::sample::Index },
    /// A whole segment.
    Remove { segment: prop::sample::Index },
    /// Zeros over a batch.
    Zero { batch: prop::sample::Index },
    /// Zeros behind a segment.
    ZeroTail { segment: prop::sample::Index, length: usize },
    /// Bytes that are no batch, between batches.
    Insert { batch: prop::sample::Index, bytes: Vec<u8> },
}

fn harm() -> impl Strategy<Value = Harm> {
    let index = any::<prop::sample::Index>;
    prop_oneof![
        4 => (index(), index()).prop_map(|(batch, bit)| Harm::Flip { batch, bit }),
        2 => (index(), index()).prop_map(|(segment, length)| Harm::Truncate { segment, length }),
        1 => index().prop_map(|segment| Harm::Remove { segment }),
        1 => index().prop_map(|batch| Harm::Zero { batch }),
        1 => (index(), 1..200_usize).prop_map(|(segment, length)| Harm::ZeroTail { segment, length }),
        1 => (index(), prop::collection::vec(any::<u8>(), 1..100))
            .prop_map(|(batch, bytes)| Harm::Insert { batch, bytes }),
    ]
}

impl Harm {
    /// Does it. Returns the batches that are whole afterwards; `None` where there is nothing to harm.
    fn strike(&self, model: &Model, disk: &Disk) -> Option<Vec<Written>> {
        let mut batches = model.batches.clone();
        let pick = |index: &prop::sample::Index| {
            (!model.batches.is_empty()).then(|| index.index(model.batches.len()))
        };
        let segment = |index: &prop::sample::Index| model.segments[index.index(model.segments.len())];
        let rewrite = |of: i64, batches: &[Written]| {
            let bytes: Vec<u8> = batches
                .iter()
                .filter(|batch| batch.segment == of)
                .flat_map(|batch| batch.bytes.clone())
                .collect();
            fs::write(disk.segment(of), bytes).unwrap();
        };
        match self {
            Self::Flip { batch, bit } => {
                let number = pick(batch)?;
                let bit = bit.index(batches[number].bytes.len() * 8);
                batches[number].bytes[bit / 8] ^= 1 << (bit % 8);
                rewrite(batches[number].segment, &batches);
                batches.remove(number);
            }
            Self::Zero { batch } => {
                let number = pick(batch)?;
                batches[number].bytes.fill(0);
                rewrite(batches[number].segment, &batches);
                batches.remove(number);
            }
            Self::Insert { batch, bytes } => {
                let number = pick(batch)?;
                let mut harmed = batches.clone();
                harmed[number].bytes = [bytes.as_slice(), &harmed[number].bytes].concat();
                rewrite(harmed[number].segment, &harmed);
            }
            Self::Truncate { segment: index, length } => {
                let of = segment(index);
                let whole = model.segment_bytes(of);
                let kept = length.index(whole.len() + 1);
                fs::write(disk.segment(of), &whole[..kept]).unwrap();
                let mut end = 0;
                batches.retain(|batch| {
                    end += if batch.segment == of { batch.bytes.len() } else { 0 };
                    batch.segment != of || end <= kept
                });
            }
            Self::Remove { segment: index } => {
                let of = segment(index);
                fs::remove_file(disk.segment(of)).unwrap();
                batches.retain(|batch| batch.segment != of);
            }
            Self::ZeroTail { segment: index, length } => {
                let of = segment(index);
                fs::write(disk.segment(of), [model.segment_bytes(of), vec![0; *length]].concat()).unwrap();
            }
        }
        Some(batches)
    }

    /// The one field that no checksum covers and that says where records are.
    fn moves_a_batch(&self, model: &Model) -> bool {
        match self {
            Self::Flip { batch, bit } if !model.batches.is_empty() => {
                let number = batch.index(model.batches.len());
                bit.index(model.batches[number].bytes.len() * 8) < 64
            }
            _ => false,
        }
    }
}

proptest! {
    #[test]
    fn a_sound_log_is_read_to_the_record(plan in plan(), cut in any::<(prop::sample::Index, prop::sample::Index)>()) {
        let model = Model::of(&plan);
        let disk = Disk::of(&plan, &model);
        let log = disk.log();
        let bounds = log.bounds();
        prop_assert_eq!(bounds.log_start_offset, plan.start);
        prop_assert_eq!(bounds.log_end_offset, model.reached());
        prop_assert_eq!(bounds.last_stable_offset, model.last_stable());
        prop_assert!(log.lost().is_empty() && log.damages().is_empty(), "{:?}", log.lost());
        let length = (model.reached() - plan.start) as usize + 1;
        let (a, b) = (cut.0.index(length) as i64 + plan.start, cut.1.index(length) as i64 + plan.start);
        for (start, stop) in [(plan.start, model.reached()), (a.min(b), a.max(b))] {
            let read = read(&log, start, stop, ReadUncommitted);
            let expected: Vec<i64> = model.records.range(start..stop).map(|(offset, _)| *offset).collect();
            prop_assert_eq!(read.offsets(), expected);
            prop_assert!(read.unread.is_empty(), "{:?}", read.unread);
            let stable = stop.min(model.last_stable()).max(start);
            let read = crate::support::read(&log, start, stop, ReadCommitted);
            let (aborted, records): (Vec<i64>, Vec<i64>) =
                model.records.range(start..stable).map(|(offset, _)| *offset).partition(|at| model.is_aborted(*at));
            prop_assert_eq!(read.offsets(), records);
            prop_assert_eq!(read.out.aborted, aborted);
            prop_assert!(read.unread.is_empty(), "{:?}", read.unread);
            let control: BTreeSet<i64> = read
                .out
                .gaps
                .iter()
                .filter(|(_, _, gap)| *gap == Gap::Control)
                .flat_map(|(start, stop, _)| *start..*stop)
                .collect();
            prop_assert_eq!(control, model.markers.range(start..stable).copied().collect());
        }
    }

    #[test]
    fn a_harmed_log_gives_no_wrong_record_and_hides_no_missing_one(plan in plan(), harm in harm()) {
        // Whether a removed segment of a compacted log was compacted away, nobody can tell.
        let plan = Plan { compacted: plan.compacted && !matches!(harm, Harm::Remove { .. } | Harm::Truncate { .. }), ..plan };
        let plan = if plan.compacted { plan } else { uncompacted(plan) };
        let model = Model::of(&plan);
        let disk = Disk::of(&plan, &model);
        let Some(whole) = harm.strike(&model, &disk) else { return Ok(()) };
        if harm.moves_a_batch(&model) {
            return moved(&model, &disk);
        }
        let log = disk.log();
        let bounds = log.bounds();
        // No sound batch lies behind the end of the log.
        for batch in &whole {
            prop_assert!(batch.next <= bounds.log_end_offset, "{:?} {:?}", batch, bounds);
        }
        for level in [ReadUncommitted, ReadCommitted] {
            let read = read_all(&log, level);
            for offset in read.offsets() {
                prop_assert!(model.records.contains_key(&offset));
                prop_assert!(level == ReadUncommitted || !model.is_aborted(offset), "{} was aborted: {:?}", offset, read);
            }
            for offset in &read.out.aborted {
                prop_assert!(model.is_aborted(*offset), "{} was not aborted: {:?}", offset, read);
            }
            let given: BTreeSet<i64> = read.offsets().into_iter().chain(read.out.aborted.iter().copied()).collect();
            let missing = model.records.keys().any(|offset| *offset < bounds.log_end_offset && !given.contains(offset));
            let hole = read.out.gaps.iter().any(|(_, _, gap)| *gap == Gap::Unexplained);
            let told = hole || !read.unread.is_empty() || read.reached < bounds.log_end_offset;
            prop_assert!(!missing || told || bounds.log_start_offset > plan.start, "{:?}", read);
            // What is whole and follows damage is read, but for what only a lost marker could explain.
            if level == ReadUncommitted {
                let epoch_went_back = read.unread.iter().any(|one| one.reason.name() == "leader_epoch_went_back");
                for offset in whole.iter().flat_map(|batch| model.records.range(batch.base..batch.next)).map(|(at, _)| *at) {
                    prop_assert!(epoch_went_back || given.contains(&offset), "{} is whole: {:?}", offset, read);
                }
            }
        }
    }
}

/// The same plan without anything that only compaction does.
fn uncompacted(plan: Plan) -> Plan {
    let steps = plan.steps.into_iter().filter_map(|step| match step {
        Step::Hole(_) => None,
        Step::Data { kept, producer, codec } => {
            Some(Step::Data { kept: vec![true; kept.len()], producer, codec })
        }
        other => Some(other),
    });
    Plan { steps: steps.collect(), ..plan }
}

/// A batch that says another offset than its own shows as a hole, or as damage, or ends the log where it stands.
fn moved(model: &Model, disk: &Disk) -> Result<(), TestCaseError> {
    let log = disk.log();
    let told = !log.lost().is_empty() || log.bounds().log_end_offset != model.reached();
    let mut seen = Offsets::default();
    let range = kcompare_io::logdir::ReadRange {
        start: log.bounds().log_start_offset,
        stop: log.bounds().log_end_offset,
        isolation_level: kcompare_io::wire::IsolationLevel::ReadUncommitted,
    };
    log.read(range, &mut seen, &budget(), &CancelToken::new()).unwrap();
    let as_written: Vec<i64> = model.batches.iter().map(|batch| batch.base).collect();
    prop_assert!(told || seen.0 != as_written, "{:?}", log.bounds());
    Ok(())
}

#[derive(Default)]
struct Offsets(Vec<i64>, i64);

impl kcompare_io::wire::BatchSink for Offsets {
    fn aborted_transactions(&mut self, _list: &[kcompare_core::records::AbortedTransaction]) {}

    fn batch(&mut self, frame: &kcompare_core::records::Frame, _bytes: &[u8]) {
        self.0.push(frame.header.base_offset);
        self.1 = frame.header.next_offset();
    }

    fn unreadable(&mut self, _: Option<&kcompare_core::records::Frame>, _: kcompare_io::wire::Unreadable) {}

    fn position(&self) -> i64 {
        self.1
    }
}
