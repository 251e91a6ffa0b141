"""Reading info.md files: lines, the traps of YAML, catalogues; and the examples of docs/info-md.md."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from agents.src.errors import InvalidSkill
from agents.src.services.markdown import examine, read_catalogue, read_info
from agents.src.services.yaml_lines import UnreadableYaml, read_yaml
from agents.src.skills import Skill

PAGE = (Path(__file__).parents[2] / "docs" / "info-md.md").read_text()


@pytest.fixture(autouse=True)
def working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # faults name files as seen from here


def write(name: str, text: str) -> Path:
    """An info.md in `skills/<name>/`."""
    path = Path("skills", name, "info.md")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def front(*lines: str, body: str = "Do it.") -> str:
    return "\n".join(["---", "name: x", "description: Does it.", *lines, "---", body])


def faults_of(path: Path) -> list[str]:
    skills, faults = examine(path)
    assert not skills
    return [str(fault) for fault in faults]


def test_reads_a_skill() -> None:
    skill = read_info(write("x", front("cpu: 2", body="\n# Title\n\n---\n\nText.\n")))
    assert skill.instruction == "# Title\n\n---\n\nText."
    assert skill.resources.cpu == 2
    assert skill.folder == Path("skills/x").absolute()


@pytest.mark.parametrize("text", ["\ufeff" + front(), front().replace("\n", "\r\n"), front().replace("---", "-----")])
def test_reads_what_editors_make_of_a_file(text: str) -> None:
    path = Path("skills/x/info.md")
    path.parent.mkdir(parents=True)
    path.write_bytes(text.encode())
    assert read_info(path).instruction == "Do it."


def test_a_fault_names_the_line_of_the_item_it_is_about() -> None:
    text = front(
        "", "# A remark.", "pip:", "  - numpy", "  - -e .", "retries:", "  max-retries: 1", "  max-delay: 99", "cpu:", '  "2"'
    )
    assert [re.sub("; .*", "", fault) for fault in faults_of(write("x", text))] == [
        'skills/x/info.md:8: pip: "-e ." is not allowed',
        "skills/x/info.md:11: retries.max-delay: 99 is not allowed",
        'skills/x/info.md:12: cpu: "2" is text',
    ]


def test_lines_are_right_below_empty_ones() -> None:
    assert faults_of(write("x", "---\n\n\nname: x\ndescription: d\ncpu: no\n---\nDo it."))[0].startswith(
        "skills/x/info.md:6: cpu"
    )


def test_a_fault_in_a_schema_has_its_own_line() -> None:
    text = front(
        "arguments:", "  type: object", "  properties:", "    width: {type: integer}", "    height:", "      type: whole"
    )
    [fault] = faults_of(write("x", text))
    assert fault.startswith("skills/x/info.md:9: arguments.properties.height.type: ")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "1: the first line is not ---"),
        ("# Title\n", "1: the first line is not ---"),
        ("---\nname: x\n", "1: the frontmatter has no end"),
        ("---\n- name\n---\n", "2: the frontmatter is not a mapping"),
        ("---\nname: x: y\n---\n", "2: not readable as YAML: mapping values are not allowed here"),
        ("---\nname: x\n\tcpu: 1\n---\n", "3: not readable as YAML: "),
        ("---\nname: 'x\n---\n", "3: not readable as YAML: "),
        ("---\nname: x\ncpu: \x07\n---\n", "3: not readable as YAML: it holds a control character"),
        ("---\nname: &x x\n---\n", "2: not readable as YAML: anchors and aliases are not read"),
        ("---\nname: *x\n---\n", "2: not readable as YAML: anchors and aliases are not read"),
        ("---\nname: !!python/name:os.system x\n---\n", "2: not readable as YAML: the tag "),
        ("---\nname: !!timestamp x\n---\n", "2: not readable as YAML: the tag "),
        (f"---\nname: {'[' * 5000}\n---\n", "2: not readable as YAML: this is nested more than 40 deep"),
    ],
)
def test_what_is_no_frontmatter_is_named_with_its_line(text: str, fault: str) -> None:
    [found] = faults_of(write("x", text))
    assert found.startswith(f"skills/x/info.md:{fault}")


def test_keys_that_stand_twice_or_are_not_text_are_refused() -> None:
    assert faults_of(write("x", front("cpu: 1", "cpu: 2", "1: 2", "[a]: 3", "retries: {max-retries: 1, max-retries: 2}"))) == [
        "skills/x/info.md:5: cpu: stands twice; the first is on line 4",
        'skills/x/info.md:6: a key is not text; put it in quotes: "1"',
        "skills/x/info.md:7: a key is not text; put it in quotes: a list or mapping cannot be one",
        "skills/x/info.md:8: max-retries: stands twice; the first is on line 8",
    ]


def test_plain_words_are_text_unless_they_are_plainly_numbers() -> None:
    words = "[no, on, 2026-01-31, 010, 0x10, 1_000, 1:30, .inf, .nan, 1e999, 12345678901234567890, =, <<]"
    assert all(isinstance(word, str) for word in read_yaml(words).value)
    assert read_yaml("[1, -2, 0, 1.5, .5, 1e3, 2., true, FALSE, ~, null, '1', \"true\"]").value == [
        1, -2, 0, 1.5, 0.5, 1000.0, 2.0, True, False, None, None, "1", "true",
    ]  # fmt: skip


@settings(deadline=None, max_examples=150)
@given(st.text(st.sampled_from("ab:-[]{}&*!|>'\"#%@`,?~ \n\t01.\x00\u2028é"), max_size=40))
@example("? ? ?")
@example("%YAML 1.2\n...\n...")
@example("!<>")
def test_any_text_is_read_or_refused_with_a_line_in_it(text: str) -> None:
    try:
        reading = read_yaml(text)
    except UnreadableYaml as error:
        assert 1 <= error.line <= len(text.splitlines()) + 1
    else:
        assert all(line >= 1 for line in reading.lines.values())


def test_a_program_must_be_there() -> None:
    path = write("x", front("engine: script", "run: main.py"))
    assert faults_of(path) == ["skills/x/info.md:5: run: there is no file main.py beside info.md; write it, or correct the name"]
    path.with_name("main.py").touch()
    assert read_info(path).run == "main.py"


def test_a_file_that_is_not_text_is_refused() -> None:
    path = write("x", "")
    path.write_bytes(b"---\nname: \xff\n---\n")
    assert faults_of(path) == ["skills/x/info.md:1: this cannot be read; make it a readable text file in UTF-8"]


def test_a_catalogue_is_every_folder_but_the_hidden_ones() -> None:
    write("b", front().replace("name: x", "name: b"))
    write("a", front().replace("name: x", "name: a"))
    write("__pycache__", "")
    write(".git", "")
    Path("skills/README.md").touch()
    assert [skill.name for skill in read_catalogue(Path("skills"))] == ["a", "b"]


def test_a_catalogue_is_refused_with_the_faults_of_every_skill() -> None:
    write("a", front("cpu: two"))
    write("b", front().replace("name: x", "name: b"))
    Path("skills/c").mkdir()
    with pytest.raises(InvalidSkill) as caught:
        read_catalogue(Path("skills"))
    assert [line.partition("; ")[0] for line in caught.value.detail.splitlines()] == [
        'skills/a/info.md:2: name: "x" is not the folder\'s name',
        'skills/a/info.md:4: cpu: "two" is text',
        "skills/c/info.md:1: there is no info.md here",
    ]


@pytest.mark.parametrize(("make", "why"), [(True, "there is no skill in this folder"), (False, "there is no such folder")])
def test_an_empty_catalogue_is_refused(make: bool, why: str) -> None:
    if make:
        Path("skills/.hidden").mkdir(parents=True)
    with pytest.raises(InvalidSkill, match=f"skills:1: {why}; make a folder for a skill"):
        read_catalogue(Path("skills"))


def test_a_catalogue_elsewhere_is_named_in_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write("x", "").absolute()
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert faults_of(path)[0].startswith(f"{path}:1: ")


def test_what_to_examine_is_a_file_a_skill_or_a_catalogue() -> None:
    path = write("x", front())
    for what in (path, path.parent, path.parents[1]):
        skills, faults = examine(what)
        assert [skill.name for skill in skills] == ["x"]
        assert not faults


def examples() -> dict[str, str]:
    """The page's info.md files, by the path that it gives them."""
    return dict(re.findall(r"`(agents/skills/[\w-]+/info\.md)`:\n\n```markdown\n(.+?)\n```\n", PAGE, re.DOTALL))


