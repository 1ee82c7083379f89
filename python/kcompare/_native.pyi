"""The Rust extension: what it reads, digests and compares. This stub is its reference.

Every call that works on a slice releases the GIL for all of it, takes a :class:`CancelToken` that it polls at least
every 100 ms, and raises only the exceptions of :mod:`kcompare.errors`. Arguments are keyword-only. Digest tables cross
the boundary as bytes of fixed-size rows, little endian; ``docs/formats.md`` gives them byte by byte and
:mod:`kcompare.store.tables` views them with numpy.
"""

from collections.abc import Iterable, Sequence

__version__: str
DEBUG_BUILD: bool
CELL_BYTES: int
ANCHOR_BYTES: int
ROW_BYTES: int
CELL_OFFSETS: int
DIGEST_VERSION: int
DEFAULT_SEED: int

class CancelToken:
    """A flag that stops every native call that was given it."""

    def __init__(self) -> None: ...
    def cancel(self) -> None:
        """Set the flag; it is never cleared."""
    def is_cancelled(self) -> bool:
        """Whether the flag is set."""

class MemoryBudget:
    """One budget in bytes for everything in flight and decoded, shared by ``workers`` threads.

    Half of it is divided among the workers; one worker at a time may use the other half for a batch that is too large
    for its share.
    """

    def __init__(self, *, total_bytes: int, workers: int) -> None: ...
    @property
    def share(self) -> int:
        """What each worker always has, in bytes."""
    @property
    def large_limit(self) -> int:
        """The largest batch, stored or decompressed, that can be read, in bytes."""

class RateLimit:
    """So many bytes per second for everything that shares it: all threads, both sides, either data path.

    A quarter of a second's bytes may be read at once after a pause. Waiting is first come, first served.

    Raises:
        ValueError: the rate is below one byte per second.
    """

    def __init__(self, *, bytes_per_second: int) -> None: ...
    def take(self, *, bytes: int, cancel: CancelToken) -> None:  # noqa: A002 - a keyword; no body that it could mislead
        """Block, without the GIL, until ``bytes`` may be read.

        The native client does so by itself, before each fetch.

        Raises:
            kcompare.errors.InterruptedRunError: ``cancel`` was set meanwhile.
        """

class Progress:
    """Counters of one or several slices, updated while a call runs."""

    def __init__(self) -> None: ...
    @property
    def records(self) -> int:
        """Records digested."""
    @property
    def bytes(self) -> int:
        """Bytes of record batches read."""
    @property
    def offsets(self) -> int:
        """Offsets accounted for."""

class NamePattern:
    """A regular expression for whole topic names, matched in linear time.

    Raises:
        ValueError: the text is none; the message is one clause that says why.
    """

    def __init__(self, *, pattern: str) -> None: ...
    @property
    def group_count(self) -> int:
        """Groups of the pattern."""
    def groups(self, *, name: str) -> list[str | None] | None:
        """The whole match and its groups; None where the pattern does not match the whole name."""

class PartitionMetadata:
    """A partition as the cluster's metadata shows it."""

    partition: int
    leader: int
    leader_epoch: int
    error_code: int
    error: str

class TopicMetadata:
    """A topic as the cluster's metadata shows it. ``topic_id`` is 16 bytes, zero where the cluster has no ids."""

    name: str
    topic_id: bytes
    error_code: int
    error: str
    partitions: list[PartitionMetadata]

class ClusterMetadata:
    """Brokers are ``(node id, host, port)``."""

    cluster_id: str | None
    brokers: list[tuple[int, str, int]]
    topics: list[TopicMetadata]

class NativeBounds:
    """Bounds of a partition as its leader gave them; ``error`` is empty where it gave them."""

    partition: int
    leader: int
    leader_epoch: int
    log_start_offset: int
    high_watermark: int
    last_stable_offset: int
    listed_end: int
    error_code: int
    error: str

