"""memory.md as a value: read without loss, written so that it reads as meant, and nothing else touched."""

from collections.abc import Iterable, Sequence
from itertools import count

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from agents.src.memory.blocks import Kind, body, heading_line
from agents.src.memory.document import Addition, Document, Item, normalised
from agents.src.memory.layout import SEPARATOR, TITLE
from agents.src.memory.wording import LONGEST, MARKER, normalised_section

ONE, TWO, THREE = "a167aa41ae7e", "9c1b22f0d3e4", "00c0ffee0000"
SIBLING = f"{ONE}~9c1b22f0"
# fmt: off
NASTY = [
    "", " ", "  ", "   ", "    ", "\t", "-", "*", "+", "- ", "* ", "-\t", "-     ", "1. ", "2) ", "# ", "## ", "#", "> ", "[ ] ",
    "a", "b c", "use uv", "```", "````", "~~~", "```py", "`", "<!--", "-->", "<!-- x -->", "<!-- -->", "---", "===", "- - -",
    "***", "__", "\r", "\u2028", "\x85", "\u00a0", "\ufeff", "\x1c", "ü", "🙂", "|---|", "Style", "Memory", "<!-- m:",
    f"<!-- m:{ONE}", f"<!-- m:{ONE} -->", f"<!-- m:{TWO} conflict: x -->", f"<!-- m:{SIBLING}  a  b-->", f" <!-- m:{THREE} -->",
    "<!-- sync:g -->", "<!-- sync:0ld -->", "<!-- sync:",
]
USUAL = [
    "", "- a", "- b", "  - c", " - d", "   - e", "  more", "\tmore", "# Memory", "## Style", "prose", "  prose", "---", "```",
    "  ```", " ```", "<!--", "-->", "x -->", "- x -->", "1. x", "-", "- - -", "    code", "<!-- sync:g -->",
    f"- a <!-- m:{ONE} -->", f"- b <!-- m:{TWO} -->",
]
# fmt: on
LINES = st.lists(st.sampled_from(NASTY), max_size=4).map("".join)
COMMON = st.sampled_from(USUAL)
ENDS = st.sampled_from(["\n", "\n", "\n", "\r\n"])
FILES = st.builds(
    lambda start, lines, last: start + "".join(f"{line}{end}" for line, end in lines) + last,
    st.sampled_from(["", "", "", "\ufeff"]),
    st.lists(st.tuples(COMMON | LINES, ENDS), max_size=14),
    COMMON | LINES,
)
RAW_TEXTS = st.lists(COMMON | LINES, min_size=1, max_size=6).map("\n".join) | st.text(max_size=60)
SECTIONS = st.sampled_from(["", "", "Style", "Memory", "New", "C #", "##", "-->", "<!--", "---"]) | LINES


def fit(text: str) -> str | None:
    try:
        return normalised(text)
    except ValueError:
        return None


TEXTS = RAW_TEXTS.map(fit).filter(lambda text: text is not None).map(str)


def edit(
    document: Document,
    *,
    ids: dict[int, str] | None = None,
    texts: dict[int, str] | None = None,
    gone: Iterable[int] = (),
    added: Sequence[Addition] = (),
    generation: str = "g",
    notes: dict[int, str] | None = None,
) -> str:
    return document.edited(
        ids=ids or {}, texts=texts or {}, gone=set(gone), added=added, generation=generation, notes=notes or {}
    )


def fresh_ids(document: Document) -> Iterable[str]:
    """Ids that no item has."""
    there = {item.id for item in document.items}
    return (entry for number in count() if (entry := f"{number:012x}") not in there)


def all_ids(document: Document) -> dict[int, str]:
    """An id for each item, no id twice."""
    new, seen, ids = iter(fresh_ids(document)), set[str](), {}
    for index, item in enumerate(document.items):
        ids[index] = item.id if item.id and item.id not in seen else next(new)
        seen.add(ids[index])
    return ids


def plain(items: Iterable[Item]) -> list[tuple[str, str, str | None]]:
    return [(item.text, item.section, item.id) for item in items]


def prose(text: str) -> list[str]:
    """The lines that belong to no entry and are no generation mark, as they are."""
    document = Document.parse(text)
    blocks = [block for block in document._blocks if block.kind not in {Kind.ENTRY, Kind.MARK}]
    return [line for block in blocks for line in block.lines]


