"""Reports made by hand, for golden files and schemas; the first is what the seed's own run would say."""

from dataclasses import replace

from kcompare.model import (
    Effect,
    ErrorEntry,
    Finding,
    FindingKind,
    FirstDivergence,
    GapOffsets,
    IsolationLevel,
    Mode,
    OffsetRange,
    OffsetRelation,
    OffsetsReport,
    OptionsReport,
    PartitionReport,
    Reason,
    RecordField,
    Report,
    RunInfo,
    Side,
    SideCoverage,
    TailPartition,
    TailRecord,
    TailReport,
    TailView,
    TopicReport,
    Totals,
    Verdict,
    ViewReport,
    Where,
)

FIELDS = (RecordField.KEY, RecordField.VALUE, RecordField.HEADERS, RecordField.TIMESTAMP)
IDENTICAL = OffsetsReport(OffsetRelation.IDENTICAL, 0, 1)
UNKNOWN = OffsetsReport(None, None, None)
RUN = RunInfo("2026-11-23T04:00:00Z", 12.5, 671_712.4, 148_897_792, "0.1.0", workers=2)
LEFT = ViewReport("kafka://kafka:9092/blogs", "kafka", "5L6g3nShT-eMCtK--X86sw", "2Ps9bCxJRWGUOLkIz8dBOg")
RIGHT = ViewReport("kafka://kafka-mirror:9092/my-source-cluster.blogs", "kafka", "Mk3OEYBSQ6-l7rGJ8vEFsA")
OPTIONS = OptionsReport(
    mode=Mode.LOG,
    mode_reason="cleanup.policy is delete on both sides",
    fields=FIELDS,
    fields_reason="auto",
    left_isolation=IsolationLevel.READ_COMMITTED,
    right_isolation=IsolationLevel.READ_COMMITTED,
)


def coverage(stop: int, *, start: int = 0, allowed: int = 0, uncovered: int = 0, control: int = 0) -> SideCoverage:
    """One side whose every offset but those of control records holds a record."""
    return SideCoverage(
        log_start_offset=start,
        high_watermark=stop,
        last_stable_offset=stop,
        planned=OffsetRange(start, stop),
        records=stop - start - control - uncovered,
        covered_offsets=stop - start - control - uncovered - allowed,
        gap_offsets=GapOffsets(control=control),
        allowed_offsets=allowed,
        uncovered_offsets=uncovered,
    )


def partition(  # noqa: PLR0913  (a report has that many parts)
    index: int,
    left: SideCoverage | None,
    right: SideCoverage | None,
    *findings: Finding,
    verdict: Verdict = Verdict.EQUAL,
    compared: int = 0,
    divergence: FirstDivergence | None = None,
    total: int | None = None,
    fields: tuple[RecordField, ...] = FIELDS,
    warnings: tuple[str, ...] = (),
) -> PartitionReport:
    """A partition with identical offsets where it was compared."""
    return PartitionReport(
        partition=index,
        verdict=verdict,
        left=left,
        right=right,
        compared_records=compared,
        offsets=IDENTICAL if compared else UNKNOWN,
        first_divergence=divergence,
        findings=findings,
        findings_total=len(findings) if total is None else total,
        fields=fields,
        warnings=warnings,
    )


def report(verdict: Verdict, exit_code: int, *partitions: PartitionReport) -> Report:
    """A report of one pair of topics with the sums of its partitions."""
    left = sum(entry.left.records for entry in partitions if entry.left)
    right = sum(entry.right.records for entry in partitions if entry.right)
    compared = sum(entry.compared_records for entry in partitions)
    return Report(
        verdict=verdict,
        exit_code=exit_code,
        left=LEFT,
        right=RIGHT,
        options=OPTIONS,
        topics=(TopicReport("blogs", "my-source-cluster.blogs", verdict, partitions),),
        totals=Totals(left, right, compared, 95 * left, 97 * right),
        errors=(),
        run=RUN,
    )


def allowed_tail(index: int, start: int, stop: int) -> Finding:
    return Finding(
        FindingKind.ONLY_RIGHT,
        Effect.ALLOWED,
        index,
        right=OffsetRange(start, stop),
        records=stop - start,
        where=Where.TAIL,
        detail="its timestamps span 2021-06-23T14:24:34.120Z to 2021-06-23T14:55:02.480Z",
    )


def equal_with_tail() -> Report:
    """The restored snapshot and the mirror that went on."""
    ends = ((0, 1_233_046, 1_563_575), (1, 1_224_673, 1_546_779), (2, 1_250_705, 1_565_948))
    partitions = [
        partition(
            index,
            coverage(left),
            coverage(right, allowed=right - left),
            allowed_tail(index, left, right),
            compared=left,
        )
        for index, left, right in ends
    ]
    made = report(Verdict.EQUAL, 0, *partitions)
    return replace(made, options=replace(OPTIONS, allow_tail="right"), notes=("same_lineage",))