class SliceRead:
    """What came of reading a slice. The rows cover every offset of it, whatever happened.

    Attributes:
        rows: cell rows of ``read_cells``, record rows of ``read_rows``.
        anchors: anchor rows of ``read_cells``.
        end: ``reached`` or the reason word why the rest of the slice is uncovered.
        end_code: the broker's error name, or empty.
        position: the first offset that was not accounted for by a batch.
        unread: ``(start, stop, reason, sentence)`` for each range that was read and not trusted.
        unexplained: the first gaps without a cause, as ``(start, stop)``; ``unexplained_total`` counts all.
        leader_epochs: ``(leader epoch, base offset of its first batch)`` in order of appearance.
    """

    rows: bytes
    anchors: bytes
    records: int
    bytes: int
    end: str
    end_code: str
    end_detail: str
    position: int
    log_start_offset: int
    high_watermark: int
    last_stable_offset: int
    unread: list[tuple[int, int, str, str]]
    unexplained: list[tuple[int, int]]
    unexplained_total: int
    leader_epochs: list[tuple[int, int]]
    throttle_ms: int

class TimeOrder:
    """Whether the timestamps of a slice ascend; records without one (-1) are passed over.

    Attributes:
        first: ``(offset, timestamp, whether it is the broker's)`` of the first record, None without any.
        last: ``(timestamp, whether it is the broker's)`` of the last one.
        steps: the first records with an earlier timestamp than the one before, as ``(offset, the earlier record's
            timestamp, its own, whether both are a broker's)``; ``total`` counts all of them.
        broker_total: those between two timestamps of a broker.
        largest_ms: by how much at most.
    """

    first: tuple[int, int, bool] | None
    last: tuple[int, bool] | None
    steps: list[tuple[int, int, int, bool]]
    total: int
    broker_total: int
    largest_ms: int

class Cluster:
    """A Kafka cluster to read from, safe to use from many threads.

    It sends only ApiVersions, Metadata, ListOffsets, DescribeConfigs, Fetch and OffsetForLeaderEpoch.

    Raises:
        kcompare.errors.UnreachableError: no bootstrap server could be reached.
        kcompare.errors.RefusedError: the listener wants credentials.
        kcompare.errors.ProtocolError: it answers with something else than Kafka's protocol.
    """

    def __init__(
        self,
        *,
        bootstrap: Sequence[tuple[str, int]],
        client_id: str,
        rack_id: str | None,
        connect_timeout_ms: int,
        request_timeout_ms: int,
        stall_timeout_ms: int,
        cancel: CancelToken,
        rate_limit: RateLimit | None = None,
    ) -> None: ...
    def metadata(self, *, topics: Sequence[str] | None) -> ClusterMetadata:
        """Metadata of the named topics, of all with None. Never creates a topic."""
    def bounds(self, *, topic: str) -> list[NativeBounds]:
        """Bounds of every partition, one entry each, by ListOffsets and a Fetch at the end."""
    def offsets_at(self, *, topic: str, timestamp_ms: int) -> list[tuple[int, int, int, str]]:
        """For every partition ``(partition, offset, error code, error name)``; the name is empty where there is none.

        The offset is the first one whose timestamp is at least ``timestamp_ms``, milliseconds since 1970, and -1 where
        no record is that young. Timestamps need not ascend: later records may be older.

        Raises:
            ValueError: ``timestamp_ms`` is negative.
        """
    def topic_configs(self, *, topic: str) -> dict[str, str]:
        """The topic's configuration."""
    def epoch_ends(self, *, topic: str, epochs: Sequence[tuple[int, int]]) -> list[tuple[int, int, int]]:
        """For ``(partition, leader epoch)`` pairs: ``(partition, leader epoch, end offset)``, -1 unknown (KIP-101)."""
    def read_cells(
        self,
        *,
        topic: str,
        topic_id: bytes,
        partition: int,
        start: int,
        stop: int,
        isolation_level: str,
        checkpoints: Sequence[int],
        settle_ms: int,
        bytes_per_offset: int,
        budget: MemoryBudget,
        cancel: CancelToken,
        progress: Progress,
    ) -> SliceRead:
        """Read offsets ``[start, stop)`` and digest them into cell and anchor rows.

        Rows end at every cell border and at each of ``checkpoints``. Never raises for what the cluster does: the rest
        of the slice is then uncovered and ``end`` says why.
        """
    def read_check(
        self,
        *,
        topic: str,
        topic_id: bytes,
        partition: int,
        start: int,
        stop: int,
        bytes_per_offset: int,
        budget: MemoryBudget,
        cancel: CancelToken,
        progress: Progress,
    ) -> tuple[SliceRead, TimeOrder]:
        """As :meth:`read_cells` under ``read_uncommitted``, without anchors; looks at the timestamps, too."""
    def read_rows(
        self,
        *,
        topic: str,
        topic_id: bytes,
        partition: int,
        start: int,
        stop: int,
        isolation_level: str,
        limit: int,
        budget: MemoryBudget,
        cancel: CancelToken,
    ) -> SliceRead:
        """Read the first ``limit`` records of ``[start, stop)`` as record rows."""
    def read_records(
        self,
        *,
        topic: str,
        topic_id: bytes,
        partition: int,
        start: int,
        stop: int,
        isolation_level: str,
        limit: int,
        value_limit_bytes: int,
        budget: MemoryBudget,
        cancel: CancelToken,
    ) -> tuple[list[tuple[int, int, int, int, bytes | None, bytes | None]], SliceRead]:
        """Read records as ``(offset, timestamp, key bytes, value bytes, key, value)``.

        The last ``limit`` records of the range are kept; keys and values are cut to ``value_limit_bytes`` (none of
        them with 0). The ``SliceRead`` has no rows.
        """

