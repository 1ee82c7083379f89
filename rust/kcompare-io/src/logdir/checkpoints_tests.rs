use std::path::PathBuf;
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};

use proptest::prelude::*;

use super::*;

static NUMBER: AtomicU64 = AtomicU64::new(0);

/// A file that goes away with the test.
struct Text(PathBuf);

impl Text {
    fn new(bytes: impl AsRef<[u8]>) -> Self {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("kcompare-checkpoint-{}-{number}", process::id()));
        fs::write(&path, bytes).unwrap();
        Self(path)
    }
}

impl Drop for Text {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn refused<T: std::fmt::Debug>(found: Result<T, LogDirError>) -> String {
    match found {
        Err(LogDirError::Malformed { detail, .. }) => detail,
        other => panic!("{other:?}"),
    }
}

#[test]
fn offsets_by_topic_and_partition() {
    let text = Text::new("0\n2\na.b_c-d 0 17\nt 31 0\n");
    let found = read_offsets(&text.0).unwrap().unwrap();
    assert_eq!(found.len(), 2);
    assert_eq!(found[&("a.b_c-d".to_owned(), 0)], 17);
    assert_eq!(read_offsets(&Text::new("").0).unwrap(), Some(Offsets::new()));
    assert_eq!(read_offsets(&Text::new("0\n0\n").0).unwrap(), Some(Offsets::new()));
    assert_eq!(read_offsets(&text.0.with_extension("not-there")).unwrap(), None);
}

#[test]
fn what_no_broker_writes_is_refused_with_its_line() {
    let cases = [
        ("1\n0\n", "version \"1\""),
        ("0\n", "how many entries"),
        ("0\n-1\n", "how many entries"),
        ("0\n99999999999999999999\n", "how many entries"),
        ("0\n2\nt 0 1\n", "announces 2 entries and holds 1"),
        ("0\n1\nt 0 1\nt 1 1\n", "announces 1 entries and holds 2"),
        ("0\n1\nt 0\n", "line 3"),
        ("0\n1\nt 0 1 2\n", "line 3"),
        ("0\n1\nt -1 1\n", "line 3"),
        ("0\n1\nt 0 -1\n", "line 3"),
        ("0\n1\nt 0 9223372036854775808\n", "line 3"),
        ("0\n1\n\n", "line 3"),
        ("0\n2\nt 0 1\nt 0 2\n", "says two things"),
        ("\u{1}\u{1b}[2J\n", "version"),
    ];
    for (bytes, expected) in cases {
        let detail = refused(read_offsets(&Text::new(bytes).0));
        assert!(detail.contains(expected), "{bytes:?}: {detail}");
    }
    assert!(refused(read_offsets(&Text::new([b'0', b'\n', 0xff]).0)).contains("no text"));
    let long = format!("0\n1\n{}\n", "x".repeat(100_000));
    assert!(refused(read_offsets(&Text::new(long).0)).len() < 200);
}

#[test]
fn a_file_without_end_is_not_read_to_it() {
    assert!(refused(read_offsets(Path::new("/dev/zero"))).contains("no file"));
    let text = Text::new("");
    File::options().write(true).open(&text.0).unwrap().set_len(1 << 40).unwrap();
    assert!(refused(read_offsets(&text.0)).contains("larger than 33554432"));
    assert!(refused(read_meta(&text.0)).contains("larger than 65536"));
    assert!(refused(read_topic_id(&text.0)).contains("larger"));
    assert!(refused(read_offsets(&std::env::temp_dir())).contains("no file"));
}

#[test]
fn epochs_ascend_as_a_broker_takes_them_in() {
    let epoch = |leader_epoch, start_offset| EpochStart { leader_epoch, start_offset };
    let read = |text: &str| read_epochs(&Text::new(text).0);
    assert_eq!(read("0\n2\n0 0\n4 120\n").unwrap(), [epoch(0, 0), epoch(4, 120)]);
    assert_eq!(read("0\n3\n0 0\n4 120\n5 60\n").unwrap(), [epoch(0, 0), epoch(5, 60)]);
    assert_eq!(read("0\n2\n3 10\n2 20\n").unwrap(), [epoch(2, 20)]);
    assert_eq!(read("").unwrap(), []);
    assert!(refused(read("0\n1\n-1 0\n")).contains("line 3"));
}

#[test]
fn properties_of_a_log_directory() {
    let read = |text: &str| read_meta(&Text::new(text).0);
    let text = "#\n#Mon Nov 23\ndirectory.id=abc\nversion=1\ncluster.id=5L6g\nnode.id=3\n";
    let expected =
        Meta { cluster_id: Some("5L6g".into()), node_id: Some(3), directory_id: Some("abc".into()) };
    assert_eq!(read(text).unwrap().unwrap(), expected);
    assert_eq!(read("version=0\nbroker.id=7\n").unwrap().unwrap().node_id, Some(7));
    assert_eq!(read("").unwrap().unwrap(), Meta::default());
    assert!(refused(read("node.id=x\n")).contains("no number"));
    assert!(refused(read("node.id=-1\n")).contains("no number"));
    assert!(refused(read("nonsense\n")).contains("line 1"));
}

#[test]
fn a_topic_id_has_sixteen_bytes() {
    let read = |text: &str| read_topic_id(&Text::new(text).0);
    let id = read("version: 0\ntopic_id: 2Ps9bCxJRWGUOLkIz8dBOg").unwrap().unwrap();
    assert_eq!(id[..4], [0xd8, 0xfb, 0x3d, 0x6c]);
    assert_eq!(id[12..], [0xcf, 0xc7, 0x41, 0x3a]);
    assert_eq!(read("topic_id: AAAAAAAAAAAAAAAAAAAAAQ\n").unwrap().unwrap()[15], 1);
    for text in [
        "",
        "topic_id: x\n",
        "topic_id: AAAAAAAAAAAAAAAAAAAAAA\n",
        "topic_id: AAAAAAAAAAAAAAAAAAAAAB\n",
        "topic_id: ======================\n",
    ] {
        assert!(refused(read(text)).contains("no topic id"), "{text}");
    }
}

proptest! {
    #[test]
    fn any_bytes_give_an_answer_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let text = Text::new(&bytes);
        let _ = (read_offsets(&text.0), read_epochs(&text.0), read_meta(&text.0), read_topic_id(&text.0));
    }

    #[test]
    fn any_lines_give_an_answer_or_an_error(lines in "(0\n)?[0-9]{0,3}\n([a-z]{0,3} -?[0-9]{0,20} -?[0-9]{0,20}\n){0,4}") {
        let text = Text::new(&lines);
        let _ = (read_offsets(&text.0), read_epochs(&text.0));
    }
}
