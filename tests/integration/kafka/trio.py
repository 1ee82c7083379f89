"""One cluster of three brokers: partitions have replicas, and their leaders can move."""

from __future__ import annotations

import contextlib
import shutil
import struct
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from confluent_kafka import ElectionType, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic, PartitionMetadata

from tests.integration.kafka.broker import HOST, Broker, new_cluster_id
from tests.integration.kafka.cluster import QUIET, TIMEOUT_S, Cluster, retry
from tests.integration.kafka.wire import WireConnection, WireError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

NODES = (1, 2, 3)
CONTROLLER = 1
"""The node that is controller, too; tests leave it running and do as they like with the others."""

ALTER_PARTITION_REASSIGNMENTS = 45

PROPERTIES = {
    # A dead broker is missed in 3 s and not in 9.
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "500",
    # Leaders move when a test says so.
    "auto.leader.rebalance.enable": "false",
}


class Node(Broker):
    """A broker of a cluster that has others; the first one made is its controller."""

    # Tests start these again and again, and never ask much of them.
    java_options = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")

    def __init__(self, folder: Path, number: int, cluster_id: str, controller: Node | None, logs: Path | None) -> None:
        self.number = number
        self._cluster_id = cluster_id
        self._controller = controller
        super().__init__(folder / f"node-{number}", f"node-{number}", properties=PROPERTIES, heap="320m", logs=logs)

    def _addresses(self) -> dict[str, str]:
        found = super()._addresses() | {"node.id": str(self.number)}
        if self._controller is None:
            return found
        return found | {
            "process.roles": "broker",
            "listeners": f"PLAINTEXT://{self.bootstrap},PROXIED://{HOST}:{self.proxied_port}",
            "advertised.listeners": f"PLAINTEXT://{self.bootstrap},PROXIED://{HOST}:{self.proxy_port}",
            "controller.quorum.bootstrap.servers": f"{HOST}:{self._controller.controller_port}",
        }

    def _format_options(self) -> list[str]:
        alone = [] if self._controller else ["--standalone"]
        return [*alone, "-t", self._cluster_id]