class LogDirRoot:
    """One log directory of a broker. ``problems`` are sentences about checkpoint files that could not be read.

    Attributes:
        clean_shutdown: it carries the mark of a clean shutdown.
        tiered: something shows that the broker keeps segments in remote storage.
        device: together with ``inode`` it tells whether two paths are the same directory.
        foreign: directories in it that are no partition's: a broker that finds one does not start.
    """

    path: str
    cluster_id: str | None
    node_id: int | None
    directory_id: str | None
    clean_shutdown: bool
    tiered: bool
    device: int
    inode: int
    problems: list[str]
    foreign: list[str]

class LogDirPartition:
    """The directory of one partition, with what the checkpoint files say of it (None: nothing).

    Attributes:
        root: index into :meth:`LogDirs.roots`.
        topic_id: 16 bytes, zero where there is no ``partition.metadata``.
        cleaner_checkpoint: how far the log cleaner has come, which shows that the topic was compacted.
        problems: sentences about its own files that could not be read.
    """

    partition: int
    path: str
    root: int
    topic_id: bytes
    recovery_point: int | None
    log_start_checkpoint: int | None
    high_watermark_checkpoint: int | None
    cleaner_checkpoint: int | None
    device: int
    inode: int
    problems: list[str]

class LogDirBounds:
    """Where the log of a partition starts and ends, and why. ``error`` is empty where that could be found out.

    Attributes:
        log_start_offset: of the log-start checkpoint, or of the first segment.
        log_end_offset: one past the last planned offset.
        last_stable_offset: the first offset of the earliest open transaction, or the end of the log.
        readable_end_offset: one past the last sound batch; below the end of the log where flushed data is gone.
        end_reason: ``clean_shutdown``, ``end_of_segment``, ``torn_tail``, ``zero_tail`` and ``corrupt_tail`` are ends
            of a log; with ``recovery_point`` and ``damage_before_end`` something is missing there.
        end_detail: the same as a sentence, with file and position.
        high_watermark_checkpoint: seconds old and never a bound.
        first_segment: base offset of the first segment, -1 without one.
        segments: how many there are; ``bytes`` is their size.
        leader_epoch: of the last batch, or the last of ``leader-epoch-checkpoint``; -1 unknown.
        leader_epochs: ``(leader epoch, first offset)`` as the batches have them.
        checkpoint_epochs: the same as ``leader-epoch-checkpoint`` has them; earlier restores show here.
        lost: ``(start, stop, reason, sentence)`` of planned offsets that are known to be lost.
        segment_holes: ``(start, stop)`` between the last batch of a segment and the name of the next one.
        cleaner_checkpoint: how far the log cleaner has come, which shows that the topic was compacted.
        ignored: ``(path, base offset, bytes, why)`` of segment files that a broker would delete when it starts; why is
            ``deleted``, ``cleaned``, ``unfinished_swap`` or ``replaced``.
    """

    topic_id: bytes
    partition: int
    log_start_offset: int
    log_end_offset: int
    last_stable_offset: int
    readable_end_offset: int
    end_reason: str
    end_detail: str
    high_watermark_checkpoint: int | None
    log_start_checkpoint: int | None
    recovery_point: int | None
    first_segment: int
    segments: int
    bytes: int
    leader_epoch: int
    leader_epochs: list[tuple[int, int]]
    checkpoint_epochs: list[tuple[int, int]]
    lost: list[tuple[int, int, str, str]]
    segment_holes: list[tuple[int, int]]
    ignored: list[tuple[str, int, int, str]]
    cleaner_checkpoint: int | None
    clean_shutdown: bool
    path: str
    device: int
    inode: int
    error: str

