"""Random pairs of logs under random options: the reports hold against an oracle that knows every record.

``python -m tests.faults.pairs --seeds 500`` tries more seeds. What the oracle would let pass is tried here, too.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from kcompare.engine import by_offset, by_ordinal, examine, runs
from kcompare.model import SIDES, Effect, FindingKind, FirstDivergence, Verdict
from tests.faults.pairs import Tally, play
from tests.support.clusters import Clusters, partitions
from tests.support.pairs import PARTITIONS, case_of, terms_of
from tests.support.pairs_oracle import DeviationError, check

SEEDS = range(48)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("first", range(0, len(SEEDS), 8))
def test_no_report_says_what_the_records_do_not(clusters: Clusters, first: int) -> None:
    tally = Tally()
    for seed in SEEDS[first : first + 8]:
        play(seed, clusters, tally)
    assert not tally.deviations, "\n".join(tally.deviations)
    assert {"EQUAL", "DIFFERENT", "INCONCLUSIVE"} <= set(tally.seen)


@pytest.mark.timeout(120)
@pytest.mark.parametrize(("limit", "first"), [(20, 5000), (3, 6057)])
def test_nor_past_the_limits_of_what_is_read_again(
    clusters: Clusters, monkeypatch: pytest.MonkeyPatch, limit: int, first: int
) -> None:
    """Logs as short as these come past limits only where the limits are low."""
    for module in (by_offset, by_ordinal, examine, runs):
        monkeypatch.setattr(module, "ROW_LIMIT", limit)
    for module, name in ((by_ordinal, "EDIT_LIMIT"), (by_ordinal, "WINDOW_RECORDS"), (by_offset, "WINDOW")):
        monkeypatch.setattr(module, name, max(2, limit // 5))
    tally = Tally()
    for seed in range(first, first + 12):
        play(seed, clusters, tally)
    assert not tally.deviations, "\n".join(tally.deviations)
    assert tally.seen["unclassified: difference"] > 10


def test_the_oracle_notices_a_report_that_is_wrong(clusters: Clusters) -> None:
    """Every report of some seeds, with one thing in it changed."""
    noticed = {"equal": 0, "different": 0, "first": 0, "records": 0, "compared": 0, "lost finding": 0}
    tried = dict.fromkeys(noticed, 0)
    for seed in SEEDS[:12]:
        terms = terms_of(seed)
        cases = [case_of(seed * PARTITIONS + number) for number in range(PARTITIONS)]
        left, right = ([case.logs[side] for case in cases] for side in SIDES)
        for report in partitions(clusters.compare(left, right, settle_s=0.02, **terms.options())):
            case = cases[report.partition]
            first = report.first_divergence
            wrong = {}
            if report.verdict is Verdict.DIFFERENT:
                kept = tuple(found for found in report.findings if found.effect is not Effect.DIFFERENCE)
                wrong["equal"] = replace(report, verdict=Verdict.EQUAL, first_divergence=None)
                wrong["lost finding"] = replace(report, findings=kept, findings_total=len(kept))
            elif report.verdict is Verdict.EQUAL:
                wrong["different"] = replace(report, verdict=Verdict.DIFFERENT)
                wrong["compared"] = replace(report, compared_records=report.compared_records + 1)
            if first is not None and not terms.head and not terms.tail and first.left_offset is not None:
                moved = FirstDivergence(first.left_offset + 1, first.right_offset, first.fields)
                wrong["first"] = replace(report, first_divergence=moved)
            runs = [found for found in report.findings if found.kind is not FindingKind.OFFSET_GAP]
            if runs and runs[0].kind is not FindingKind.UNVERIFIED:
                other = replace(runs[0], records=runs[0].records + 1)
                wrong["records"] = replace(report, findings=(other, *report.findings[1:]))
            for name, changed in wrong.items():
                tried[name] += 1
                try:
                    check(case, terms, changed)
                except DeviationError:
                    noticed[name] += 1
    assert min(tried.values()) > 10, tried
    # Beside unread offsets little can be known, and an allowance may explain a difference that another kind is.
    shares = {name: noticed[name] / tried[name] for name in tried}
    assert all(share > 0.9 for share in shares.values()), shares