def assert_prose_is_kept(old: str, new: str, added: Sequence[Addition] = ()) -> None:
    """Every line is there in its order; what came to it is a heading, or keeps lines apart."""
    ours = {SEPARATOR, TITLE, *(heading_line(normalised_section(one.section)) for one in added)}
    after = iter(prose(new))
    extra: list[str] = []
    for line in prose(old):
        for other in after:
            if other == line or (not line.endswith("\n") and body(other) == body(line)):
                break
            extra.append(other)
        else:
            pytest.fail(f"{line!r} is gone, or has moved")
    assert {line.strip() for line in (*extra, *after)} <= {"", *ours}


@given(FILES)
@example("\ufeff---\r\nx\r\n---\r\n- a\r")
def test_what_is_read_is_rendered_byte_for_byte(text: str) -> None:
    assert Document.parse(text).render() == text


@given(FILES)
def test_the_text_of_an_item_is_in_its_normal_form_or_is_refused(text: str) -> None:
    for item in Document.parse(text).items:
        assert item.text
        assert fit(item.text) in {item.text, None}


@given(st.text() | RAW_TEXTS)
def test_a_normal_form_is_its_own(text: str) -> None:
    once = fit(text)
    assume(once is not None)
    assert once is not None
    assert normalised(once) == once
    assert not MARKER.search(once)
    assert len(once) <= LONGEST


@given(st.builds("{}\n<!-- sync:g -->{}".format, FILES, st.sampled_from(["", "\n", "\r\n\n", "\n- a"])))
def test_nothing_to_do_changes_nothing(text: str) -> None:
    document = Document.parse(text)
    assume(document.generation is not None)
    marked = {index: item.id for index, item in enumerate(document.items) if item.id}
    same = {index: item.text for index, item in enumerate(document.items)}
    assert edit(document, ids=marked, texts=same, generation=str(document.generation)) == text


@given(FILES, st.data())
def test_ids_texts_and_notes_reach_their_items_and_nothing_else(text: str, data: st.DataObject) -> None:
    document = Document.parse(text)
    ids = all_ids(document)
    some = st.sets(st.sampled_from(sorted(ids))) if ids else st.just(set[int]())
    texts = {index: data.draw(TEXTS) for index in sorted(data.draw(some))}
    notes = {index: data.draw(LINES) for index in sorted(data.draw(some))}
    new = edit(document, ids=ids, texts=texts, notes=notes, generation="new")
    wanted = [(texts.get(index, item.text), item.section, ids[index]) for index, item in enumerate(document.items)]
    assert plain(Document.parse(new).items) == wanted
    assert Document.parse(new).generation == "new"
    assert_prose_is_kept(text, new)
    assert edit(Document.parse(new), ids=ids, texts=texts, notes=notes, generation="new") == new


@given(FILES, st.data())
def test_items_that_go_leave_everything_else(text: str, data: st.DataObject) -> None:
    document = Document.parse(text)
    gone = data.draw(st.sets(st.sampled_from(range(len(document.items))))) if document.items else set()
    new = edit(document, gone=gone)
    assert plain(Document.parse(new).items) == [one for index, one in enumerate(plain(document.items)) if index not in gone]
    assert_prose_is_kept(text, new)


@given(FILES, st.lists(st.tuples(TEXTS, SECTIONS, LINES), min_size=1, max_size=4), st.data())
def test_what_is_added_reads_as_it_was_meant_and_leaves_everything_else(
    text: str, new: list[tuple[str, str, str]], data: st.DataObject
) -> None:
    document = Document.parse(text)
    gone = data.draw(st.sets(st.sampled_from(range(len(document.items))))) if document.items else set()
    names = fresh_ids(document)
    there: list[str | None] = [None, ONE, THREE]
    added: list[Addition] = []
    for (words, section, note), name in zip(new, names, strict=False):
        after = data.draw(st.sampled_from([*there, *(one.id for one in added)]))
        added.append(Addition(name, words, section, after, note))
    edited = edit(document, gone=gone, added=added, generation="new")
    result = Document.parse(edited)
    ours = {one.id: one for one in added}
    old = [one for index, one in enumerate(plain(document.items)) if index not in gone]
    assert plain(item for item in result.items if item.id not in ours) == old
    assert {item.id: item.text for item in result.items if item.id in ours} == {one.id: one.text for one in added}
    assert len(result.items) == len(old) + len(added)
    behind = {item.id for item in document.items} | set(ours)
    for item in result.items:
        if item.id in ours and ours[item.id].after not in behind:
            assert item.section == normalised_section(ours[item.id].section)
    assert_prose_is_kept(text, edited, added)
    assert [line for line in edited.split("\n") if line.startswith("<!-- sync:new")]
    assert result.generation == "new"


