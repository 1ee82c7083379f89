"""Random pairs of logs under random options, each report held to an oracle that knows every record.

    python -m tests.faults.pairs --seeds 500
    python -m tests.faults.pairs --first 1234 --seeds 1 --verbose

A seed is one comparison: sixteen partitions, each a case of its own, and the options that they share.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kcompare.model import SIDES
from tests.support.clusters import Clusters, FakeCluster, partitions
from tests.support.pairs import PARTITIONS, case_of, terms_of
from tests.support.pairs_oracle import DeviationError, check

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kcompare.model import Finding, PartitionReport
    from tests.support.pairs import Case, Terms


@dataclass
class Tally:
    """What a campaign has seen so far: verdicts, effects and kinds of findings, and where the oracle disagrees."""

    seen: Counter[str] = field(default_factory=Counter)
    deviations: list[str] = field(default_factory=list)

    def add(self, seed: int, case: Case, terms: Terms, report: PartitionReport) -> None:
        """Counts one partition and judges it."""
        self.seen[report.verdict.value] += 1
        self.seen.update({f"{finding.kind.value}: {finding.effect.value}" for finding in report.findings})
        try:
            check(case, terms, report)
        except DeviationError as error:
            found = "\n      ".join(map(_shown, report.findings))
            self.deviations.append(
                f"seed {seed} partition {report.partition}: {error}\n    {case.describe()}\n    {terms.describe()}\n"
                f"    {report.verdict.value}, first {report.first_divergence}\n      {found}"
            )


def _shown(finding: Finding) -> str:
    left, right = (f"[{own.start}, {own.stop})" if own else "-" for own in (finding.left, finding.right))
    where = f" at the {finding.where.value}" if finding.where else ""
    why = f" {finding.reason.value}" if finding.reason else ""
    return f"{finding.kind.value}{where}: {finding.effect.value}{why} {left} {right} {finding.records} {finding.detail}"


def play(seed: int, clusters: Clusters, tally: Tally) -> None:
    """Compares the sixteen pairs of a seed."""
    terms = terms_of(seed)
    cases = [case_of(seed * PARTITIONS + number) for number in range(PARTITIONS)]
    left, right = ([case.logs[side] for case in cases] for side in SIDES)
    report = clusters.compare(left, right, settle_s=0.02, **terms.options())
    found = partitions(report)
    wanted = range(PARTITIONS) if terms.partitions is None else terms.partitions
    assert [one.partition for one in found] == list(wanted), f"seed {seed}: partitions are missing"
    for one in found:
        tally.add(seed, cases[one.partition], terms, one)


def campaign(seeds: Iterable[int]) -> Tally:
    """Plays the seeds, one after the other."""
    tally = Tally()
    with FakeCluster("left") as left, FakeCluster("right") as right:
        for seed in seeds:
            play(seed, Clusters(left, right), tally)
    return tally


def main() -> int:
    """Runs a campaign; 1 means that the oracle disagrees."""
    parser = argparse.ArgumentParser(description="Compare random pairs of logs and hold the reports to an oracle.")
    parser.add_argument("--seeds", type=int, default=200, help="how many (default: 200)")
    parser.add_argument("--first", type=int, default=0, help="the first seed (default: 0)")
    parser.add_argument("--verbose", action="store_true", help="print what was seen, by kind and effect")
    options = parser.parse_args()
    started = time.monotonic()
    tally = campaign(range(options.first, options.first + options.seeds))
    cases = sum(tally.seen[verdict] for verdict in ("EQUAL", "DIFFERENT", "INCONCLUSIVE"))
    print(f"{cases} pairs from seed {options.first} in {time.monotonic() - started:.0f} s")
    for name, count in sorted(tally.seen.items()):
        if options.verbose or name.isupper():
            print(f"  {name:28}{count:7}")
    print(f"deviations: {len(tally.deviations)}")
    print("".join(f"  {line}\n" for line in tally.deviations), end="")
    return bool(tally.deviations)


if __name__ == "__main__":
    raise SystemExit(main())
