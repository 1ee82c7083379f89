//! Streams of batches against a slow, obvious reading of the same model.

use super::*;
use crate::compare::LogDigest;
use crate::records::{
    AbortedTransaction, BatchBuilder, Codec, ControlRecordType, LegacyRecord, LegacySet, NewRecord,
    legacy_message_set, peek, reseal,
};
use proptest::prelude::*;

const OUTPUT_LIMIT: usize = 1 << 20;
const PRODUCER: i64 = 7;

/// What a batch of the model is. Offsets follow from the order and the holes.
#[derive(Clone, Debug)]
enum Kind {
    /// Records at these deltas; the batch spans one more offset than the last, plus what compaction took from its end.
    Data { deltas: Vec<i32>, tail: i32, codec: u8, log_append: bool },
    /// Records of a transaction that is aborted.
    Aborted { count: i32 },
    /// The marker that aborts, or commits.
    Marker { abort: bool },
    /// A batch whose bytes are damaged.
    Corrupt { count: i32 },
}

#[derive(Clone, Debug)]
struct Piece {
    hole: i64,
    kind: Kind,
}

/// An offset of the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Offset {
    Record,
    Gap(Gap),
}

struct Model {
    batches: Vec<Vec<u8>>,
    offsets: Vec<Offset>,
    aborted: Vec<AbortedTransaction>,
}

fn timestamp(offset: i64) -> i64 {
    1_700_000_000_000 + offset * 3
}

fn value(offset: i64) -> Vec<u8> {
    format!("value {}", offset % 5).into_bytes()
}

fn data(base: i64, deltas: &[i32], tail: i32, codec: Codec, log_append: bool, producer: bool) -> Vec<u8> {
    let mut builder = BatchBuilder::new(base).codec(codec).leader_epoch(3);
    if producer {
        builder = builder.producer(PRODUCER, 0, 0).transactional();
    }
    if log_append {
        builder = builder.log_append_time(timestamp(base));
    }
    let last = deltas.last().copied().unwrap_or(0);
    builder = builder.last_offset_delta(last + tail);
    for delta in deltas {
        let offset = base + i64::from(*delta);
        let value = value(offset);
        let record =
            NewRecord { offset, timestamp: timestamp(offset), key: None, value: Some(&value), headers: &[] };
        builder.push(&record).unwrap();
    }
    builder.build().unwrap()
}

fn model(pieces: &[Piece]) -> Model {
    let mut model = Model { batches: Vec::new(), offsets: Vec::new(), aborted: Vec::new() };
    let mut open: Option<i64> = None;
    for piece in pieces {
        model.offsets.extend(std::iter::repeat_n(Offset::Gap(Gap::Unexplained), piece.hole as usize));
        let base = model.offsets.len() as i64;
        let all = |count: i32| (0..count).collect::<Vec<_>>();
        match &piece.kind {
            Kind::Data { deltas, tail, codec, log_append } => {
                let codec = Codec::from_id(*codec).unwrap();
                model.batches.push(data(base, deltas, *tail, codec, *log_append, false));
                let span = deltas.last().copied().unwrap_or(0) + tail + 1;
                model.offsets.extend((0..span).map(|delta| {
                    if deltas.contains(&delta) { Offset::Record } else { Offset::Gap(Gap::Compacted) }
                }));
            }
            Kind::Aborted { count } => {
                open.get_or_insert(base);
                model.batches.push(data(base, &all(*count), 0, Codec::None, false, true));
                model.offsets.extend(std::iter::repeat_n(Offset::Gap(Gap::Aborted), *count as usize));
            }
            Kind::Marker { abort } => {
                // A marker commits nothing here: a transaction of the model that holds records always aborts.
                let kind = if *abort { ControlRecordType::Abort } else { ControlRecordType::Commit };
                if *abort && let Some(first_offset) = open.take() {
                    model.aborted.push(AbortedTransaction { producer_id: PRODUCER, first_offset });
                }
                let producer = if *abort { PRODUCER } else { PRODUCER + 1 };
                let mut builder = BatchBuilder::new(base)
                    .leader_epoch(3)
                    .producer(producer, 0, -1)
                    .transactional()
                    .control();
                builder.append(timestamp(base), Some(&kind.to_key()), Some(&[0; 6])).unwrap();
                model.batches.push(builder.build().unwrap());
                model.offsets.push(Offset::Gap(Gap::Control));
            }
            Kind::Corrupt { count } => {
                let mut bytes = data(base, &all(*count), 0, Codec::None, false, false);
                let middle = bytes.len() - 3;
                bytes[middle] ^= 0x20;
                model.batches.push(bytes);
                model.offsets.extend(std::iter::repeat_n(Offset::Gap(Gap::Uncovered), *count as usize));
            }
        }
    }
    if let Some(first_offset) = open {
        model.aborted.push(AbortedTransaction { producer_id: PRODUCER, first_offset });
    }
    model
}