class LogDirs:
    """The log directories of one broker, opened read-only; safe to use from many threads.

    Raises:
        kcompare.errors.UsageError: a path is no log directory, or they belong to different brokers, or hold the same
            partition twice.
        kcompare.errors.SourceError: the operating system refuses.
    """

    def __init__(self, *, paths: Sequence[str], cancel: CancelToken, rate_limit: RateLimit | None = None) -> None: ...
    def roots(self) -> list[LogDirRoot]:
        """The log directories, in the order given."""
    def topics(self) -> list[str]:
        """The names of all topics, ascending."""
    def set_aside(self) -> list[tuple[str, str, int, str]]:
        """``(path, topic, partition, kind)`` of directories that a broker would not serve.

        The kind is ``delete``, ``future`` or ``stray``; brokers cut long topic names off.
        """
    def partitions(self, *, topic: str) -> list[LogDirPartition]:
        """The partitions of a topic, ascending, without a look at their segments; empty without such a topic."""
    def bounds(self, *, topic: str) -> list[LogDirBounds]:
        """Bounds of every partition, one entry each, by a pass over the batch headers that is made once.

        Raises:
            kcompare.errors.InterruptedRunError: the cancel token was set.
        """
    def offsets_at(self, *, topic: str, timestamp_ms: int) -> list[tuple[int, int, str]]:
        """For every partition ``(partition, offset, sentence)``; the sentence is empty where there is no error.

        The offset is the first one whose timestamp is at least ``timestamp_ms``, milliseconds since 1970, and -1 where
        no record is that young.
        """
    def epoch_ends(self, *, topic: str, epochs: Sequence[tuple[int, int]]) -> list[tuple[int, int, int]]:
        """As ``Cluster.epoch_ends``, by the epochs of the batches."""
    def read_cells(
        self,
        *,
        topic: str,
        partition: int,
        start: int,
        stop: int,
        isolation_level: str,
        checkpoints: Sequence[int],
        budget: MemoryBudget,
        cancel: CancelToken,
        progress: Progress,
    ) -> SliceRead:
        """As ``Cluster.read_cells``. A file that cannot be read is unread with ``io_error``.

        ``end`` is ``reached``, ``open_transaction``, ``truncated``, ``partition_unavailable`` or ``interrupted``.
        """
    def read_check(
        self,
        *,
        topic: str,
        partition: int,
        start: int,
        stop: int,
        budget: MemoryBudget,
        cancel: CancelToken,
        progress: Progress,
    ) -> tuple[SliceRead, TimeOrder]:
        """As ``Cluster.read_check``."""
    def read_rows(
        self,
        *,
        topic: str,
        partition: int,
        start: int,
        stop: int,
        isolation_level: str,
        limit: int,
        budget: MemoryBudget,
        cancel: CancelToken,
    ) -> SliceRead:
        """As ``Cluster.read_rows``."""
    def read_records(
        self,
        *,
        topic: str,
        partition: int,
        start: int,
        stop: int,
        isolation_level: str,
        limit: int,
        value_limit_bytes: int,
        budget: MemoryBudget,
        cancel: CancelToken,
    ) -> tuple[list[tuple[int, int, int, int, bytes | None, bytes | None]], SliceRead]:
        """As ``Cluster.read_records``."""
    def start_of(self, *, topic: str, partition: int, cancel: CancelToken) -> BrokerStart:
        """What a broker would do to the directory of a partition, and what its small files tell.

        Raises:
            kcompare.errors.SourceError: a file cannot be read.
            kcompare.errors.InterruptedRunError: the cancel token was set.
        """

class StartLoss:
    """A run of sound batches that a broker's start takes out of the log, or bytes that are no batch.

    Attributes:
        cause: in ``discarded``: ``behind_damage`` (it lies in a segment behind a batch that is not valid),
            ``later_segment`` (in a segment after that one), ``offsets_out_of_order`` (its segment is emptied),
            ``below_log_start`` (the whole log ends below the log-start checkpoint), ``overwritten`` (a split writes
            over it). In ``hidden``: ``above_log_end`` (kept, but new records get its offsets again), ``misplaced`` (no
            fetch finds it: its file's name does not cover its offsets, or an index or damage leads past it), ``stray``
            (the directory is renamed).
        file: the name of the segment file; ``position`` and ``end_position`` are bytes of it.
        start: the first offset; ``stop`` is one past the last one. Equal where there is no sound batch.
        batches: sound batches.
        records: records in them without control records, as the headers of the batches count them; compressed message
            sets of magic 0 and 1 are decoded.
        damaged_bytes: bytes at the front of the run that belong to no sound batch.
    """

    cause: str
    file: str
    position: int
    end_position: int
    start: int
    stop: int
    batches: int
    records: int
    damaged_bytes: int

