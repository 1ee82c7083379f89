"""A broker that asks its authorizer about everything, for nobody in particular: its listener is plain."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    ResourcePatternType,
    ResourceType,
)

from tests.integration.kafka.broker import Broker
from tests.integration.kafka.cluster import TIMEOUT_S, Cluster, retry

if TYPE_CHECKING:
    from collections.abc import Iterator

ANONYMOUS = "User:ANONYMOUS"
"""Who comes in by a plain listener."""

PROPERTIES = {
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    # What no list speaks of is open, so that fixtures can be written and a list for one topic is all there is.
    "allow.everyone.if.no.acl.found": "true",
}


class GuardedCluster(Cluster):
    """The cluster of such a broker."""

    def deny(self, topic: str, *operations: AclOperation) -> None:
        """Takes these operations on a topic from everybody and leaves the others; the broker knows of it on return."""
        wanted = [self._entry(topic, operation, AclPermissionType.DENY) for operation in operations]
        # A topic with a list is closed to what the list does not name.
        wanted.append(self._entry(topic, AclOperation.ALL, AclPermissionType.ALLOW))
        for done in self.admin.create_acls(wanted).values():
            done.result(TIMEOUT_S)
        entries = AclBindingFilter(
            ResourceType.TOPIC,
            topic,
            ResourcePatternType.LITERAL,
            ANONYMOUS,
            "*",
            AclOperation.ANY,
            AclPermissionType.ANY,
        )
        retry(
            lambda: len(self.admin.describe_acls(entries).result(TIMEOUT_S)) == len(wanted),
            f"the access control list of {topic} is not in force",
        )

    @staticmethod
    def _entry(topic: str, operation: AclOperation, permission: AclPermissionType) -> AclBinding:
        return AclBinding(ResourceType.TOPIC, topic, ResourcePatternType.LITERAL, ANONYMOUS, "*", operation, permission)


@contextlib.contextmanager
def start_guarded(*, logs: Path | None = None) -> Iterator[GuardedCluster]:
    """Starts a cluster whose topics can be closed, and ends it and removes its data on the way out."""
    folder = Path(tempfile.mkdtemp(prefix="kcompare-guarded-"))
    cluster = GuardedCluster(Broker(folder / "guarded", "guarded", properties=PROPERTIES, heap="512m", logs=logs))
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.kill()
        shutil.rmtree(folder)