fn pieces(corrupt: bool, holes: bool) -> impl Strategy<Value = Vec<Piece>> {
    let deltas =
        prop::collection::btree_set(0_i32..12, 0..8).prop_map(|set| set.into_iter().collect::<Vec<_>>());
    let kind = prop_oneof![
        6 => (deltas, 0_i32..3, 0_u8..5, prop::bool::weighted(0.1))
            .prop_map(|(deltas, tail, codec, log_append)| Kind::Data { deltas, tail, codec, log_append }),
        2 => (1_i32..5).prop_map(|count| Kind::Aborted { count }),
        1 => any::<bool>().prop_map(|abort| Kind::Marker { abort }),
        u32::from(corrupt) => (1_i32..5).prop_map(|count| Kind::Corrupt { count }),
    ];
    let hole = if holes { 0_i64..3 } else { 0..1 };
    prop::collection::vec((hole, kind).prop_map(|(hole, kind)| Piece { hole, kind }), 1..20)
}

/// Reads `[start, stop)` as a broker would serve it: whole batches, the first one that reaches past the start.
fn read(model: &Model, start: i64, stop: i64, pins: &[i64]) -> (Vec<CellRow>, Vec<u8>, Vec<u8>, StreamStats) {
    let profile = Profile::default();
    let spec = SliceSpec { start, stop, isolation_level: IsolationLevel::ReadCommitted };
    let mut reader = SliceReader::new(spec, CellBuilder::new(&profile, start, pins), OUTPUT_LIMIT);
    reader.begin_response(&model.aborted);
    for bytes in &model.batches {
        let frame = peek(bytes, 0).unwrap().unwrap();
        if frame.header.next_offset() > start && reader.position() < stop {
            reader.push(&frame, bytes).unwrap();
        }
    }
    let (builder, stats, _) = reader.finish();
    let (cells, anchors) = builder.finish();
    (read_cells(&cells).unwrap(), cells, anchors, stats)
}

fn expected(model: &Model, start: i64, stop: i64) -> (u64, [u64; 5]) {
    let mut gaps = [0; 5];
    let mut records = 0;
    for offset in start..stop {
        match model.offsets.get(offset as usize).copied().unwrap_or(Offset::Gap(Gap::Uncovered)) {
            Offset::Record => records += 1,
            Offset::Gap(gap) => gaps[gap as usize] += 1,
        }
    }
    (records, gaps)
}

