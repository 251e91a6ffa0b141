"""Building cloud skills from folders with a SKILL.md: what is read, written, kept, refused and left alone."""

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from agents.src.errors import InvalidRequest
from agents.src.services.markdown import read_info
from agents.src.services.skill_build import Comparison, State, build, compare_all, due, only_cloud
from agents.src.services.skill_md import read_skill_md, second_opinion
from agents.src.skills import LocalSkill

SKILL = """---
name: notes
description: Takes notes.
allowed-tools: Read Write(output/**)
metadata:
  version: "1.10"
  modal-invoke-cpu: "2"
---

# Notes

Take them.
"""


@pytest.fixture(autouse=True)
def working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("cloud").mkdir()


def local(text: str = SKILL, name: str = "notes", **files: str) -> Path:
    """A SKILL.md in `local/<name>/`, with files beside it: `scripts__a_py="…"` is scripts/a.py."""
    for path, content in {"SKILL.md": text, **files}.items():
        file = Path("local", name, path.replace("__", "/").replace("_py", ".py").replace("_md", ".md"))
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
    return Path("local", name)


def compared() -> Comparison:
    [one] = compare_all([Path("local")], Path("cloud"))
    return one


def built() -> Path:
    """Builds the one local skill, and gives its info.md."""
    one = compared()
    build(one)
    return one.cloud / "info.md"


def refusal() -> str:
    one = compared()
    assert one.state in (State.EDITED, State.FAULTY, State.HAND_WRITTEN)
    return "\n".join(one.why)


