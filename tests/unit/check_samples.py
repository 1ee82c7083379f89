"""Reports of checks made by hand, for golden files and schemas."""

from dataclasses import replace

from kcompare.check_model import (
    CheckEffect,
    CheckFinding,
    CheckKind,
    CheckOptions,
    CheckPartition,
    CheckReport,
    CheckTopic,
    CheckTotals,
    Soundness,
    StartReport,
    TimeReport,
)
from kcompare.model import DataPath, ErrorEntry, OffsetRange, ViewReport
from tests.unit.report_samples import RUN, coverage

VIEW = ViewReport(
    "logdir:/mnt/snapshot/kafka/blogs",
    "logdir",
    "5L6g3nShT-eMCtK--X86sw",
    "2Ps9bCxJRWGUOLkIz8dBOg",
    DataPath.NATIVE,
    "log directories need no client",
    node_id=1,
)
TIMES = TimeReport(1_700_000_000_000, 1_700_000_900_000, 1_700_000_000_000, 1_700_000_900_000)
OPTIONS = CheckOptions(allow_gaps=False, allow_empty=False, partitions=None, topics=None)


def partition(
    index: int,
    verdict: Soundness,
    stop: int,
    *,
    uncovered: int = 0,
    start: StartReport | None = None,
    end: str = "end_of_segment",
    findings: int = 0,
) -> CheckPartition:
    """A partition of a log directory from offset 0 on."""
    covered = replace(
        coverage(stop, uncovered=uncovered), end_reason=end, recovery_point=stop // 2, high_watermark_checkpoint=stop
    )
    return CheckPartition(
        partition=index,
        verdict=verdict,
        coverage=covered,
        batches=covered.records // 10,
        bytes=covered.records * 95,
        segments=4,
        times=TIMES,
        leader_epochs=((0, 0), (2, 1000)),
        start=start or StartReport(None, 0, stop),
        findings_total=findings,
    )


def report(
    verdict: Soundness, code: int, *partitions: CheckPartition, findings: tuple[CheckFinding, ...] = ()
) -> CheckReport:
    """A report of one topic with the sums of its partitions."""
    records = sum(entry.coverage.records for entry in partitions if entry.coverage)
    topic = CheckTopic(
        "blogs", verdict, VIEW.topic_id, False, "the cleaner's checkpoint does not list the topic", partitions
    )
    return CheckReport(
        verdict=verdict,
        exit_code=code,
        view=VIEW,
        options=OPTIONS,
        topics=(topic,),
        findings=findings,
        findings_total=len(findings),
        totals=CheckTotals(records, records // 10, records * 95),
        errors=(),
        run=RUN,
    )


def found(kind: CheckKind, effect: CheckEffect, index: int, start: int, stop: int, **more: object) -> CheckFinding:
    """A finding about offsets of a partition."""
    return replace(CheckFinding(kind, effect, "blogs", index, OffsetRange(start, stop)), **more)  # type: ignore[arg-type]


def check_sound() -> CheckReport:
    """A directory at rest."""
    steps = found(
        CheckKind.TIMESTAMPS_GO_BACK,
        CheckEffect.INFORMATION,
        1,
        812,
        813,
        records=3,
        detail="3 records are older than the one before, by 15 ms at most; the first from 1700000000015 to "
        "1700000000000",
    )
    return report(
        Soundness.SOUND,
        0,
        partition(0, Soundness.SOUND, 1_233_046, end="clean_shutdown"),
        partition(1, Soundness.SOUND, 1_224_673, end="torn_tail"),
        findings=(steps,),
    )


def check_damaged() -> CheckReport:
    """A hot copy in which a middle segment is missing, and a flipped byte that a start would make expensive."""
    start = StartReport(
        None, 0, 600_000, discarded_records=69_183, hidden_records=0, reused=OffsetRange(600_000, 669_183)
    )
    findings = (
        found(
            CheckKind.MISSING_SEGMENT,
            CheckEffect.DEFECT,
            0,
            592_469,
            612_297,
            detail="no segment file holds these 19828 offsets; the cleaner's checkpoint does not list the topic, "
            "so that nothing but a loss explains it",
        ),
        found(
            CheckKind.DAMAGE,
            CheckEffect.DEFECT,
            1,
            600_000,
            600_010,
            reason="damage_before_end",
            path="blogs-1/00000000000000592469.log",
            detail="record batch at offset 600000: the CRC is wrong",
        ),
        found(
            CheckKind.START_DISCARDS,
            CheckEffect.DEFECT,
            1,
            600_000,
            669_183,
            records=69_183,
            reason="later_segment",
            detail="a broker that is started on this directory deletes them",
        ),
        CheckFinding(
            CheckKind.SET_ASIDE,
            CheckEffect.INFORMATION,
            "blogs",
            2,
            reason="delete",
            path="/mnt/snapshot/kafka/blogs-2.8e1f-delete",
            detail="a broker deletes this directory when it starts",
        ),
    )
    made = report(
        Soundness.DAMAGED,
        1,
        partition(0, Soundness.DAMAGED, 1_233_046, findings=1),
        partition(1, Soundness.DAMAGED, 669_183, uncovered=10, start=start, findings=2),
        partition(2, Soundness.SOUND, 1_000, findings=1),
        findings=findings,
    )
    return replace(made, findings_total=5)


def check_inconclusive() -> CheckReport:
    """A cluster with several topics, of which one did not answer."""
    made = report(Soundness.INCONCLUSIVE, 5, partition(0, Soundness.INCONCLUSIVE, 100, uncovered=40))
    cluster = replace(made.topics[0].partitions[0], segments=None, start=None)
    cause = found(
        CheckKind.UNVERIFIED,
        CheckEffect.UNVERIFIED,
        0,
        60,
        100,
        reason="unreachable",
        detail="partition 0 of topic 'blogs' at offset 60: nobody answers",
    )
    sound = replace(
        made.topics[0],
        topic="orders",
        verdict=Soundness.SOUND,
        compacted=True,
        compacted_reason="cleanup.policy contains compact",
        partitions=(replace(cluster, verdict=Soundness.SOUND, coverage=coverage(10)),),
    )
    return replace(
        made,
        view=ViewReport("kafka://kafka:9092/", "kafka", "5L6g3nShT-eMCtK--X86sw", None, DataPath.NATIVE, "auto"),
        options=CheckOptions(allow_gaps=True, allow_empty=True, partitions=(0,), topics="blogs|orders"),
        topics=(replace(made.topics[0], partitions=(cluster,)), sound),
        findings=(cause,),
        findings_total=1,
        notes=("tls_unverified",),
        errors=(
            ErrorEntry(
                "UNREACHABLE",
                "nobody answers",
                fatal=False,
                view="kafka://kafka:9092/blogs",
                topic="blogs",
                partition=0,
            ),
        ),
    )


def check_not_made() -> CheckReport:
    """A mistake in the call."""
    error = ErrorEntry("USAGE", "topic 'blog' of view logdir:/mnt/blog does not exist; name one that does", fatal=True)
    return CheckReport(None, 2, ViewReport("logdir:/mnt/blog", "logdir"), None, (), (), 0, CheckTotals(), (error,), RUN)


CHECKS = {
    "check_sound": check_sound,
    "check_damaged": check_damaged,
    "check_inconclusive": check_inconclusive,
    "check_not_made": check_not_made,
}