proptest! {
    #[test]
    fn every_offset_of_a_slice_is_accounted_for(
        pieces in pieces(false, true),
        cut in any::<(prop::sample::Index, prop::sample::Index)>(),
        pins in prop::collection::vec(0_i64..120, 0..5),
    ) {
        let model = model(&pieces);
        let end = model.offsets.len() as i64;
        let (a, b) = (cut.0.index(end as usize + 1) as i64, cut.1.index(end as usize + 1) as i64);
        let (start, stop) = (a.min(b), a.max(b));
        let (cells, _, _, stats) = read(&model, start, stop, &pins);
        let (records, gaps) = expected(&model, start, stop);
        prop_assert_eq!(cells.iter().map(|cell| cell.lanes.count).sum::<u64>(), records);
        for (gap, expected) in gaps.into_iter().enumerate() {
            prop_assert_eq!(cells.iter().map(|cell| cell.gaps[gap]).sum::<u64>(), expected, "gap {}", gap);
        }
        prop_assert!(stats.unread.is_empty());
        prop_assert_eq!(cells.first().map_or(start, |cell| cell.start), start);
        prop_assert_eq!(cells.last().map_or(start, |cell| cell.stop), stop);
        for pin in pins.iter().filter(|pin| (start + 1..stop).contains(*pin)) {
            prop_assert!(cells.iter().any(|cell| cell.start == *pin), "no row starts at pin {}", pin);
        }
        let unexplained: i64 = stats.unexplained.iter().map(|(from, to)| to - from).sum();
        prop_assert_eq!(unexplained as u64, gaps[Gap::Unexplained as usize]);
    }

    #[test]
    fn slices_join_to_the_whole(pieces in pieces(false, true), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..4)) {
        let model = model(&pieces);
        let end = model.offsets.len() as i64;
        let mut borders: Vec<i64> = cuts.iter().map(|cut| cut.index(end as usize + 1) as i64).collect();
        borders.extend([0, end]);
        borders.sort_unstable();
        borders.dedup();
        let (mut cells, mut anchors) = (Vec::new(), Vec::new());
        for pair in borders.windows(2) {
            let (_, slice_cells, slice_anchors, _) = read(&model, pair[0], pair[1], &[]);
            cells.extend(slice_cells);
            anchors.extend(slice_anchors);
        }
        let profile = Profile::default();
        let joined = LogDigest::new(&cells, &anchors, 0, profile.base()).unwrap().whole();
        let (_, cells, anchors, _) = read(&model, 0, end, &[]);
        prop_assert_eq!(joined, LogDigest::new(&cells, &anchors, 0, profile.base()).unwrap().whole());
    }

    #[test]
    fn rows_and_cells_say_the_same(pieces in pieces(false, true)) {
        let model = model(&pieces);
        let end = model.offsets.len() as i64;
        let profile = Profile::default();
        let spec = SliceSpec { start: 0, stop: end, isolation_level: IsolationLevel::ReadCommitted };
        let mut reader = SliceReader::new(spec, RowBuilder::new(&profile, 0, usize::MAX), OUTPUT_LIMIT);
        reader.begin_response(&model.aborted);
        for bytes in &model.batches {
            reader.push(&peek(bytes, 0).unwrap().unwrap(), bytes).unwrap();
        }
        let rows = read_rows(&reader.finish().0.finish()).unwrap();
        let offsets: Vec<i64> = rows.iter().map(|row| row.offset).collect();
        let records: Vec<i64> = (0..end).filter(|at| model.offsets[*at as usize] == Offset::Record).collect();
        prop_assert_eq!(offsets, records);
        let slow = rows.iter().fold(Lanes::default(), |lanes, row| lanes.concat(&row.lanes(&profile), profile.base()));
        let (cells, _, _, _) = read(&model, 0, end, &[]);
        let whole = cells.iter().fold(Lanes::default(), |lanes, cell| lanes.concat(&cell.lanes, profile.base()));
        prop_assert_eq!(slow, whole);
    }

    #[test]
    fn damage_is_uncovered_and_never_more_than_up_to_the_next_sound_batch(pieces in pieces(true, false)) {
        let model = model(&pieces);
        let end = model.offsets.len() as i64;
        let (cells, _, _, stats) = read(&model, 0, end, &[]);
        let (records, gaps) = expected(&model, 0, end);
        prop_assert_eq!(cells.iter().map(|cell| cell.lanes.count).sum::<u64>(), records);
        let uncovered = cells.iter().map(|cell| cell.gaps[Gap::Uncovered as usize]).sum::<u64>();
        prop_assert_eq!(uncovered, gaps[Gap::Uncovered as usize]);
        let unread: i64 = stats.unread.iter().map(|unread| unread.stop - unread.start).sum();
        prop_assert_eq!(unread as u64, uncovered);
    }

    /// Whatever the bytes, nothing panics and every offset is accounted for exactly once.
    #[test]
    fn arbitrary_bytes_leave_no_offset_out(
        pieces in pieces(true, true),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<u8>()), 0..6),
        sealed: bool,
    ) {
        let mut model = model(&pieces);
        for (batch, at, bits) in flips {
            let batch = batch.get(&model.batches).clone();
            let index = model.batches.iter().position(|known| *known == batch).unwrap();
            let at = at.index(batch.len());
            model.batches[index][at] ^= bits;
            if sealed {
                reseal(&mut model.batches[index]);
            }
        }
        let end = model.offsets.len() as i64;
        let profile = Profile::default();
        let spec = SliceSpec { start: 0, stop: end, isolation_level: IsolationLevel::ReadCommitted };
        let mut reader = SliceReader::new(spec, CellBuilder::new(&profile, 0, &[]), OUTPUT_LIMIT);
        reader.begin_response(&model.aborted);
        for bytes in &model.batches {
            let Ok(Some(frame)) = peek(bytes, 0) else {
                reader.unreadable(None, UnreadReason::CorruptBatch, String::new());
                continue;
            };
            if frame.size == bytes.len() && reader.push(&frame, bytes).is_err() {
                reader.unreadable(Some(&frame), UnreadReason::BatchTooLarge, String::new());
            }
        }
        let (cells, _) = reader.finish().0.finish();
        let cells = read_cells(&cells).unwrap();
        prop_assert_eq!(cells.first().map(|cell| cell.start), Some(0));
        prop_assert_eq!(cells.last().map(|cell| cell.stop), Some(end));
    }
}