def everything(folder: Path) -> dict[str, tuple[bytes, int]]:
    """What lies below a folder, and when it was written."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


def test_a_local_skill_becomes_a_cloud_skill() -> None:
    folder = local(scripts__a_py="print()", references__more_md="More.", memory_md="- A fact", _env="SECRET=1")
    (folder / "_env").rename(folder / ".env")
    (folder / "scripts" / "a.py").chmod(0o755)
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__" / "a.pyc").touch()
    assert compared().state == State.ONLY_LOCAL
    skill = read_info(built())
    assert (skill.name, skill.description, skill.claude.allowed_tools) == ("notes", "Takes notes.", ("Read", "Write(output/**)"))
    assert skill.resources.cpu == 2
    assert "Take them." in skill.instruction
    assert set(everything(Path("cloud/notes"))) == {"info.md", ".build.json", "scripts/a.py", "references/more.md"}
    assert os.access("cloud/notes/scripts/a.py", os.X_OK)
    assert not os.access("cloud/notes/references/more.md", os.X_OK)


def test_a_second_build_writes_nothing() -> None:
    local(scripts__a_py="print()")
    built()
    before = everything(Path("cloud"))
    assert compared().state == State.IN_STEP
    assert due(compared()) == []
    built()
    assert everything(Path("cloud")) == before


def test_memory_md_of_the_cloud_is_never_touched() -> None:
    folder = local(memory_md="- Local fact")
    Path("cloud/notes").mkdir()
    Path("cloud/notes/memory.md").write_text("- Cloud fact")
    built()
    record = json.loads(Path("cloud/notes/.build.json").read_text())
    Path("cloud/notes/.build.json").write_text(json.dumps({**record, "files": {"memory.md": "x"}}))
    (folder / "memory.md").unlink()
    built()
    assert Path("cloud/notes/memory.md").read_text() == "- Cloud fact"


def test_a_change_of_skill_md_is_due_and_taken_over() -> None:
    local()
    info = built()
    local(SKILL.replace("Take them.", "Take some.").replace('"2"', '"4"'))
    assert (compared().state, due(compared())) == (State.DUE, [info, info.with_name(".build.json")])
    skill = read_info(built())
    assert (skill.instruction.count("Take some."), skill.resources.cpu) == (1, 4)


def test_files_follow_the_local_ones() -> None:
    folder = local(scripts__a_py="1", scripts__b_py="1", scripts__c_py="1")
    built()
    local(scripts__a_py="2")
    (folder / "scripts" / "b.py").unlink()
    (folder / "scripts" / "c.py").unlink()
    Path("cloud/notes/scripts/c.py").write_text("edited in the cloud")
    built()
    assert {path: content for path, (content, _) in everything(Path("cloud/notes/scripts")).items()} == {
        "a.py": b"2",
        "c.py": b"edited in the cloud",
    }


def test_a_folder_that_became_empty_goes_too() -> None:
    folder = local(scripts__deep__a_py="1")
    built()
    (folder / "scripts/deep/a.py").unlink()
    built()
    assert not Path("cloud/notes/scripts").exists()


def test_the_bit_that_makes_a_program_is_a_change_of_its_own() -> None:
    folder = local(scripts__a_py="1")
    built()
    (folder / "scripts" / "a.py").chmod(0o755)
    assert compared().state == State.DUE
    built()
    assert compared().state == State.IN_STEP


def test_an_info_md_that_was_edited_by_hand_is_refused_and_the_way_out_named() -> None:
    local()
    info = built()
    info.write_text(info.read_text().replace("Take them.", "Take all."))
    assert refusal() == (
        "cloud/notes/info.md was edited by hand since the last build; move the edit into local/notes, or lose it with --force"
    )
    assert compared().difference().splitlines()[3:] == [" ", "-Take them.", "+Take all.", " <!-- skill:end -->"]
    built()  # as --force does
    assert "Take them." in info.read_text()


def test_a_copied_file_that_was_edited_or_was_there_before_is_refused() -> None:
    local(scripts__a_py="1")
    built()
    Path("cloud/notes/scripts/a.py").write_text("mine")
    assert refusal().startswith("cloud/notes/scripts/a.py is not as a build has left it; move the edit into local/notes, or ")
    Path("cloud/notes/scripts/a.py").write_text("1")
    assert compared().state == State.IN_STEP
    Path("cloud/notes/b.py").write_text("mine")
    local(b_py="theirs")
    assert refusal().startswith("cloud/notes/b.py is not as a build has left it; ")


def test_a_hand_written_skill_is_refused() -> None:
    local()
    text = "---\nname: notes\ndescription: Mine.\ncpu:   8 # kept\n---\nBy hand.\n"
    Path("cloud/notes").mkdir()
    Path("cloud/notes/info.md").write_text(text)
    assert compared().state == State.HAND_WRITTEN
    assert refusal() == (
        "cloud/notes/info.md was written by hand, not built from a SKILL.md; "
        "give local/notes/SKILL.md another name, or have its text replaced with --force"
    )
    info = built()  # as --force does
    assert "cpu:   8 # kept\n" in info.read_text()
    assert "By hand." not in info.read_text()


@pytest.mark.parametrize("change", [lambda text: text.replace("\n", "\r\n"), lambda text: f"\ufeff{text}"])
def test_line_ends_and_byte_order_marks_stay(change: Any) -> None:
    local()
    info = built()
    info.write_bytes(change(info.read_text()).encode())
    assert compared().state == State.IN_STEP
    local(SKILL.replace("Take them.", "Take some."))
    built()
    plain = info.read_bytes().decode()
    assert plain == change(plain.removeprefix("\ufeff").replace("\r\n", "\n"))
    assert "Take some." in plain


def test_a_lost_record_loses_nothing() -> None:
    folder = local(scripts__a_py="1", scripts__b_py="1")
    info = built()
    info.with_name(".build.json").write_text("{half")
    (folder / "scripts" / "b.py").unlink()
    built()
    assert set(everything(Path("cloud/notes"))) == {"info.md", ".build.json", "scripts/a.py", "scripts/b.py"}
    assert compared().state == State.IN_STEP


def test_a_record_cannot_make_a_build_take_away_what_lies_elsewhere() -> None:
    local()
    built()
    Path("cloud/victim").write_text("x")
    digest = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
    Path("cloud/notes/.build.json").write_text(json.dumps({"files": {"../victim": digest}}))
    assert refusal() == "cloud/notes/../victim leads out of the skill's folder; take the link away"


def test_links_that_leave_the_skill_are_refused() -> None:
    Path("secret").write_text("s")
    folder = local(inside_md="x")
    (folder / "link.md").symlink_to("inside.md")
    built()
    assert Path("cloud/notes/link.md").read_text() == "x"
    assert not Path("cloud/notes/link.md").is_symlink()
    (folder / "out.md").symlink_to(Path("secret").absolute())
    assert refusal() == "local/notes/out.md is a link that leaves the skill; put the file there, or take the link away"
    (folder / "out.md").unlink()
    (folder / ".env").write_text("s")
    (folder / "out.md").symlink_to(".env")
    assert "local/notes/out.md is a link that leaves the skill" in refusal()
    (folder / "out.md").unlink()
    (folder / "more").symlink_to(Path("cloud").absolute())
    assert refusal().startswith("local/notes/more is a link to a folder; ")


def test_a_link_in_the_cloud_is_not_followed_out_of_it() -> None:
    Path("elsewhere").mkdir()
    local(scripts__a_py="1")
    Path("cloud/notes").mkdir()
    Path("cloud/notes/scripts").symlink_to(Path("elsewhere").absolute())
    assert refusal() == "cloud/notes/scripts/a.py leads out of the skill's folder; take the link away"


def test_what_is_no_file_is_refused() -> None:
    os.mkfifo(local() / "pipe")
    assert refusal() == "local/notes/pipe is no file that can be copied; take it away"


def test_what_would_be_no_skill_is_refused_with_its_faults() -> None:
    local(SKILL.replace('"2"', '"two"'))
    assert refusal().startswith('cloud/notes/info.md:5: cpu: "two" is text; write a number of cores')
    assert not Path("cloud/notes").exists()


def test_a_program_is_looked_for_among_the_local_files_too() -> None:
    script = SKILL.replace("modal-invoke-cpu", "modal-invoke-engine").replace('"2"', "script\n  modal-invoke-run: main.py")
    local(script)
    assert "there is no file main.py beside info.md" in refusal()
    local(script, main_py="print()")
    skill = read_info(built())
    assert (skill.engine, skill.run) == ("script", "main.py")


def test_an_info_md_that_cannot_be_taken_apart_is_told_with_its_line() -> None:
    local()
    Path("cloud/notes").mkdir()
    for text, said in [
        ("---\nname: [\n---\n", "cloud/notes/info.md:3: not readable as YAML"),
        ("no frontmatter", "cloud/notes/info.md:1: the first line is not ---"),
        ("---\n- x\n---\n", "cloud/notes/info.md:2: the frontmatter is not a mapping"),
        ("---\ncpu: 1\ncpu: 2\n---\n", "cloud/notes/info.md:"),
    ]:
        Path("cloud/notes/info.md").write_text(text)
        assert said in refusal()


def test_keys_that_do_not_begin_a_line_are_refused() -> None:
    local()
    Path("cloud/notes").mkdir()
    Path("cloud/notes/info.md").write_text("---\n{name: notes, description: Mine., cpu: 1}\n---\nx\n")
    assert compared().state == State.FAULTY


def test_what_changed_between_looking_and_writing_is_not_written_over() -> None:
    local()
    info = built()
    local(SKILL.replace("Take them.", "Take some."))
    one = compared()
    info.write_text(info.read_text() + "A last word.\n")
    with pytest.raises(Exception, match="was changed meanwhile; build once more"):
        build(one)
    assert info.read_text().endswith("A last word.\n")


def test_a_folder_that_cannot_be_written_is_told() -> None:
    local(scripts__a_py="1")
    Path("cloud/notes").mkdir()
    Path("cloud/notes/scripts").write_text("a file in the place of a folder")
    with pytest.raises(Exception, match="cloud/notes cannot be written: "):
        built()


def test_two_local_skills_of_one_name_are_refused() -> None:
    local()
    local(name="other")
    ones = compare_all([Path("local")], Path("cloud"))
    assert [(one.state, one.why) for one in ones] == [
        (State.FAULTY, ("local/notes/SKILL.md: another folder has a skill called notes too",)),
        (State.FAULTY, ("local/other/SKILL.md: another folder has a skill called notes too",)),
    ]


def test_folders_without_a_skill_are_an_error_and_hidden_ones_passed_over() -> None:
    local(name=".hidden")
    Path("empty").mkdir()
    for path in ("local", "empty", "nowhere"):
        with pytest.raises(InvalidRequest, match=f"There is no SKILL.md in {path}, nor in a folder there; "):
            compare_all([Path(path)], Path("cloud"))
    assert [one.name for one in compare_all([Path("local/.hidden")], Path("cloud"))] == ["notes"]


def test_a_folder_named_twice_is_one() -> None:
    folder = local()
    assert len(compare_all([folder, Path("local")], Path("cloud"))) == 1


def test_a_skill_can_be_built_where_it_lies() -> None:
    Path("cloud").rmdir()
    local(scripts__a_py="1")
    Path("local").rename("cloud")
    [one] = compare_all([Path("cloud")], Path("cloud"))
    build(one)
    [one] = compare_all([Path("cloud")], Path("cloud"))
    assert one.state == State.IN_STEP
    assert Path("cloud/notes/scripts/a.py").read_text() == "1"


def test_skills_that_only_the_cloud_has() -> None:
    local()
    local(SKILL.replace("name: notes", "name: gone"), name="gone")
    for one in compare_all([Path("local")], Path("cloud")):
        build(one)
    Path("cloud/own").mkdir()
    Path("cloud/own/info.md").write_text("---\nname: own\ndescription: Mine.\n---\nx\n")
    here = compare_all([Path("local/notes")], Path("cloud"))
    assert [(one.name, one.state) for one in only_cloud(here, Path("cloud"))] == [
        ("gone", State.ONLY_CLOUD),
        ("own", State.CLOUDS_OWN),
    ]


def read(text: str) -> LocalSkill:
    skill = read_skill_md(local(text) / "SKILL.md")
    assert isinstance(skill, LocalSkill), [str(fault) for fault in skill]
    return skill


def faults(text: str | bytes) -> list[str]:
    path = local() / "SKILL.md"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    found = read_skill_md(path)
    assert isinstance(found, list)
    return [str(fault) for fault in found]


@pytest.mark.parametrize("said", ["1.10", "yes", "010", "0123", "12:30", "2026-01-31", "null", "~"])
def test_every_value_of_skill_md_is_a_text(said: str) -> None:
    assert read(f"---\nname: notes\ndescription: {said}\n---\nx\n").description == said


@pytest.mark.parametrize(
    ("written", "description"),
    [
        ("Use when: it is late", "Use when: it is late"),
        ("It's for: a, b # and c\n  and: more\n", "It's for: a, b # and c and: more"),
        ("'Use when: quoted'", "Use when: quoted"),
        (">-\n  Use when:\n  folded", "Use when: folded"),
    ],
)
def test_colons_without_quotes_are_forgiven(written: str, description: str) -> None:
    assert read(f"---\nname: notes\ndescription: {written}\nallowed-tools: Read\n---\nx\n").description == description


def test_a_body_may_have_lines_of_dashes_and_skill_md_a_mark_and_windows_lines() -> None:
    text = "\ufeff---\nname: notes\ndescription: d --- d\n---\nOne.\n\n---\n\nTwo.\n".replace("\n", "\r\n")
    assert read(text).body == "One.\n\n---\n\nTwo."


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("no frontmatter", "SKILL.md:1: there is no frontmatter"),
        ("---\nname: notes\n", "SKILL.md:1: there is no frontmatter"),
        ("---\nname: [\n---\n", "SKILL.md:3: not readable as YAML: "),
        ("---\n- x\n---\n", "SKILL.md:2: the frontmatter is not a mapping"),
        ("---\na: &a [*a]\n---\n", "SKILL.md:"),
        ("---\na: " + "[" * 5000 + "\n---\n", "SKILL.md:"),
        ("---\nname: \x07\n---\n", "SKILL.md:2: not readable as YAML: it holds a control character"),
        (b"\xff", "SKILL.md:1: this cannot be read"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_line(text: str | bytes, said: str) -> None:
    assert faults(text)[0].startswith(said)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ('"2\\nmemory: 3"', "mapping values are not allowed here"),
        ('"["', "not readable as YAML"),
        ("[1]", "is not one value of YAML in quotes"),
        ('"&a 1"', "anchors and aliases are not read"),
    ],
)
def test_metadata_that_is_not_one_value_is_refused(said: str, why: str) -> None:
    [fault] = faults(f"---\nname: notes\ndescription: d\nmetadata:\n  modal-invoke-cpu: {said}\n---\nx\n")
    assert fault.startswith("SKILL.md:4: metadata.modal-invoke-cpu: ")
    assert why in fault


def test_a_skill_md_that_cannot_be_looked_at_does_not_stop_the_others() -> None:
    local(), local(name="strange")
    Path("local/strange/SKILL.md").unlink()
    Path("local/strange/SKILL.md").symlink_to("n" * 300)
    fine, strange = compare_all([Path("local")], Path("cloud"))
    assert (fine.name, fine.state, strange.state) == ("notes", State.ONLY_LOCAL, State.FAULTY)
    assert strange.why == ("local/strange/SKILL.md:1: this cannot be read; make it a readable text file in UTF-8",)


def test_metadata_may_hold_a_value_of_several_lines() -> None:
    arguments = "modal-invoke-arguments: |\n    type: object\n    properties:\n      width: {type: integer}\n"
    local(SKILL.replace('modal-invoke-cpu: "2"\n', arguments))
    assert read_info(built()).arguments == {"type": "object", "properties": {"width": {"type": "integer"}}}
    assert compared().state == State.IN_STEP


def test_the_specifications_own_validator_is_heard() -> None:
    assert second_opinion(local()) == []
    [said] = second_opinion(local(SKILL.replace("allowed-tools", "model: sonnet\nallowed-tools")))
    assert "Unexpected fields in frontmatter: model" in said


PAGE = (Path(__file__).parents[2] / "docs" / "skills.md").read_text()


def test_the_page_names_every_state() -> None:
    assert set(re.findall(r"^\| `([a-z' -]+)` \|", PAGE.split("| state |")[1], re.MULTILINE)) == set(State)


def test_the_example_of_the_page_is_built_without_a_warning() -> None:
    [example] = re.findall(r"```markdown\n(.+?)\n```", PAGE, re.DOTALL)
    local(example)
    assert (compared().warnings, second_opinion(Path("local/notes"))) == ((), [])
    skill = read_info(built())
    assert (skill.timeout, skill.resources.gpu, skill.resources.pip) == (900, ("L4", "T4"), ("pillow>=11",))


def test_the_page_shows_a_refusal_as_it_is() -> None:
    local()
    info = built()
    info.write_text(info.read_text().replace("Take them.", "Take all."))
    shown = refusal().replace("cloud/", "agents/skills/").replace("local/", ".claude/skills/")
    assert f"```\n{shown}\n```" in PAGE
