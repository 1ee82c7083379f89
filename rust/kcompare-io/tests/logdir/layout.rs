//! What is a log directory, and what is in it.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use kcompare_io::cancel::CancelToken;
use kcompare_io::logdir::{LogDirError, LogDirs, SetAsideKind, WhyIgnored};

use crate::support::*;

fn open(paths: &[PathBuf]) -> Result<LogDirs, LogDirError> {
    LogDirs::open(paths, None)
}

fn refused(paths: &[PathBuf]) -> String {
    let error = open(paths).unwrap_err();
    assert!(!matches!(error, LogDirError::Io { .. }), "{error}");
    error.to_string()
}

#[test]
fn roots_topics_and_partitions() {
    let dir = Dir::new();
    for name in ["t-1", "t-10", "t-2", "a.b-0", "__consumer_offsets-3", "x-0.abc-delete", "t-1.def-future"] {
        fs::create_dir(dir.root.join(name)).unwrap();
    }
    dir.write("t-1/partition.metadata", "version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAAAQ");
    dir.write("notes-1", "a file, no directory");
    dir.write("replication-offset-checkpoint", "0\n2\nt 1 70\nt 2 5\n");
    let dirs = dir.dirs();
    assert_eq!(dirs.topics(), ["__consumer_offsets", "a.b", "t"]);
    let partitions = dirs.partitions("t");
    let numbers: Vec<i32> = partitions.iter().map(|one| one.partition).collect();
    assert_eq!(numbers, [0, 1, 2, 10]);
    assert_eq!(partitions[1].topic_id.map(|id| id[15]), Some(1));
    assert_eq!(
        (partitions[1].high_watermark_checkpoint, partitions[3].high_watermark_checkpoint),
        (Some(70), None)
    );
    assert_eq!((partitions[0].recovery_point, partitions[1].recovery_point), (Some(0), None));
    assert!(dirs.partitions("u").is_empty());
    let aside: Vec<_> =
        dirs.set_aside().iter().map(|one| (one.topic.as_str(), one.partition, one.kind)).collect();
    assert_eq!(aside, [("t", 1, SetAsideKind::Future), ("x", 0, SetAsideKind::Delete)]);
    let root = &dirs.roots()[0];
    assert_eq!((root.cluster_id.as_deref(), root.node_id, root.clean_shutdown), (Some("c"), Some(1), false));
    assert_eq!(root.problems, []);
    let unknown = dirs.partition("t", 3, &CancelToken::new()).unwrap_err();
    assert_eq!(unknown, LogDirError::UnknownPartition { topic: "t".into(), partition: 3 });
}

#[test]
fn what_is_no_log_directory_is_told_apart() {
    let dir = Dir::new();
    dir.segment(0, &thirty(0));
    let scratch = Scratch::new();
    assert!(refused(&[scratch.0.join("none")]).contains("does not exist"));
    assert!(refused(std::slice::from_ref(&scratch.0)).contains("is empty"));
    fs::write(scratch.0.join("file"), "x").unwrap();
    assert!(refused(&[scratch.0.join("file")]).contains("is no directory"));
    assert!(refused(std::slice::from_ref(&scratch.0)).contains("neither meta.properties nor a partition"));
    assert!(refused(&[dir.partition()]).contains("the directory of one partition"));
    let above = refused(&[dir.root.parent().unwrap().to_owned()]);
    assert!(above.contains("data in it is one; name that"), "{above}");
    for name in ["redpanda", "kafka", "kafka_internal"] {
        fs::create_dir(scratch.0.join(name)).unwrap();
    }
    assert!(refused(std::slice::from_ref(&scratch.0)).contains("Redpanda"));
}

#[test]
fn several_paths_belong_to_one_broker() {
    let (one, two) = (Dir::new(), Dir::new());
    let paths = [one.root.clone(), two.root.clone()];
    let twice = refused(&paths);
    assert!(
        twice.contains("partition 0 of topic \"t\" is in") && twice.contains(two.root.to_str().unwrap()),
        "{twice}"
    );
    fs::rename(two.partition(), two.root.join("t-1")).unwrap();
    let dirs = open(&paths).unwrap();
    assert_eq!(dirs.partitions("t").iter().map(|one| one.root).collect::<Vec<_>>(), [0, 1]);
    two.write("meta.properties", "cluster.id=c\nnode.id=2\n");
    assert!(refused(&paths).contains("carries node.id 2 of cluster \"c\""));
    two.write("meta.properties", "cluster.id=other\nnode.id=1\n");
    assert!(refused(&paths).contains("carries node.id 1 of cluster \"other\""));
    fs::remove_file(two.root.join("meta.properties")).unwrap();
    assert!(refused(&paths).contains("carries no node.id"));
    assert!(refused(&[one.root.clone(), one.root.clone()]).contains("is the same directory as"));
    let link = two.root.join("link");
    symlink(&one.root, &link).unwrap();
    assert!(refused(&[one.root.clone(), link]).contains("is the same directory as"));
}