fn slice(stop: i64) -> SliceReader<RowBuilder<'static>> {
    let profile: &'static Profile = Box::leak(Box::default());
    let spec = SliceSpec { start: 0, stop, isolation_level: IsolationLevel::ReadCommitted };
    SliceReader::new(spec, RowBuilder::new(profile, 0, usize::MAX), OUTPUT_LIMIT)
}

fn push(reader: &mut SliceReader<RowBuilder<'static>>, bytes: &[u8]) {
    reader.push(&peek(bytes, 0).unwrap().unwrap(), bytes).unwrap();
}

#[test]
fn a_log_that_repeats_offsets_is_not_trusted_from_there_on() {
    for second in [0, 1] {
        let mut reader = slice(10);
        reader.begin_response(&[]);
        push(&mut reader, &data(0, &[0, 1, 2], 0, Codec::None, false, false));
        push(&mut reader, &data(second, &[0, 1, 2], 0, Codec::None, false, false));
        push(&mut reader, &data(5, &[0, 1, 2, 3, 4], 0, Codec::None, false, false));
        let (rows, stats, _) = reader.finish();
        assert_eq!(rows.records(), 3);
        assert_eq!((stats.unread[0].start, stats.unread[0].stop), (3, 10));
    }
}

#[test]
fn a_log_that_repeats_offsets_is_noticed_across_responses() {
    let mut reader = slice(10);
    reader.begin_response(&[]);
    push(&mut reader, &data(0, &[0, 1, 2], 0, Codec::None, false, false));
    reader.begin_response(&[]);
    push(&mut reader, &data(1, &[0, 1, 2, 3], 0, Codec::None, false, false));
    let (_, stats, _) = reader.finish();
    assert_eq!((stats.unread[0].start, stats.unread[0].stop), (3, 10));
}