class BrokerStart:
    """What a broker would do to a partition directory if it were started on it.

    Attributes:
        refused: why the broker would not come up at all, or its log directory go offline; then the offsets are 0.
        stray: without a topic id the directory is renamed and an empty log made in its place.
        log_start_offset: afterwards, before retention has its turn.
        log_end_offset: afterwards: where the next record is appended.
        deleted_files: ``(name, bytes, why)`` of files that go without any part of the log: ``deleted``, ``cleaned``,
            ``unfinished_swap``, ``replaced``, ``orphaned_index``.
        recovered: ``(file, base offset, why, truncated at byte, bytes cut off)`` in the order in which it happens; why
            is ``past_recovery_point``, ``no_offset_index``, ``bad_transaction_index`` or ``offsets_out_of_order``.
        discarded: what is cut off or deleted.
        hidden: what stays on disk and is not part of the log any more.
        reused: offsets that new records would be given although the directory holds, or held, others there.
        evidence: ``(kind, start, stop, sentence)`` of what the small files know that the segments do not show:
            ``epoch_start``, ``first_segment_missing``, ``last_segment_missing``, ``segment_hole``,
            ``first_batch_elsewhere``, ``index_missing``, ``index_unreliable``, ``deleted_above_end``.
    """

    refused: str | None
    stray: bool
    log_start_offset: int
    log_end_offset: int
    deleted_files: list[tuple[str, int, str]]
    recovered: list[tuple[str, int, str, int | None, int]]
    discarded: list[StartLoss]
    hidden: list[StartLoss]
    reused: tuple[int, int] | None
    evidence: list[tuple[str, int, int, str]]

def start_of_directory(
    *,
    path: str,
    clean_shutdown: bool,
    recovery_point: int | None,
    log_start_checkpoint: int | None,
    cancel: CancelToken,
) -> BrokerStart:
    """What a start would do to one partition directory, given what the log directory around it says.

    ``LogDirs.start_of`` knows that itself, and adds the evidence.

    Raises:
        kcompare.errors.SourceError: a file cannot be read.
        kcompare.errors.InterruptedRunError: the cancel token was set.
    """

class ColumnRead:
    """What came of a :class:`ColumnSlice`; the fields are those of :class:`SliceRead`.

    Attributes:
        last: records of ``last_records``, as ``Cluster.read_records`` gives them.
        order: of ``check``, whether timestamps ascend; else None.
    """

    rows: bytes
    anchors: bytes
    last: list[tuple[int, int, int, int, bytes | None, bytes | None]]
    order: TimeOrder | None
    records: int
    bytes: int
    position: int
    unexplained: list[tuple[int, int]]
    unexplained_total: int

class ColumnSlice:
    """Offsets ``[start, stop)`` of a partition whose records another client reads. For one thread at a time."""

    @staticmethod
    def cells(*, start: int, stop: int, checkpoints: Sequence[int], progress: Progress) -> ColumnSlice:
        """Digest the records into cell and anchor rows, as ``Cluster.read_cells`` does."""
    @staticmethod
    def check(*, start: int, stop: int, progress: Progress) -> ColumnSlice:
        """Digest the records without anchors and look at their timestamps, as ``Cluster.read_check`` does."""
    @staticmethod
    def row_table(*, start: int, stop: int, limit: int) -> ColumnSlice:
        """Make record rows of the first ``limit`` records, as ``Cluster.read_rows`` does."""
    @staticmethod
    def last_records(*, start: int, stop: int, limit: int, value_limit_bytes: int) -> ColumnSlice:
        """Keep the last ``limit`` records, as ``Cluster.read_records`` does."""
    @property
    def position(self) -> int:
        """Next offset that is not accounted for; ``stop`` once no further record is wanted."""
    def push(
        self,
        *,
        offsets: Iterable[int],
        timestamps: Iterable[tuple[int, int]],
        keys: Iterable[bytes | None],
        values: Iterable[bytes | None],
        headers: Iterable[Sequence[tuple[str, bytes | None]] | None],
    ) -> int:
        """Take a batch of records, an iterable a field, and return the bytes of keys, values and headers.

        Also that no other records lie before and between them; those at or past the stop say only this. Timestamps are
        ``(type, milliseconds)`` with librdkafka's types: 0 none, 1 the producer's, 2 the broker's. An exception of
        ``headers`` ends the batch before the record that it is about: those before are taken, and it is raised.

        Raises:
            ValueError: offsets do not ascend, from the position on; nothing was taken.
            TypeError: a field is none of the above; nothing was taken.
        """
    def skip_to(self, *, offset: int) -> None:
        """Take that no further record lies before ``offset``."""
    def finish(self) -> ColumnRead:
        """End the slice; what lies past the position is uncovered."""