def added_to(text: str, *added: Addition, gone: Iterable[int] = ()) -> str:
    """The file with these additions, without its mark."""
    return edit(Document.parse(text), added=added, gone=gone).removesuffix("<!-- sync:g -->\n").removesuffix("\n")


def test_only_the_marker_of_an_entry_changes_with_its_id() -> None:
    old = "-  use  uv  \n   now\r\n* b <!-- m:9c1b22f0d3e4 note -->\t\n"
    new = edit(Document.parse(old), ids={0: ONE, 1: THREE})
    assert new.startswith(f"-  use  uv <!-- m:{ONE} -->  \n   now\r\n* b <!-- m:{THREE} -->\t\n")


def test_a_changed_text_keeps_bullet_indentation_and_newlines() -> None:
    old = f" *  a <!-- m:{ONE} -->\r\n    more\r\n- b"
    new = edit(Document.parse(old), texts={0: "x\ny\n\nz"})
    assert new.startswith(f" *  x <!-- m:{ONE} -->\r\n    y\r\n\r\n    z\r\n- b\r\n")


def test_words_typed_behind_the_marker_belong_to_the_text() -> None:
    (item,) = Document.parse(f"- use uv <!-- m:{ONE} --> not pip").items
    assert (item.text, item.id) == ("use uv not pip", ONE)


def test_a_marker_that_a_formatter_moved_down_counts_and_is_replaced_where_it_stands() -> None:
    document = Document.parse(f"- use uv,\n  not pip <!-- m:{ONE} -->\n")
    assert plain(document.items) == [("use uv,\nnot pip", "", ONE)]
    assert edit(document, ids={0: TWO}).startswith(f"- use uv,\n  not pip <!-- m:{TWO} -->\n")


def test_an_entry_nested_below_another_becomes_part_of_it() -> None:
    assert plain(Document.parse(f"- a <!-- m:{ONE} -->\n  - b <!-- m:{TWO} -->").items) == [("a\n- b", "", ONE)]


def test_notes_come_replace_each_other_and_go() -> None:
    document = Document.parse(f"- a <!-- m:{SIBLING} -->\n")
    noted = edit(document, notes={0: "conflict: keep\none -->"})
    assert noted.startswith(f"- a <!-- m:{SIBLING} conflict: keep one -- -->\n")
    other = edit(Document.parse(noted), notes={0: "other"}, texts={0: "b"})
    assert other.startswith(f"- b <!-- m:{SIBLING} other -->\n")
    assert edit(Document.parse(other), texts={0: "c"}).startswith(f"- c <!-- m:{SIBLING} other -->\n")
    assert edit(Document.parse(other), notes={0: ""}).startswith(f"- b <!-- m:{SIBLING} -->\n")


def test_siblings_stand_right_behind_their_entry_before_what_is_new_in_the_section() -> None:
    old = f"- a <!-- m:{ONE} -->\n  more\n\n# Memory\n"
    added = [
        Addition(THREE, "new"),
        Addition(SIBLING, "b", "Other", after=ONE),
        Addition(f"{SIBLING}~00000000", "c", after=SIBLING),
    ]
    assert added_to(old, *added) == (
        f"- a <!-- m:{ONE} -->\n  more\n- b <!-- m:{SIBLING} -->\n- c <!-- m:{SIBLING}~00000000 -->\n"
        f"- new <!-- m:{THREE} -->\n\n# Memory\n"
    )


@pytest.mark.parametrize(
    ("old", "section", "new"),
    [
        ("# M\n\n* a\n\n## S\n\n* b\n\nend\n", "S", "# M\n\n* a\n\n## S\n\n* b\n* x\n\nend\n"),
        ("# M\n\n* a\n\n## S\n\n* b\n\nend\n", "", "# M\n\n* a\n* x\n\n## S\n\n* b\n\nend\n"),
        ("# M\n\n## S\n\nhints\n\n## T\n", "S", "# M\n\n## S\n\nhints\n\n- x\n\n## T\n"),
        ("# M\n\nhints\n\n## S\n- a\n", "", "# M\n\nhints\n\n- x\n\n## S\n- a\n"),
        ("---\nk: v\n---\n## S\n- a", "", "---\nk: v\n---\n\n- x\n\n## S\n- a\n"),
        ("## S\n- a\n", "", "- x\n\n## S\n- a\n"),
        ("# M\n\n* a", "T", "# M\n\n* a\n\n## T\n\n* x\n"),
        ("# M\n\n- a", "M", "# M\n\n- a\n\n## M\n\n- x\n"),
        ("", "", "# Memory\n\n- x\n"),
        ("", "S", "# Memory\n\n## S\n\n- x\n"),
        ("S\n---\n", "S", "S\n---\n\n- x\n"),
    ],
)
def test_where_new_entries_go(old: str, section: str, new: str) -> None:
    assert added_to(old, Addition(ONE, "x", section)) == new.replace(" x\n", f" x <!-- m:{ONE} -->\n")