#[test]
fn a_batch_with_more_in_it_than_its_header_says_is_never_sound() {
    // The fault shows when every claimed offset was taken: nothing is left out, and still it is no sound batch.
    let mut hidden = data(0, &[0, 1, 2], 0, Codec::None, false, false);
    hidden[26] = 1;
    reseal(&mut hidden);
    for next in [3, 2] {
        let mut reader = slice(next + 2);
        reader.begin_response(&[]);
        push(&mut reader, &hidden);
        push(&mut reader, &data(next, &[0, 1], 0, Codec::None, false, false));
        let (_, stats, _) = reader.finish();
        assert_eq!(stats.unread.len(), 1, "{stats:?}");
        assert_eq!(stats.unread[0].start, 0);
    }
}

#[test]
fn damage_that_leaves_no_offset_out_is_still_reported() {
    let mut reader = slice(6);
    reader.begin_response(&[]);
    push(&mut reader, &data(0, &[0, 1, 2], 0, Codec::None, false, false));
    reader.unreadable_to(3, UnreadReason::CorruptBatch, "bytes between two batches".to_owned());
    push(&mut reader, &data(3, &[0, 1, 2], 0, Codec::None, false, false));
    let (rows, stats, _) = reader.finish();
    assert_eq!(rows.records(), 6);
    assert_eq!((stats.unread.len(), stats.unread[0].start, stats.unread[0].stop), (1, 3, 3));
}

#[test]
fn a_commit_of_a_transaction_that_is_listed_as_aborted_is_a_contradiction() {
    let mut reader = slice(4);
    reader.begin_response(&[AbortedTransaction { producer_id: PRODUCER, first_offset: 0 }]);
    push(&mut reader, &data(0, &[0, 1, 2], 0, Codec::None, false, true));
    let mut marker = BatchBuilder::new(3).leader_epoch(3).producer(PRODUCER, 0, -1).transactional().control();
    marker.append(1, Some(&ControlRecordType::Commit.to_key()), Some(&[0; 6])).unwrap();
    push(&mut reader, &marker.build().unwrap());
    assert_eq!(reader.finish().1.unread.len(), 1);
}

#[test]
fn legacy_wrappers_that_overlap_are_noticed() {
    let message = |offset| LegacyRecord { offset, timestamp: 1, key: None, value: Some(b"x".as_slice()) };
    let wrapper = |offsets: &[i64]| {
        let records: Vec<LegacyRecord<'_>> = offsets.iter().map(|offset| message(*offset)).collect();
        legacy_message_set(&LegacySet::new(1, Codec::Gzip), &records).unwrap()
    };
    let mut reader = slice(5);
    reader.begin_response(&[]);
    push(&mut reader, &wrapper(&[0, 1, 2]));
    push(&mut reader, &wrapper(&[1, 2, 3, 4]));
    assert_eq!(reader.finish().1.unread.len(), 1);
}

#[test]
fn only_the_marker_of_a_control_batch_explains_its_offset() {
    let mut marker = BatchBuilder::new(0)
        .leader_epoch(3)
        .producer(1, 0, -1)
        .transactional()
        .control()
        .last_offset_delta(99);
    marker.append(1, Some(&ControlRecordType::Commit.to_key()), Some(&[0; 6])).unwrap();
    let mut reader = slice(100);
    reader.begin_response(&[]);
    push(&mut reader, &marker.build().unwrap());
    assert_eq!(reader.finish().1.unexplained, [(1, 100)]);
}

#[test]
fn unread_ranges_are_bounded_in_number() {
    let mut reader = slice(4000);
    reader.begin_response(&[]);
    for base in (0..4000).step_by(4) {
        push(&mut reader, &data(base, &[0, 1], 0, Codec::None, false, false));
        let mut bad = data(base + 2, &[0, 1], 0, Codec::None, false, false);
        bad[40] ^= 1;
        push(&mut reader, &bad);
    }
    let (_, stats, _) = reader.finish();
    assert_eq!(stats.unread.len(), MAX_UNREAD_RANGES);
    assert_eq!(stats.unread.last().map(|unread| unread.stop), Some(4000));
}

