"""The demo runs the real commands, on two log directories and over the wire of the brokers that serve them."""

import re
import tempfile
from pathlib import Path

import pytest

from kcompare.cli.demo import DAMAGES
from kcompare.cli.main import run
from kcompare.engine.demo import DAMAGED_OFFSET, RESTORED_STOPS, SEGMENT, Damage

FOUND = {
    "none": "",
    "drop-segment": f"unverified (missing_segment), left [{SEGMENT.start}, {SEGMENT.stop})",
    "drop-record": f"only_right in the middle, right [{DAMAGED_OFFSET}, {DAMAGED_OFFSET + 1}), 1 record",
    "duplicate": "duplicated, left [7412, 7413), 1 record",
    "swap": f"reordered, left [{DAMAGED_OFFSET}, {DAMAGED_OFFSET + 2})",
    "change-value": f"changed, left [{DAMAGED_OFFSET}, {DAMAGED_OFFSET + 1})",
    "change-header": f"changed, left [{DAMAGED_OFFSET}, {DAMAGED_OFFSET + 1})",
    "fork": f"forked, left [{DAMAGED_OFFSET}, {RESTORED_STOPS[1]})",
    "flip-bit": "unverified (damage_before_end), left [7400, 7600)",
}
CODES = {"none": 0, "drop-segment": 3, "flip-bit": 3}
ALONE = {
    "drop-segment": "partition 1, missing_segment, [6000, 7000)",
    "drop-record": "partition 1, hole, [7411, 7412)",
    "flip-bit": "partition 1, damage (damage_before_end), [7400, 7600)",
}
"""What one side tells alone; of the other kinds it can tell nothing."""


@pytest.mark.parametrize("damage", DAMAGES)
def test_each_damage_is_found_where_it_is(
    damage: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    code = run(["demo", "--damage", damage])
    shown, complaints = capsys.readouterr()
    assert code == CODES.get(damage, 1)
    assert complaints == ""
    assert FOUND[damage] in shown
    # The records that were written after the restore end later.
    skew = "skew between partition heads: " + ("" if damage == "fork" else "21.000 s")
    assert skew in shown
    assert "biggest common prefix: offsets below 1224" in shown
    # From disk and over the wire.
    verdicts = re.findall(r"^(EQUAL|DIFFERENT|INCONCLUSIVE): ", shown, re.MULTILINE)
    assert verdicts == [{0: "EQUAL", 1: "DIFFERENT", 3: "INCONCLUSIVE"}[code]] * 2
    alone = re.findall(r"^(?:SOUND|DAMAGED): .*", shown, re.MULTILINE)
    if damage == "none":
        assert alone == []
    elif damage in ALONE:
        assert alone == [f"DAMAGED: blogs has defects in 1 of 3 partitions; first: {ALONE[damage]}"]
    else:
        assert alone[0].startswith("SOUND: ")
    assert f"1 at {12_247 if damage == 'duplicate' else 12_246} (last batch cut off)" in shown
    lost = "Lost offsets answer CORRUPT_MESSAGE" in shown
    assert lost == (damage == "drop-segment")
    assert list(tmp_path.iterdir()) == []


def test_it_is_made_for_a_terminal_of_a_hundred_columns(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["demo"]) == 0
    shown = capsys.readouterr().out
    own = [line for line in shown.splitlines() if line.startswith(("$ ", "    ", "-", "Serving", "on ", "A ", "Both "))]
    assert own
    assert all(len(line) <= 100 for line in own if "topic id" not in line)


def test_an_unknown_damage_is_a_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["demo", "--damage", "fire"]) == 2
    assert "'fire'" in capsys.readouterr().err


def test_the_command_line_knows_every_damage() -> None:
    assert tuple(DAMAGES) == tuple(damage.value for damage in Damage)
