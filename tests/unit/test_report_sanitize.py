"""Bytes from a log stay inert in a terminal."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcompare.report.sanitize import cut, repair, sanitize

BIDI = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
SEPARATORS = "\u2028\u2029"
# Any code point, lone surrogates among them.
ANY_TEXT = st.text(st.characters(codec=None))


@pytest.mark.parametrize("code", range(0x100))
def test_every_code_point_below_0x100(code: int) -> None:
    shown = sanitize(chr(code))
    if 0x20 <= code <= 0x7E or (code > 0xA0 and code != 0xAD):
        assert shown == chr(code)
    else:
        assert shown in {f"\\x{code:02x}", "\\n", "\\r", "\\t"}


@pytest.mark.parametrize("code", range(0x100))
def test_every_single_byte(code: int) -> None:
    shown = sanitize(bytes([code]))
    assert shown == chr(code) if 0x20 <= code <= 0x7E else shown.startswith("\\")
    assert shown.isascii()


@pytest.mark.parametrize("character", BIDI + SEPARATORS)
def test_bidi_controls_and_line_separators(character: str) -> None:
    assert sanitize(f"a{character}b") == f"a\\u{ord(character):04x}b"
    assert sanitize(f"a{character}b".encode()) == f"a\\u{ord(character):04x}b"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (b"\x1b]0;owned\x07\x1b[2Jhi", "\\x1b]0;owned\\x07\\x1b[2Jhi"),
        ("\x9b31mred", "\\x9b31mred"),
        (b"caf\xc3\xa9 \xff\xfe", "café \\xff\\xfe"),
        (b"\xc0\xaf \xed\xa0\x80", "\\xc0\\xaf \\xed\\xa0\\x80"),
        ("one\r\ntwo\tthree\x85four", "one\\r\\ntwo\\tthree\\x85four"),
        ("\ufeffzero\u200bwidth", "\\ufeffzero\\u200bwidth"),
        ("\U000e0041tag", "\\U000e0041tag"),
        ("\udcff and \ud800", "\\xff and \\ud800"),
        ("plain, ünïcode 漢字", "plain, ünïcode 漢字"),
        ("C:\\new", "C:\\new"),
    ],
)
def test_known_values(value: str | bytes, shown: str) -> None:
    assert sanitize(value) == shown


@given(st.one_of(ANY_TEXT, st.binary()))
def test_only_printable_characters_come_out(value: str | bytes) -> None:
    shown = sanitize(value)
    assert shown.isprintable()
    assert len(shown.splitlines()) <= 1
    assert not [
        character
        for character in shown
        if unicodedata.category(character) in {"Cc", "Cf", "Cs", "Zl", "Zp"} or character in BIDI
    ]
    shown.encode()


@given(st.one_of(ANY_TEXT, st.binary()))
def test_a_second_time_changes_nothing(value: str | bytes) -> None:
    assert sanitize(sanitize(value)) == sanitize(value)


@given(st.one_of(ANY_TEXT, st.binary()), st.integers(0, 40))
def test_a_cut_value_fits_and_is_a_front_of_the_whole(value: str | bytes, width: int) -> None:
    shown = cut(value, width)
    assert len(shown) <= width
    if shown != sanitize(value):
        assert sanitize(value).startswith(shown.removesuffix("..."[:width]))


def test_a_huge_value_is_cut_before_it_is_read() -> None:
    assert cut(b"\xf0" * 50_000_000, 20) == "\\xf0\\xf0\\xf0\\xf0\\..."


@given(ANY_TEXT)
def test_a_repaired_text_can_be_written(text: str) -> None:
    assert repair(text).encode().decode() == repair(text)
    assert repair(text) == text or any(0xD800 <= ord(character) <= 0xDFFF for character in text)