class Trio:
    """Three brokers, their topics, and who leads what."""

    def __init__(self, folder: Path, logs: Path | None = None) -> None:
        cluster_id = new_cluster_id()
        first = Node(folder, CONTROLLER, cluster_id, None, logs)
        others = [Node(folder, number, cluster_id, first, logs) for number in NODES if number != CONTROLLER]
        self.nodes = {node.number: Cluster(node) for node in (first, *others)}
        self._bootstrap = ",".join(node.bootstrap for node in self.nodes.values())
        self._admin: AdminClient | None = None

    @property
    def admin(self) -> AdminClient:
        """A client that any of the brokers will do for."""
        if self._admin is None:
            self._admin = AdminClient({"bootstrap.servers": self._bootstrap, **QUIET})
        return self._admin

    def start(self) -> None:
        """Starts whatever does not run, and waits until the brokers know one another."""
        for node in self.nodes.values():
            if node.broker.pid is None:
                node.broker.launch()
        for node in self.nodes.values():
            node.broker.wait_ready()
        retry(lambda: len(self.admin.list_topics(timeout=5).brokers) == len(NODES), "three brokers are not one cluster")

    def kill(self) -> None:
        """Ends all of them at once."""
        for node in self.nodes.values():
            node.kill()

    def create_topic(self, name: str, replicas: Sequence[Sequence[int]], **configs: str) -> str:
        """Creates a topic; of each partition's replicas the first one is to lead."""
        settings = {"retention.ms": "-1"} | {key.replace("_", "."): value for key, value in configs.items()}
        topic = NewTopic(name, len(replicas), replica_assignment=[list(nodes) for nodes in replicas], config=settings)
        self.admin.create_topics([topic])[name].result(TIMEOUT_S)
        for partition, nodes in enumerate(replicas):
            self.wait_led(name, partition, nodes[0])
            self.wait_in_sync(name, partition)
        return name

    def partition(self, topic: str, number: int) -> PartitionMetadata | None:
        """Leader, replicas and replicas in sync, as the brokers tell now."""
        return self.admin.list_topics(topic, timeout=TIMEOUT_S).topics[topic].partitions.get(number)

    def wait_led(self, topic: str, number: int, node: int) -> None:
        """Waits until this node leads."""

        def led() -> bool:
            found = self.partition(topic, number)
            return found is not None and found.leader == node

        retry(led, f"node {node} does not lead {topic}-{number}")

    def launch(self, number: int) -> None:
        """Starts one broker and waits until it takes connections."""
        self.nodes[number].broker.launch()
        self.nodes[number].broker.wait_ready()

    def wait_out_of_sync(self, topic: str, number: int, node: int) -> None:
        """Waits until this replica may lag."""

        def out() -> bool:
            found = self.partition(topic, number)
            return found is not None and node not in found.isrs

        retry(out, f"node {node} is still in sync for {topic}-{number}")

    def wait_in_sync(self, topic: str, number: int) -> None:
        """Waits until all replicas hold everything."""

        def in_sync() -> bool:
            found = self.partition(topic, number)
            return found is not None and set(found.isrs) == set(found.replicas)

        retry(in_sync, f"the replicas of {topic}-{number} are not in sync")

    def move_leader(self, topic: str, number: int, node: int) -> None:
        """Lets a replica lead that is not the first of its partition: it becomes the first, and is elected."""
        found = self.partition(topic, number)
        if found is None or node not in found.replicas:
            raise ValueError(f"node {node} holds no replica of {topic}-{number}")
        order = [node, *(each for each in found.replicas if each != node)]
        with WireConnection(self.nodes[CONTROLLER].bootstrap) as connection:
            _reassign(connection, topic, number, order)
        place = TopicPartition(topic, number)

        def elected() -> bool:
            failed = self.admin.elect_leaders(ElectionType.PREFERRED, [place]).result(TIMEOUT_S)[place]
            # A controller that has nothing to do says so as an error; `wait_led` sees whether it is right.
            if failed is not None and failed.code() != KafkaError.ELECTION_NOT_NEEDED:
                raise KafkaException(failed)
            return True

        retry(elected, f"node {node} was not elected for {topic}-{number}")
        self.wait_led(topic, number, node)


def _reassign(connection: WireConnection, topic: str, partition: int, replicas: Sequence[int]) -> None:
    """Sends AlterPartitionReassignments v0, which confluent-kafka has no method for.

    The request is flexible: lengths are one higher than they are, in one byte here, and tagged fields are none.

    References:
        https://kafka.apache.org/protocol.html#The_Messages_AlterPartitionReassignments
    """
    name = bytes([len(topic) + 1]) + topic.encode()
    wanted = struct.pack(f">ib{len(replicas)}i", partition, len(replicas) + 1, *replicas)
    header_tags = request_tags = b"\0"
    body = struct.pack(">i", 30_000) + b"\2" + name + b"\2" + wanted + b"\0" + b"\0"
    connection.send(ALTER_PARTITION_REASSIGNMENTS, 0, header_tags, body, request_tags)
    answer = connection.receive(bytearray(1024))
    # Tags of the header and throttle_time_ms, then the error code of the whole and its message.
    (code,) = struct.unpack_from(">h", answer, 5)
    if code != 0:
        raise WireError(f"the reassignment of {topic}-{partition} was refused with error code {code}")
    # No message (1), one topic (1) with its name, one partition (1) with its number (4).
    (code,) = struct.unpack_from(">h", answer, 7 + 1 + 1 + len(name) + 1 + 4)
    if code != 0:
        raise WireError(f"{topic}-{partition} was not reassigned: error code {code}")


@contextlib.contextmanager
def start_trio(*, logs: Path | None = None) -> Iterator[Trio]:
    """Starts three brokers, and ends them and removes their data on the way out."""
    folder = Path(tempfile.mkdtemp(prefix="kcompare-trio-"))
    trio = Trio(folder, logs)
    try:
        trio.start()
        yield trio
    finally:
        trio.kill()
        shutil.rmtree(folder)
