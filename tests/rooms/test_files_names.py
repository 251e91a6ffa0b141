"""Names of files: harmless on every system, and still recognisable."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.src.tasks import distinct, safe_name
from agents.src.tasks.files import LONGEST_NAME

# Letters of one to four bytes, what file systems dislike, and anything else.
NAMES = st.text(st.sampled_from('aZä漢🙂 .-_/\\:*?"<>|\0\n\u0301İß') | st.characters(), max_size=200)


@pytest.mark.parametrize(
    ("given", "safe"),
    [
        ("clip.mp4", "clip.mp4"),
        ("Mein Film (2).MOV", "Mein Film (2).MOV"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\ada\\clip.mp4", "clip.mp4"),
        ("..", "file"),
        ("", "file"),
        (".env", "env"),
        ("a\0b\nc:*?.txt", "a_b_c_.txt"),
        ("name. ", "name"),
        ("con", "_con"),
        ("NUL.tar.gz", "_NUL.tar.gz"),
        ("console.log", "console.log"),
        ("u\u0308.txt", "ü.txt"),
        ("x" * 300 + ".mp4", "x" * 116 + ".mp4"),
        ("x." + "y" * 300, "x." + "y" * 118),
        ("漢" * 100, "漢" * 40),
    ],
)
def test_safe_names(given: str, safe: str) -> None:
    assert safe_name(given) == safe


@given(NAMES)
def test_a_safe_name_is_one_path_component_and_stays_what_it_is(name: str) -> None:
    safe = safe_name(name)
    assert 1 <= len(safe.encode()) <= LONGEST_NAME
    assert not set(safe) & set('/\\:*?"<>|\0\n')
    assert safe not in {".", ".."}
    assert safe == safe.strip(" .")
    assert safe_name(safe) == safe


@given(st.lists(NAMES.map(safe_name) | st.sampled_from(["a.txt", "A.txt", "a (2).txt", "a", "x" * LONGEST_NAME]), max_size=12))
def test_distinct_names_are_safe_names_in_order_and_differ_in_any_case(names: list[str]) -> None:
    result = distinct(names)
    assert len(result) == len(names)
    assert len({name.lower() for name in result}) == len(names)
    assert [safe_name(name) for name in result] == result
    assert all(
        now == name
        for now, name in zip(result, names, strict=True)
        if [each.lower() for each in names].count(name.lower()) == 1 and "(" not in name
    )


def test_later_doubles_are_numbered() -> None:
    assert distinct(["a.txt", "a.txt", "A.TXT", "a (2).txt", "b"]) == ["a.txt", "a (2).txt", "A (3).TXT", "a (2) (2).txt", "b"]
