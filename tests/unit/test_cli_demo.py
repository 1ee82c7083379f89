"""The demo runs the real commands over the wire of two brokers in this process."""

import re

import pytest

from kcompare.cli.demo import DAMAGES
from kcompare.cli.main import run
from kcompare.engine.demo import DAMAGED_OFFSET, RESTORED_STOPS, SEGMENT, Damage

FOUND = {
    "none": "",
    "drop-segment": f"only_right in the middle, right [{SEGMENT.start}, {SEGMENT.stop}), 1,000 records",
    "drop-record": f"only_right in the middle, right [{DAMAGED_OFFSET}, {DAMAGED_OFFSET + 1}), 1 record",
    "duplicate": "duplicated, left [7412, 7413), 1 record",
    "swap": f"reordered, left [{DAMAGED_OFFSET}, {DAMAGED_OFFSET + 2})",
    "change-value": f"changed, left [{DAMAGED_OFFSET}, {DAMAGED_OFFSET + 1})",
    "change-header": f"changed, left [{DAMAGED_OFFSET}, {DAMAGED_OFFSET + 1})",
    "fork": f"forked, left [{DAMAGED_OFFSET}, {RESTORED_STOPS[1]})",
    "flip-bit": "unverified (corrupt_batch), left [7400, 7600)",
}
CODES = {"none": 0, "flip-bit": 3}


@pytest.mark.parametrize("damage", DAMAGES)
def test_each_damage_is_found_where_it_is(damage: str, capsys: pytest.CaptureFixture[str]) -> None:
    code = run(["demo", "--damage", damage])
    shown = capsys.readouterr().out
    assert code == CODES.get(damage, 1)
    assert FOUND[damage] in shown
    # The records that were written after the restore end later.
    skew = "skew between partition heads: " + ("" if damage == "fork" else "21.000 s")
    assert skew in shown
    assert "$ kcompare compare kafka://127.0.0.1:" in shown
    verdicts = re.findall(r"^(EQUAL|DIFFERENT|INCONCLUSIVE): ", shown, re.MULTILINE)
    assert verdicts == [{0: "EQUAL", 1: "DIFFERENT", 3: "INCONCLUSIVE"}[code]]


def test_an_unknown_damage_is_a_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["demo", "--damage", "fire"]) == 2
    assert "'fire'" in capsys.readouterr().err


def test_the_command_line_knows_every_damage() -> None:
    assert tuple(DAMAGES) == tuple(damage.value for damage in Damage)
