//! Where a log starts and ends, and why: the rules for log directories in `docs/semantics.md`.

use kcompare_core::digest::UnreadReason;

use super::damage::{Damage, DamageKind, Spot};
use super::layout::PartitionDir;
use super::partition::{EndReason, LostRange};
use super::segments::Segment;

/// The end of a log.
#[derive(Debug)]
pub(super) struct Ending {
    pub(super) log_end_offset: i64,
    pub(super) reason: EndReason,
    pub(super) detail: String,
    /// Planned offsets behind everything that can be read.
    pub(super) lost: Option<LostRange>,
}

/// Decides on the end of a log. `tail` is the damage behind the last sound batch, `reached` the offset that batches and
/// names of segments have reached.
pub(super) fn ending_of(dir: &PartitionDir, segments: &[Segment], tail: &[Spot], reached: i64) -> Ending {
    match (segments.last(), tail.first()) {
        (None, _) => no_segments(dir),
        (Some(last), None) => sound(dir, last, reached),
        (Some(last), Some(first)) => damaged(dir, segments, tail, &first.damage, last.base_offset),
    }
}

fn no_segments(dir: &PartitionDir) -> Ending {
    let start = dir.log_start_checkpoint.unwrap_or(0);
    let log_end_offset = dir.recovery_point.unwrap_or(0).max(start.saturating_add(1));
    let detail = format!("{} holds no segment file", dir.path.display());
    let reason = UnreadReason::MissingSegment;
    let lost = Some(LostRange { start, stop: log_end_offset, reason, detail: detail.clone() });
    Ending { log_end_offset, reason: EndReason::RecoveryPoint, detail, lost }
}

fn sound(dir: &PartitionDir, last: &Segment, reached: i64) -> Ending {
    let name = last.name();
    if let Some(recovery_point) = dir.recovery_point.filter(|point| *point > reached) {
        let detail = format!(
            "everything below offset {recovery_point} was flushed, and {name} ends the log at offset {reached}: a \
             segment or its end is missing"
        );
        let reason = UnreadReason::MissingSegment;
        let lost = Some(LostRange { start: reached, stop: recovery_point, reason, detail: detail.clone() });
        return Ending { log_end_offset: recovery_point, reason: EndReason::RecoveryPoint, detail, lost };
    }
    if let Some(start) = dir.log_start_checkpoint.filter(|start| *start > reached) {
        let detail = format!(
            "the log-start checkpoint says offset {start}, and {name} ends the log at offset {reached}: a segment or \
             its end is missing"
        );
        return Ending { log_end_offset: start, reason: EndReason::RecoveryPoint, detail, lost: None };
    }
    let (reason, how) = if dir.clean_shutdown {
        (EndReason::CleanShutdown, "the broker was shut down cleanly")
    } else {
        (EndReason::EndOfSegment, "the broker was not shut down cleanly")
    };
    let detail = format!("{name} ends with a whole batch at offset {reached}, and {how}");
    Ending { log_end_offset: reached, reason, detail, lost: None }
}

/// Damage with no sound batch behind it, which is an end only where nothing speaks against it.
fn damaged(
    dir: &PartitionDir,
    segments: &[Segment],
    tail: &[Spot],
    first: &Damage,
    last_base: i64,
) -> Ending {
    let place = format!("{}: {}", segments[first.segment].name(), first.detail);
    let from = first.from;
    let recovery_point = dir.recovery_point.unwrap_or(0);
    let against = if let Some(why) = tail.iter().find_map(|spot| spot.never_end.clone()) {
        why
    } else if !dir.recovery_point_known {
        "up to where the broker had flushed is not known".to_owned()
    } else if dir.clean_shutdown && dir.recovery_point.is_none() {
        "the broker was shut down cleanly and wrote down no recovery point for the partition".to_owned()
    } else if from < recovery_point {
        format!("everything below offset {recovery_point} was flushed")
    } else {
        let reason = match first.kind {
            DamageKind::Torn => EndReason::TornTail,
            DamageKind::Zeros => EndReason::ZeroTail,
            DamageKind::Corrupt | DamageKind::BadCrc => EndReason::CorruptTail,
        };
        let start = dir.log_start_checkpoint.unwrap_or(from);
        return Ending { log_end_offset: from.max(start), reason, detail: place, lost: None };
    };
    let holds_data = tail.iter().filter(|spot| spot.never_end.is_some()).map(|spot| spot.damage.from);
    let written_to = holds_data.fold(from, i64::max).saturating_add(1);
    let log_end_offset = written_to.max(recovery_point).max(last_base);
    let detail = format!("{place}; this is not the end of what was written: {against}");
    let reason = tail.first().map_or(UnreadReason::DamageBeforeEnd, |spot| spot.reason);
    let lost = Some(LostRange { start: from, stop: log_end_offset, reason, detail: detail.clone() });
    Ending { log_end_offset, reason: EndReason::DamageBeforeEnd, detail, lost }
}