class Stretch:
    """Offsets on each side, ``(start, stop)``, whose records are not proven equal."""

    left: tuple[int, int]
    right: tuple[int, int]
    left_records: int
    right_records: int

class OffsetAlignment:
    """What two logs have in common at the same offsets. Record counts are below, in and past the common range."""

    common: tuple[int, int]
    left_records: tuple[int, int, int]
    right_records: tuple[int, int, int]
    matched: int
    dirty: list[Stretch]

class Alignment:
    """Two digested logs held against each other.

    Attributes:
        equal: the whole ranges hold the same records in the same order, at whatever offsets.
        relation: where ``equal``, ``identical``, ``shifted`` or ``mapped``; else None.
        shift: right minus left, where ``shifted`` or ``identical``.
        by_offset: None where no offset is planned on both sides.
        prefix: ``(left offset, right offset, records)`` up to which the logs are proven equal from their starts.
        differs_before: the next such place, up to which they are proven different; None where there is none.
        suffix: the place from which they are proven equal to their ends; records are counted from there to the end.
    """

    equal: bool
    relation: str | None
    shift: int | None
    left_records: int
    right_records: int
    by_offset: OffsetAlignment | None
    prefix: tuple[int, int, int]
    differs_before: tuple[int, int, int] | None
    suffix: tuple[int, int, int]

class Run:
    """Records that differ: ``(start, stop)`` are indices into the rows that were given.

    ``kind`` is one of ``duplicated``, ``reordered``, ``changed``, ``forked``, ``only_left``, ``only_right`` and
    ``unclassified``: matched by offset, but the same records stand at other offsets;
    ``alone`` says that the other side has no unmatched record at this place.
    """

    kind: str
    left: tuple[int, int]
    right: tuple[int, int]
    records: int
    fields: list[str]
    alone: bool

def align(
    *,
    left_cells: bytes,
    left_anchors: bytes,
    left_start: int,
    right_cells: bytes,
    right_anchors: bytes,
    right_start: int,
    timestamps: bool,
    offsets: bool,
) -> Alignment:
    """Compare two digested logs; ``timestamps`` and ``offsets`` say which fields count beside the content.

    Raises:
        ValueError: the rows are inconsistent.
    """

def prefix_lanes(*, cells: bytes, anchors: bytes, start: int, offset: int) -> bytes | None:
    """The lanes of a digested log below ``offset``, as bytes to compare; None where it has no checkpoint there."""

def extend_lanes(*, lanes: bytes | None, rows: bytes) -> bytes:
    """The lanes that follow when the records of ``rows`` are appended to ``lanes`` (None: to nothing)."""

def concat_lanes(*, left: bytes, right: bytes) -> bytes:
    """The lanes of the records of ``left`` followed by those of ``right``."""

def same_lanes(*, left: bytes, right: bytes, timestamps: bool, offsets: bool) -> bool:
    """Whether two lanes are of the same records in the same order, in content and in what else is named."""

def common_rows(*, left_rows: bytes, right_rows: bytes, timestamps: bool, offsets: bool) -> int:
    """How many records from the start of both tables are the same."""

def diff_rows(
    *,
    left_rows: bytes,
    right_rows: bytes,
    timestamps: bool,
    offsets: bool,
    by_offset: bool,
    to_the_end: bool,
    epoch_starts: bool,
    limit: int,
) -> list[Run] | None:
    """Diff two tables of records and name the runs; None when more than ``limit`` edits are needed.

    With ``by_offset``, records match only at the same offset and the limit does not count. With ``to_the_end`` the rows
    go on to the ends of both logs, and what one side has left there costs no edit.
    """