def different_changed() -> Report:
    """One record with another value and timestamp, and a run that the right side has twice."""
    changed = Finding(
        FindingKind.CHANGED,
        Effect.DIFFERENCE,
        1,
        left=OffsetRange(17, 18),
        right=OffsetRange(17, 18),
        records=1,
        fields=(RecordField.VALUE, RecordField.TIMESTAMP),
    )
    doubled = Finding(
        FindingKind.DUPLICATED,
        Effect.DIFFERENCE,
        1,
        right=OffsetRange(900, 1_000),
        records=100,
        detail="the records of right [800, 900) again",
    )
    gap = Finding(FindingKind.OFFSET_GAP, Effect.EXPLAINED, 0, records=0, side=Side.LEFT, detail="2 control records")
    return report(
        Verdict.DIFFERENT,
        1,
        partition(0, coverage(1_000, control=2), coverage(998), gap, compared=998),
        partition(
            1,
            coverage(900),
            coverage(1_000),
            doubled,
            changed,
            verdict=Verdict.DIFFERENT,
            compared=899,
            divergence=FirstDivergence(17, 17, (RecordField.VALUE, RecordField.TIMESTAMP)),
            total=7,
            fields=FIELDS[:3],
            warnings=("some batches are LogAppendTime, so the timestamp is not compared",),
        ),
    )


def inconclusive() -> Report:
    """A partition that stalled, one that the right side lacks, and an authorization that was refused."""
    stalled = Finding(
        FindingKind.UNVERIFIED,
        Effect.UNVERIFIED,
        0,
        right=OffsetRange(400, 1_000),
        side=Side.RIGHT,
        reason=Reason.STALLED,
        detail="no byte came for 60 s",
    )
    refused = Finding(FindingKind.UNVERIFIED, Effect.UNVERIFIED, 1, side=Side.RIGHT, reason=Reason.REFUSED)
    made = report(
        Verdict.INCONCLUSIVE,
        4,
        partition(
            0,
            coverage(1_000),
            coverage(1_000, uncovered=600),
            stalled,
            verdict=Verdict.INCONCLUSIVE,
            compared=400,
        ),
        partition(1, coverage(50), None, refused, verdict=Verdict.INCONCLUSIVE),
        partition(2, coverage(500), coverage(500), compared=500),
    )
    errors = (
        ErrorEntry(
            "STALLED",
            "broker 2 at kafka-mirror:9092 sent nothing for 60 s; raise --stall-timeout or see the broker",
            fatal=False,
            side=Side.RIGHT,
            view=RIGHT.view,
            topic="my-source-cluster.blogs",
            partition=0,
        ),
        ErrorEntry(
            "TOPIC_AUTHORIZATION_FAILED",
            "not authorized to read \x1b[31mmy-source-cluster.blogs\u202e; grant Read on the topic",
            fatal=True,
            side=Side.RIGHT,
            view=RIGHT.view,
            topic="my-source-cluster.blogs",
            partition=1,
        ),
    )
    return replace(made, errors=errors)


def not_compared() -> Report:
    """Exit 2: the topic does not exist."""
    message = "topic 'blgs' does not exist at kafka://kafka:9092/blgs; look at the name"
    return Report(
        verdict=None,
        exit_code=2,
        left=ViewReport("kafka://kafka:9092/blgs", "kafka"),
        right=RIGHT,
        options=None,
        topics=(),
        totals=Totals(),
        errors=(ErrorEntry("UNKNOWN_TOPIC_OR_PARTITION", message, fatal=True),),
        run=RunInfo("2026-11-23T04:00:00Z", 0.2, 0.0, 0, "0.1.0"),
    )


def many_partitions() -> Report:
    """A hundred partitions, of which the last but one lost a record and another was not read in full."""
    lost = Finding(
        FindingKind.ONLY_LEFT,
        Effect.DIFFERENCE,
        98,
        left=OffsetRange(42, 43),
        records=1,
        where=Where.MIDDLE,
    )
    open_one = Finding(
        FindingKind.UNVERIFIED,
        Effect.UNVERIFIED,
        71,
        left=OffsetRange(90, 100),
        side=Side.LEFT,
        reason=Reason.OPEN_TRANSACTION,
    )
    partitions = [partition(index, coverage(100), coverage(100), compared=100) for index in range(100)]
    partitions[98] = partition(
        98,
        coverage(100),
        coverage(99),
        lost,
        verdict=Verdict.DIFFERENT,
        compared=99,
        divergence=FirstDivergence(42, 42),
    )
    partitions[98] = replace(partitions[98], offsets=OffsetsReport(OffsetRelation.MAPPED, None, 2))
    partitions[71] = partition(
        71,
        coverage(100, uncovered=10),
        coverage(100),
        open_one,
        verdict=Verdict.INCONCLUSIVE,
        compared=90,
    )
    partitions[3] = replace(partitions[3], offsets=OffsetsReport(OffsetRelation.SHIFTED, -5, 1))
    return report(Verdict.DIFFERENT, 1, *partitions)