def test_lines_written_below_the_mark_come_before_it_and_several_marks_become_one() -> None:
    old = "- a\n\n<!-- sync:1 -->\n- b\n<!-- sync:2 -->\n- c\n"
    assert Document.parse(old).generation == "2"
    assert edit(Document.parse(old), generation="3") == "- a\n\n- b\n- c\n\n<!-- sync:3 -->\n"


def test_things_that_would_run_into_each_other_are_kept_apart() -> None:
    assert added_to("words\n- a\n---\n- b\n", gone={0}) == "words\n<!-- -->\n---\n- b\n"
    assert added_to("# M\n\n  ## S\n", Addition(ONE, "x")) == f"# M\n\n- x <!-- m:{ONE} -->\n\n<!-- -->\n  ## S\n"


def test_an_unclosed_fence_or_comment_hides_nothing_not_even_with_an_entry_that_looks_like_its_end() -> None:
    for opening in ("```", "  ```", "<!-- later"):
        old = f"{opening}\n- a\n"
        new = added_to(old, Addition(ONE, "x -->\n```\n-->"))
        assert [item.text for item in Document.parse(new).items] == ["a", "x -->\n```\n-->"]


def test_a_comment_that_holds_a_mark_stays_what_it_is_when_the_mark_moves() -> None:
    old = "<!-- x\n<!-- sync:1 -->\n- a\n-->\n- b\n"
    assert plain(Document.parse(edit(Document.parse(old))).items) == plain(Document.parse(old).items) == [("b", "", None)]


def test_a_section_that_looks_like_the_end_of_a_comment_ends_none() -> None:
    new = added_to("<!-- later\n- a\n", Addition(ONE, "x", "-->"))
    assert plain(Document.parse(new).items) == [("a", "", None), ("x", "-->", ONE)]


def test_a_last_line_that_ends_in_half_a_newline_gets_the_other_half() -> None:
    assert added_to("- a\r\n- b\r", Addition(ONE, "x")).startswith(f"- a\r\n- b\r\n- x <!-- m:{ONE} -->\r\n")


@pytest.mark.parametrize("rest", ["---\nwords\n---\n- b\n", "\ufeff- b\n- c\n"])
def test_what_comes_first_when_the_first_entry_goes_does_not_begin_the_file_anew(rest: str) -> None:
    document = Document.parse(f"- a\n{rest}")
    assert plain(Document.parse(edit(document, gone={0})).items) == plain(document.items)[1:]


@pytest.mark.parametrize("character", ["\0", "\x07", "\x1b", "\r", "\x7f", "\x85", "\x9b", "\ud800"])
def test_control_characters_are_refused_by_name(character: str) -> None:
    with pytest.raises(ValueError, match=rf"U\+{ord(character):04X}; take it out"):
        normalised(f"a{character}b")


@pytest.mark.parametrize("text", ["", " \n\t\n", f"<!-- m:{ONE} -->"])
def test_a_text_that_says_nothing_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="it is empty"):
        normalised(text)


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("\r\n  a \t\r\n  b\r\n\r\n", "a\n  b"),
        (f"a <!-- m:{ONE} --> b\n  <!-- m:{TWO} x -->c", "a b\n  c"),
        (f"a <!-- <!-- m:{ONE} -->m:{TWO} -->", "a"),
        ("e\u0301 \u2028 <!-- ``` \u00a0", "e\u0301 \u2028 <!-- ``` \u00a0"),
    ],
)
def test_normal_forms(text: str, normal: str) -> None:
    assert normalised(text) == normal


def test_what_cannot_be_written_is_refused() -> None:
    document = Document.parse("- a\n")
    with pytest.raises(ValueError, match="needs an id"):
        edit(document, texts={0: "b"})
    with pytest.raises(ValueError, match="no entry's id"):
        edit(document, ids={0: "A167AA41AE7E"})
    with pytest.raises(ValueError, match="no generation"):
        edit(document, generation="G-1")