#[test]
fn a_leader_epoch_that_goes_back_is_uncovered() {
    let with_epoch = |base: i64, epoch: i32| {
        let mut builder = BatchBuilder::new(base).leader_epoch(epoch);
        builder.append(1, None, Some(b"x")).unwrap();
        builder.build().unwrap()
    };
    let mut reader = slice(4);
    reader.begin_response(&[]);
    for (base, epoch) in [(0, 2), (1, 5), (2, 4), (3, 5)] {
        push(&mut reader, &with_epoch(base, epoch));
    }
    let (rows, stats, _) = reader.finish();
    assert_eq!(rows.records(), 3);
    assert_eq!(stats.unread.len(), 1);
    assert_eq!(stats.unread[0].reason, UnreadReason::LeaderEpochWentBack);
    assert_eq!((stats.unread[0].start, stats.unread[0].stop), (2, 3));
    assert_eq!(stats.leader_epochs, [(2, 0), (5, 1)]);
}

#[test]
fn legacy_messages_give_the_digests_of_the_same_v2_records() {
    let profile = Profile::default();
    let lanes = |bytes: &[u8]| {
        let spec = SliceSpec { start: 0, stop: 4, isolation_level: IsolationLevel::ReadCommitted };
        let mut reader = SliceReader::new(spec, CellBuilder::new(&profile, 0, &[]), OUTPUT_LIMIT);
        reader.begin_response(&[]);
        let mut rest = bytes;
        while let Some(frame) = peek(rest, 0).unwrap() {
            let (entry, after) = rest.split_at(frame.size);
            reader.push(&frame, entry).unwrap();
            rest = after;
        }
        let (cells, _) = reader.finish().0.finish();
        read_cells(&cells).unwrap()[0].lanes
    };
    let values: Vec<Vec<u8>> = (0..4).map(value).collect();
    let records: Vec<LegacyRecord<'_>> = (0..4)
        .map(|offset| LegacyRecord {
            offset,
            timestamp: timestamp(offset),
            key: None,
            value: Some(&values[offset as usize]),
        })
        .collect();
    let v2 = lanes(&data(0, &[0, 1, 2, 3], 0, Codec::Zstd, false, false));
    for codec in [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4] {
        let set = LegacySet::new(1, codec);
        assert_eq!(lanes(&legacy_message_set(&set, &records).unwrap()), v2, "{codec:?}");
    }
}

#[test]
fn an_empty_stretch_of_many_cells_is_one_row() {
    let profile = Profile::default();
    let mut builder = CellBuilder::new(&profile, 10, &[70_000]);
    builder.gap(CELL_OFFSETS * 1000 + 5, Gap::Compacted);
    let (cells, _) = builder.finish();
    let starts: Vec<i64> = read_cells(&cells).unwrap().iter().map(|cell| cell.start).collect();
    assert_eq!(starts, [10, CELL_OFFSETS, 70_000, CELL_OFFSETS * 1000]);
}

#[test]
fn rows_that_do_not_add_up_are_refused() {
    let profile = Profile::default();
    let mut builder = CellBuilder::new(&profile, 0, &[]);
    builder.gap(10, Gap::Control);
    let (cells, _) = builder.finish();
    assert_eq!(cells.len(), CELL_BYTES);
    assert!(matches!(read_cells(&cells[1..]), Err(LayoutError::Length { .. })));
    let mut wrong = cells.clone();
    wrong[8] ^= 1;
    assert!(matches!(read_cells(&wrong), Err(LayoutError::Inconsistent { .. })));
    assert!(matches!(read_cells(&[cells.clone(), cells].concat()), Err(LayoutError::Inconsistent { .. })));
}