def written(path: str) -> Path:
    file = Path(path)
    file.parent.mkdir(parents=True)
    file.write_text(examples()[path])
    return file


def test_the_page_has_an_example_of_each_engine_and_they_are_right() -> None:
    found: dict[str, Skill] = {}
    for path in examples().keys() - {"agents/skills/thumbnails/info.md"}:
        file = written(path)
        file.with_name("main.py").touch()
        found[read_info(file).engine] = read_info(file)
    assert found.keys() == {"claude", "script"}
    assert found["claude"].claude.allowed_tools == ("Read", "Glob", "Write(output/**)")
    assert found["script"].resources.gpu == ("L4", "A10:2")


def test_the_page_shows_faults_as_they_are() -> None:
    shown = PAGE.split("gives:\n\n```\n")[1].split("\n```")[0]
    assert faults_of(written("agents/skills/thumbnails/info.md")) == shown.splitlines()


def test_reading_a_catalogue_on_trust_leaves_heavy_libraries_out() -> None:
    write("x", front("arguments: {type: object}"))
    program = """if True:
        import sys
        from pathlib import Path
        from agents.src.services.markdown import read_catalogue
        read_catalogue(Path("skills"), deep=False)
        print([name for name in ("jsonschema", "modal", "fastapi", "claude_agent_sdk", "sqlite3") if name in sys.modules])
    """
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert run.stdout.strip() == "[]"


def test_a_way_through_the_folder_above_keeps_the_name(monkeypatch: pytest.MonkeyPatch) -> None:
    write("x", front()).with_name("templates").mkdir()
    monkeypatch.chdir("skills/x/templates")
    assert [skill.name for skill in examine(Path(".."))[0]] == ["x"]


def test_a_program_that_cannot_be_executed_is_named() -> None:
    path = write("x", front("engine: script", "run: work.sh"))
    program = path.with_name("work.sh")
    program.write_text("#!/bin/sh\n")
    program.chmod(0o600)
    assert faults_of(path) == ["skills/x/info.md:5: run: work.sh cannot be executed; chmod +x it"]
    program.chmod(0o700)
    assert read_info(path).run == "work.sh"