class MemoryStore:
    """Topics in memory for a :class:`Broker` to serve; may change while it does."""

    def __init__(self) -> None: ...
    def create_topic(self, *, name: str, topic_id: bytes, partitions: int, configs: dict[str, str]) -> None:
        """Create an empty topic with the given 16-byte id."""
    def delete_topic(self, *, name: str) -> bool:
        """Delete a topic; tells whether it was there."""
    def recreate_topic(self, *, name: str, topic_id: bytes) -> None:
        """Delete a topic and create it again, empty, under another id."""
    def append(self, *, topic: str, partition: int, batches: bytes) -> None:
        """Append whole batches; only their frames are looked at."""
    def append_unchecked(self, *, topic: str, partition: int, data: bytes, next_offset: int) -> None:
        """Append bytes that are served as one batch, whatever they are."""
    def set_log_start_offset(self, *, topic: str, partition: int, offset: int) -> None:
        """Move the log start, as retention does."""
    def set_high_watermark(self, *, topic: str, partition: int, offset: int | None) -> None:
        """Fix the high watermark; None lets it follow the end of the log."""
    def set_last_stable_offset(self, *, topic: str, partition: int, offset: int | None) -> None:
        """Fix the last stable offset; None lets it follow the high watermark."""
    def add_aborted(self, *, topic: str, partition: int, producer_id: int, first_offset: int, last_offset: int) -> None:
        """Note an aborted transaction, from its first offset to its marker."""
    def set_leader(self, *, topic: str, partition: int, node_id: int | None) -> None:
        """Name the node that leads a partition; None is whichever broker is asked."""

class Broker:
    """A small read-only Kafka broker. Raises OSError where it cannot listen."""

    def __init__(
        self,
        *,
        store: MemoryStore,
        cluster_id: str,
        node_id: int,
        listen: str,
        max_versions: dict[int, int],
    ) -> None: ...
    @property
    def port(self) -> int:
        """The port it listens on."""
    def requests(self) -> dict[int, int]:
        """How often each API key was asked for."""
    def set_peers(self, *, peers: Sequence[tuple[int, str, int]]) -> None:
        """The other brokers of the cluster as ``(node id, host, port)``."""
    def add_fault(
        self,
        *,
        api_key: int,
        action: str,
        number: int = 0,
        data: bytes | None = None,
        topic: str | None = None,
        partition: int | None = None,
        from_offset: int | None = None,
        skip: int = 0,
        times: int | None = None,
    ) -> int:
        """Script a fault; ``number`` and ``data`` mean what the action takes. Returns its number."""
    def fault_count(self, *, fault: int) -> int:
        """How often a fault has struck."""
    def clear_faults(self) -> None:
        """Behave again."""
    def stop(self) -> None:
        """Close every connection and stop."""

class DirectoryBroker:
    """A read-only Kafka broker over log directories. It takes no writes, and nothing of it can be made to misbehave.

    It has the cluster id and node id of the directories. A partition that cannot be scanned is an error, since a topic
    without it would look complete; offsets that are lost answer CORRUPT_MESSAGE.

    Args:
        topics: the names of those to serve.
        host: the address to listen on; ``port`` 0 is any that is free.
        cancel: ends the first look at the partitions; set before :meth:`stop`, it ends searches by timestamp, too.

    Raises:
        kcompare.errors.SourceError: a partition cannot be read.
        kcompare.errors.InterruptedRunError: the cancel token was set.
        ValueError: ``host`` is no address.
        OSError: the address cannot be listened on.
    """

    def __init__(
        self, *, directories: LogDirs, topics: Sequence[str], host: str, port: int, cancel: CancelToken
    ) -> None: ...
    @property
    def port(self) -> int:
        """The port it listens on."""
    def stop(self) -> None:
        """Close every connection and stop; takes at most a few tenths of a second."""

def encode_batch(
    *,
    base_offset: int,
    records: Sequence[tuple[int, int, bytes | None, bytes | None, Sequence[tuple[bytes, bytes | None]]]],
    codec: str = "none",
    leader_epoch: int = 0,
    producer_id: int = -1,
    transactional: bool = False,
    log_append_time: int | None = None,
    last_offset_delta: int | None = None,
) -> bytes:
    """A v2 record batch of ``(offset, timestamp, key, value, headers)`` records, for the demo and for tests."""

def encode_marker(*, offset: int, timestamp: int, producer_id: int, committed: bool) -> bytes:
    """A control batch that ends a transaction."""