def empty_allowed() -> Report:
    """Two empty logs under --allow-empty."""
    made = report(Verdict.EQUAL, 0, partition(0, coverage(7, start=7), coverage(0)))
    topic = replace(made.topics[0], left="blogs", right="blogs")
    return replace(made, topics=(topic,), options=replace(OPTIONS, allow_empty=True))


def missing_partitions() -> Report:
    """The right topic has one partition less."""
    shape = Finding(FindingKind.PARTITION_COUNT, Effect.DIFFERENCE, 0, detail="left has 2, right has 1")
    made = report(
        Verdict.DIFFERENT,
        1,
        partition(0, coverage(10), coverage(10), compared=10),
        partition(1, coverage(10), None, verdict=Verdict.INCONCLUSIVE),
    )
    return replace(made, topics=(replace(made.topics[0], findings=(shape,)),))


def many_topics() -> Report:
    """Twelve pairs of topics: one parts, one is missing on the right, one is refused, and ranges were given."""
    parted = many_partitions().topics[0].partitions[97:]
    missing = Finding(
        FindingKind.TOPIC_MISSING,
        Effect.DIFFERENCE,
        None,
        side=Side.RIGHT,
        detail="the right side has no topic 'src.topic-08'",
    )
    refused = Finding(
        FindingKind.UNVERIFIED,
        Effect.UNVERIFIED,
        None,
        side=Side.LEFT,
        reason=Reason.REFUSED,
        detail="the cluster refused to describe topic 'topic-05'",
    )
    good = (partition(0, coverage(100), coverage(100), compared=100),)
    entries = []
    for index in range(12):
        name = f"topic-{index:02}"
        verdict, parts, findings = {
            3: (Verdict.DIFFERENT, parted, ()),
            5: (Verdict.INCONCLUSIVE, (), (refused,)),
            8: (Verdict.DIFFERENT, (), (missing,)),
        }.get(index, (Verdict.EQUAL, good, ()))
        entries.append(TopicReport(name, f"src.{name}", verdict, parts, findings, Mode.LOG, "as named by --mode"))
    return replace(
        report(Verdict.DIFFERENT, 1, *(part for entry in entries for part in entry.partitions)),
        left=replace(LEFT, view="kafka://kafka:9092/", topic_id=None),
        right=replace(RIGHT, view="kafka://kafka-mirror:9092/"),
        topics=tuple(entries),
        options=replace(
            OPTIONS, topics="topic-.*", map=(r"(.*)=src.\1",), left_range="-100", right_range="@2026-11-01T00:00:00Z:"
        ),
        run=replace(RUN, planning_seconds=0.4),
    )


REPORTS = {
    "many_topics": many_topics,
    "equal_with_tail": equal_with_tail,
    "different_changed": different_changed,
    "inconclusive": inconclusive,
    "not_compared": not_compared,
    "many_partitions": many_partitions,
    "empty_allowed": empty_allowed,
    "missing_partitions": missing_partitions,
}


def tail_of_seed(*, values: bool = False) -> TailReport:
    """The ends of the restored topic as the seed shows them, three records a partition."""
    ends = (
        (0, 1_233_046, 1_624_458_274_000),
        (1, 1_224_673, 1_624_458_275_000),
        (2, 1_250_705, 1_624_458_295_000),
    )
    payloads = (
        (b"user-7", "Wed Jun 23 14:24:34 UTC 2021 -- blogs-f5d8f5d58-4xqhs é".encode()),
        (None, b"\x1b]0;owned\x07" + b"\xff" * 80),
        (b"", None),
    )
    partitions = []
    for index, stop, last in ends:
        records = []
        for step, (key, value) in enumerate(payloads):
            records.append(
                TailRecord(
                    offset=stop - 3 + step,
                    timestamp=-1 if step == 1 else last - 2_000 + 1_000 * step,
                    key_bytes=-1 if key is None else len(key),
                    value_bytes=-1 if value is None else len(value),
                    key=key if values else None,
                    value=value if values else None,
                )
            )
        partitions.append(TailPartition(index, 0, stop, stop - 3, tuple(records), last))
    return TailReport((TailView("kafka://kafka:9092/blogs", tuple(partitions), 21_000, 1_224_673),))


def tail_with_errors() -> TailReport:
    """A partition that could not be read and one that is empty."""
    partitions = (
        TailPartition(0, 5, 5, 5, (), None),
        TailPartition(1, 0, 9, 0, (), None, error="broker 3 at kafka:9092 refused the connection"),
    )
    error = ErrorEntry(
        "UNREACHABLE",
        "broker 3 at kafka:9092 refused the connection; look whether it runs",
        fatal=False,
        view="kafka://kafka:9092/blogs",
        topic="blogs",
        partition=1,
    )
    return TailReport((TailView("kafka://kafka:9092/blogs", partitions, None, 5),), (error,))


TAILS = {
    "tail": tail_of_seed,
    "tail_values": lambda: tail_of_seed(values=True),
    "tail_errors": tail_with_errors,
}