#[test]
fn a_copy_that_is_being_moved_is_no_second_partition() {
    let (one, two) = (Dir::new(), Dir::new());
    fs::rename(two.partition(), two.root.join("t-0.abc-future")).unwrap();
    let dirs = open(&[one.root.clone(), two.root.clone()]).unwrap();
    assert_eq!((dirs.partitions("t").len(), dirs.set_aside().len()), (1, 1));
}

#[test]
fn files_that_cannot_be_read_are_told_and_count_as_unknown() {
    let dir = Dir::new();
    dir.write("meta.properties", [0xff, 0xfe]);
    dir.write("log-start-offset-checkpoint", "0\n1\nt 0 x\n");
    dir.write("t-0/partition.metadata", "version: 0\ntopic_id: nonsense");
    dir.write("t-0/leader-epoch-checkpoint", "7\n");
    let dirs = dir.dirs();
    assert_eq!((dirs.roots()[0].problems.len(), dirs.roots()[0].node_id), (2, None));
    let partition = dirs.partitions("t")[0];
    assert_eq!((partition.problems.len(), partition.log_start_checkpoint), (2, None));
    assert!(partition.problems[0].to_string().contains("topic_id \"nonsense\""));
}

#[test]
fn segments_after_the_rules_of_a_start() {
    let dir = Dir::new();
    for base in [0, 30, 60] {
        dir.segment(base, &thirty(base));
    }
    let name = |base: i64, suffix: &str| dir.partition().join(format!("{base:020}.log{suffix}"));
    fs::write(name(90, ".deleted"), thirty(90).concat()).unwrap();
    // A finished compaction of the first two: 0..60 in one file, with records taken out.
    fs::write(name(0, ".swap"), [batch(0, 5), batch(40, 20)].concat()).unwrap();
    let log = dir.log();
    let ignored: Vec<_> = log.files().ignored.iter().map(|file| (file.base_offset, file.why)).collect();
    assert_eq!(ignored, [(0, WhyIgnored::Replaced), (30, WhyIgnored::Replaced), (90, WhyIgnored::Deleted)]);
    let bases: Vec<_> = log.segments().iter().map(|segment| segment.base_offset).collect();
    assert_eq!(bases, [0, 60]);
    let read = read_all(&log, ReadUncommitted);
    assert_eq!(read.offsets(), (0..5).chain(40..90).collect::<Vec<_>>());
    // With a .cleaned file at or below it, the swap was not finished.
    fs::write(dir.partition().join("00000000000000000000.index.cleaned"), "").unwrap();
    fs::write(name(30, ".cleaned"), "").unwrap();
    let log = dir.log();
    let ignored: Vec<_> = log.files().ignored.iter().map(|file| (file.base_offset, file.why)).collect();
    assert_eq!(
        ignored,
        [(0, WhyIgnored::UnfinishedSwap), (30, WhyIgnored::Cleaned), (90, WhyIgnored::Deleted)]
    );
    assert_eq!(read_all(&log, ReadUncommitted).offsets(), (0..90).collect::<Vec<_>>());
}

#[test]
fn a_directory_with_the_name_of_a_segment_is_an_error_of_its_partition() {
    let dir = Dir::new();
    fs::create_dir(dir.segment_path(0)).unwrap();
    assert!(dir.try_log().unwrap_err().to_string().contains("has the name of a segment and is no file"));
    fs::remove_dir(dir.segment_path(0)).unwrap();
    symlink("/nowhere", dir.segment_path(0)).unwrap();
    assert!(matches!(dir.try_log(), Err(LogDirError::Io { .. })));
}

#[test]
fn nothing_in_a_log_directory_is_changed() {
    let dir = Dir::new();
    let mut batches = [thirty(0), vec![vec![9; 90]], thirty(30)].concat();
    batches.push(vec![0; 100]);
    dir.segment(0, &batches);
    dir.segment(60, &thirty(60));
    fs::write(dir.partition().join("00000000000000000060.log.swap"), thirty(60).concat()).unwrap();
    fs::write(dir.partition().join("00000000000000000090.log.deleted"), "").unwrap();
    dir.clean_shutdown();
    let before = snapshot(&dir.root);
    let log = dir.log();
    read_all(&log, ReadCommitted);
    log.offset_for_timestamp(1005, &CancelToken::new()).unwrap();
    log.stored_batches(0, 60, 1 << 20).unwrap();
    assert_eq!(snapshot(&dir.root), before);
}
