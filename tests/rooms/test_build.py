"""What an info.md should be, given a SKILL.md: decided without a file."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.src.services.yaml_lines import read_yaml
from agents.src.skills import Built, Default, FilePlan, Info, LocalSkill, build_info, misplaced, plan_files, read_local
from agents.src.skills.local_skill import tools_of
from agents.src.skills.splice import key_text

MINE = """# The cloud's own remarks.
cpu:   2  # two
name: notes
description: >-
  Takes
  notes.

# Below an empty line.
gpu: [L4,
  T4]
"""


def a_skill(**fields: Any) -> LocalSkill:
    given = {"folder": Path("local/notes"), "name": "notes", "description": "Takes notes.", "allowed_tools": None}
    return LocalSkill(**{**given, "defaults": {}, "body": "# Notes\n\nTake them.", **fields})


def parts(text: str, **defaults: Any) -> Info:
    """An info.md taken apart."""
    _, front, body = text.split("---\n", 2)
    reading = read_yaml(front)
    lines = {key: reading.lines[key,] - 1 for key in reading.value}
    return Info(front=front, body=body, values=reading.value, lines=lines, defaults=defaults)


def again(skill: LocalSkill, text: str, **defaults: Any) -> Built:
    return build_info(skill, parts(text, **defaults))


def default(text: str) -> Default:
    [(_, value)] = read_yaml(text).value.items()
    return Default(text, value)


def test_a_new_info_md() -> None:
    built = build_info(a_skill(allowed_tools="Read", defaults={"cpu": default("cpu: 2")}), None)
    front, body = built.text.removeprefix("---\n").split("---\n", 1)
    assert front == "name: notes\ndescription: Takes notes.\nallowed-tools: Read\ncpu: 2\n"
    lines = body.splitlines()
    assert (lines[0], lines[2:]) == ("", ["# Notes", "", "Take them.", "<!-- skill:end -->"])
    assert lines[1].startswith("<!-- skill:start sha=")
    assert (built.defaults, built.refused) == ({"cpu": 2}, "")


def test_building_again_changes_nothing() -> None:
    skill = a_skill(allowed_tools="Read", defaults={"cpu": default("cpu: 2")})
    first = build_info(skill, None)
    second = again(skill, first.text, **first.defaults)
    assert (second.text, second.refused, second.defaults) == (first.text, "", first.defaults)


def test_the_clouds_own_keys_and_the_text_beside_the_markers_keep_every_byte() -> None:
    body = build_info(a_skill(), None).text.split("---\n")[2]
    there = f"---\n{MINE}---\nBefore.\n{body}After, without an end"
    built = again(a_skill(description="Takes better notes.", body="New."), there)
    assert built.refused == ""
    front, after = built.text.removeprefix("---\n").split("---\n", 1)
    assert front == MINE.replace("description: >-\n  Takes\n  notes.\n", "description: Takes better notes.\n")
    assert after.startswith("Before.\n\n<!-- skill:start ")
    assert after.endswith("-->\nNew.\n<!-- skill:end -->\nAfter, without an end")


def test_a_key_that_says_the_same_stays_as_it_is_written() -> None:
    text = build_info(a_skill(), None).text.replace("description: Takes notes.", "description: 'Takes notes.'  # quoted")
    built = again(a_skill(), text)
    assert (built.text, built.refused) == (text, "")


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [("Take them.", "Take some."), ("description: Takes notes.", "description: Takes some."), ("name: notes\n", "")],
)
def test_what_was_edited_by_hand_is_refused(mine: str, theirs: str) -> None:
    built = again(a_skill(), build_info(a_skill(), None).text.replace(mine, theirs))
    assert (built.refused, built.hand_written) == ("was edited by hand since the last build", False)


def test_an_edit_that_was_moved_into_skill_md_is_no_edit_any_more() -> None:
    edited = build_info(a_skill(), None).text.replace("Take them.", "Take some.").replace("Takes notes.", "Takes some.")
    moved = a_skill(body="# Notes\n\nTake some.", description="Takes some.")
    built = again(moved, edited)
    assert (built.refused, built.text) == ("", build_info(moved, None).text)


def test_an_info_md_without_markers_is_nobodys_build() -> None:
    built = again(a_skill(), f"---\n{MINE}---\nWritten by hand.\n")
    assert (built.refused, built.hand_written) == ("was written by hand, not built from a SKILL.md", True)


@pytest.mark.parametrize("damage", ["<!-- skill:end -->", "<!-- skill:start "])
@pytest.mark.parametrize("times", [0, 2])
def test_damaged_markers_are_refused(damage: str, times: int) -> None:
    text = build_info(a_skill(), None).text
    line = next(line for line in text.splitlines() if line.startswith(damage))
    built = again(a_skill(body="New."), text.replace(f"{line}\n", f"{line}\n" * times))
    assert built.refused.startswith("has damaged markers")


def test_a_default_follows_the_metadata_until_the_cloud_says_otherwise() -> None:
    two, four = a_skill(defaults={"cpu": default("cpu: 2")}), a_skill(defaults={"cpu": default("cpu: 4")})
    first = build_info(two, None)
    followed = again(four, first.text, **first.defaults)
    assert ("cpu: 4\n" in followed.text, followed.defaults, followed.refused) == (True, {"cpu": 4}, "")
    own = again(four, first.text.replace("cpu: 2", "cpu: 8"), **first.defaults)
    assert ("cpu: 8\n" in own.text, own.defaults, own.refused) == (True, {}, "")
    without_a_record = again(four, first.text)
    assert ("cpu: 2\n" in without_a_record.text, without_a_record.defaults) == (True, {})


def test_a_default_goes_with_the_metadata_unless_the_cloud_has_made_it_its_own() -> None:
    first = build_info(a_skill(defaults={"cpu": default("cpu: 2")}), None)
    gone = again(a_skill(), first.text, **first.defaults)
    assert ("cpu" in gone.text, gone.dropped) == (False, frozenset({"cpu"}))
    assert "cpu: 3\n" in again(a_skill(), first.text.replace("cpu: 2", "cpu: 3"), **first.defaults).text


def test_true_is_not_one() -> None:
    first = build_info(a_skill(defaults={"review": default("review: true")}), None)
    assert first.defaults == {"review": True}
    assert "retries: 1" in again(a_skill(), first.text.replace("review: true", "retries: 1"), retries=True).text


def test_tools_come_and_go_with_skill_md() -> None:
    with_tools = build_info(a_skill(allowed_tools="Read"), None).text
    assert "allowed-tools" not in again(a_skill(), with_tools).text
    without = build_info(a_skill(), None).text
    assert "allowed-tools: Read\n" in again(a_skill(allowed_tools="Read"), without).text
    own = without.replace("name: notes\n", "name: notes\nallowed-tools: Grep\n")
    assert "allowed-tools: Grep\n" in again(a_skill(), own).text
    assert again(a_skill(allowed_tools="Read"), own).refused == "has its own allowed-tools, and SKILL.md has another"


def test_a_script_skill_gets_no_tools() -> None:
    script = {"engine": default("engine: script"), "run": default("run: main.py")}
    assert "allowed-tools" not in build_info(a_skill(allowed_tools="Read", defaults=script), None).text


@given(st.text(min_size=1, max_size=300))
def test_any_text_reads_back_as_it_was(text: str) -> None:
    if text.encode(errors="ignore").decode() == text:  # a lone surrogate is no text
        assert read_yaml(key_text("description", text)).value == {"description": text}


OTHERS = ["cpu: 1", "memory:\n  256", "# remark", "", "gpu: [L4,\n  T4]", "model: >\n  sonnet\n  # no remark\n"]


@given(
    st.lists(st.sampled_from(OTHERS), unique=True),
    st.sampled_from(["Takes notes.", "Takes: notes", "Takes\nnotes.", "# Takes"]),
    st.integers(0, 6),
)  # fmt: skip
def test_a_splice_changes_the_keys_it_is_to_change_and_no_other(others: list[str], description: str, place: int) -> None:
    text = build_info(a_skill(), None).text
    mine = "\n".join([*others[:place], "name: notes\ndescription: Takes notes.", *others[place:]]) + "\n"
    there = parts(f"---\n{mine}---\n{text.split('---', 2)[2].removeprefix(chr(10))}")
    built = build_info(a_skill(description=description), there)
    after = parts(built.text)
    assert misplaced(there.values, after.values, built) == []
    assert after.values == {**there.values, "description": description}
    for other in others:
        assert other in after.front


def test_keys_that_share_a_line_are_noticed() -> None:
    there = parts(
        "---\n{name: notes, description: Takes notes., cpu: 2}\n---\n" + build_info(a_skill(), None).text.split("---\n")[2]
    )
    built = build_info(a_skill(description="Takes more."), there)
    after = {"description": "Takes more."}
    assert misplaced(there.values, after, built) == ["cpu", "name"]


@pytest.mark.parametrize(
    ("source", "target", "built", "plan"),
    [
        ({"a": "1"}, {}, {}, FilePlan(copy=("a",))),
        ({"a": "1"}, {"a": "1"}, {}, FilePlan()),
        ({"a": "2"}, {"a": "1"}, {"a": "1"}, FilePlan(copy=("a",))),
        ({"a": "2"}, {"a": "3"}, {"a": "1"}, FilePlan(copy=("a",), foreign=("a",))),
        ({"a": "2"}, {"a": "3"}, {}, FilePlan(copy=("a",), foreign=("a",))),
        ({}, {"a": "1"}, {"a": "1"}, FilePlan(remove=("a",))),
        ({}, {"a": "2"}, {"a": "1"}, FilePlan()),
        ({}, {}, {"a": "1"}, FilePlan()),
        ({}, {"a": "1"}, {}, FilePlan()),
    ],
)
def test_which_files_are_copied_and_taken_away(
    source: dict[str, str], target: dict[str, str], built: dict[str, str], plan: FilePlan
) -> None:
    assert plan_files(source, target, built) == plan


@pytest.mark.parametrize(
    ("written", "tools"),
    [
        ("Read Write(output/**)", "Read Write(output/**)"),
        ("Read, Grep,Bash(git add a, b)", "Read Grep Bash(git add a, b)"),
        (["Read", "Bash(git *)"], "Read Bash(git *)"),
        ("", None),
        (None, None),
    ],
)
def test_tools_in_every_spelling_that_claude_code_takes(written: Any, tools: str | None) -> None:
    assert tools_of(written) == tools


def read(values: dict[str, Any], body: str = "Do it.", **defaults: str) -> LocalSkill | list[str]:
    lines = {key: line for line, key in enumerate(values, 2)}
    given = {key.replace("_", "-"): default(text) for key, text in defaults.items()}
    found = read_local(Path("local/notes"), values, lines, given, body)
    return found if isinstance(found, LocalSkill) else [str(fault) for fault in found]


def refused(values: dict[str, Any], body: str = "Do it.", **defaults: str) -> str:
    found = read(values, body, **defaults)
    assert isinstance(found, list)
    [fault] = found
    return fault


SAYS = {"name": "notes", "description": "Takes notes."}


@pytest.mark.parametrize(
    ("values", "body", "fault"),
    [
        ({"name": "notes"}, "", "SKILL.md:1: description: is missing; "),
        ({**SAYS, "description": " "}, "", "SKILL.md:3: description: is missing; "),
        ({**SAYS, "description": "d" * 1025}, "", "SKILL.md:3: description: has 1025 characters; write 1024 at most"),
        ({**SAYS, "name": "Notes"}, "", "SKILL.md:2: name: \"Notes\" cannot be a cloud skill's name; write the folder's name"),
        ({**SAYS, "name": "../notes"}, "", 'SKILL.md:2: name: "../notes" cannot be '),
        ({**SAYS, "name": "n" * 59}, "", "SKILL.md:2: name: "),
        (SAYS, "Text.\n<!-- skill:end -->\n", "SKILL.md:1: the text has a line that begins with <!-- skill:start or "),
    ],
)
def test_what_cannot_become_a_cloud_skill(values: dict[str, Any], body: str, fault: str) -> None:
    assert refused(values, body).startswith(fault)


@pytest.mark.parametrize(
    ("values", "body", "warning"),
    [
        ({"description": "Takes notes."}, "", "name: is missing; notes, the folder's, is taken"),
        ({**SAYS, "name": "other"}, "", "name: \"other\" is not the folder's name, notes; the skill is called other"),
        ({**SAYS, "compatibility": "c" * 501}, "", "compatibility: is longer than 500 characters"),
        ({**SAYS, "metadata": "x"}, "", "metadata: is not a mapping, and not read"),
        (
            {**SAYS, "cpu": "2"}, "",
            "cpu: is not a key of the specification; other programs' go into metadata, ours as modal-invoke-cpu",
        ),
        (SAYS, "Do $ARGUMENTS.", "the text has $ARGUMENTS, which only Claude Code on this machine fills in"),
    ],
)  # fmt: skip
def test_what_can_be_lived_with_is_a_warning(values: dict[str, Any], body: str, warning: str) -> None:
    skill = read(values, body)
    assert isinstance(skill, LocalSkill)
    assert [str(found).partition(": ")[2] for found in skill.warnings] == [warning]


def test_claude_codes_own_keys_are_nothing_to_speak_of() -> None:
    skill = read({**SAYS, "argument-hint": "X", "model": "sonnet", "license": "MIT"})
    assert isinstance(skill, LocalSkill)
    assert skill.warnings == ()


def test_metadata_may_name_the_tools_of_the_cloud_and_no_key_that_is_not_there() -> None:
    skill = read({**SAYS, "allowed-tools": "Bash(make *)"}, allowed_tools="allowed-tools: Read")
    assert isinstance(skill, LocalSkill)
    assert (skill.allowed_tools, dict(skill.defaults)) == ("Read", {})
    fault = refused({**SAYS, "metadata": {}}, colour="colour: red")
    assert fault == "SKILL.md:4: metadata.modal-invoke-colour: info.md has no key colour; docs/info-md.md lists them all"


def test_defaults_can_be_kept_as_json() -> None:
    built = build_info(a_skill(defaults={"gpu": default("gpu: [L4, T4]"), "cpu": default("cpu: 0.5")}), None)
    assert json.loads(json.dumps(built.defaults)) == built.defaults
