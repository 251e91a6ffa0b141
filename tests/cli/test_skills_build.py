"""`agents skills build | sync`."""

import json
from pathlib import Path

import pytest
from typer.testing import Result

from tests.cli.conftest import Agents

SKILL = "---\nname: notes\ndescription: Takes notes.\n---\n\nTake them.\n"
BUILT = "built: cloud/notes/info.md\n"


@pytest.fixture
def skills(agents: Agents, tmp_path: Path) -> Agents:
    """`agents skills WORDS…`, with a local skill `notes` and an empty catalogue `cloud`."""
    (tmp_path / "local" / "notes").mkdir(parents=True)
    (tmp_path / "local" / "notes" / "SKILL.md").write_text(SKILL)

    def run(*words: str) -> Result:
        return agents("skills", *words, MODAL_INVOKE_SKILLS_DIR=str(tmp_path / "cloud"))

    return run


def change(path: str, before: str, after: str) -> None:
    Path(path).write_text(Path(path).read_text().replace(before, after))


def test_build_writes_once_and_what_it_writes_is_a_skill(skills: Agents) -> None:
    shown = [skills("build", "local") for _ in range(2)]
    assert [(one.exit_code, one.stdout, one.stderr) for one in shown] == [(0, BUILT, ""), (0, "OK: 1 skill in step\n", "")]
    assert skills("check").stdout == "OK: 1 skill\n"


def test_check_writes_nothing_and_says_what_is_due(skills: Agents) -> None:
    shown = skills("build", "local", "--check")
    assert (shown.exit_code, shown.stdout) == (1, "only local: cloud/notes/info.md\n")
    assert not Path("cloud").exists()
    skills("build", "local")
    assert skills("build", "local", "--check").exit_code == 0
    change("local/notes/SKILL.md", "Take them.", "Take some.")
    shown = skills("build", "local", "--check")
    assert (shown.exit_code, shown.stdout) == (1, "build due: cloud/notes/info.md\n")
    assert "Take them." in Path("cloud/notes/info.md").read_text()


def test_what_was_edited_is_refused_but_for_force_and_check_refuses_it_too(skills: Agents) -> None:
    skills("build", "local")
    change("cloud/notes/info.md", "Take them.", "Take all.")
    said = (
        "cloud/notes/info.md was edited by hand since the last build; move the edit into local/notes, or lose it with --force\n"
    )
    for words in (["build", "local"], ["build", "local", "--check"]):
        shown = skills(*words)
        assert (shown.exit_code, shown.stdout) == (1, said)
    assert "Take all." in Path("cloud/notes/info.md").read_text()
    shown = skills("build", "local", "--force")
    assert (shown.exit_code, shown.stdout) == (0, BUILT)
    assert "Take them." in Path("cloud/notes/info.md").read_text()


def test_a_skill_that_is_refused_keeps_no_other_from_being_built(skills: Agents) -> None:
    Path("local/broken").mkdir()
    Path("local/broken/SKILL.md").write_text("---\nname: broken\n---\nx\n")
    shown = skills("build", "local")
    assert shown.exit_code == 1
    assert shown.stdout.splitlines() == [
        "local/broken/SKILL.md:1: description: is missing; say in 1 to 1024 characters what the skill does and when to use it",
        BUILT.strip(),
    ]


def test_warnings_go_to_stderr_and_name_whose_they_are(skills: Agents) -> None:
    change("local/notes/SKILL.md", "Take them.", "Take $ARGUMENTS.")
    change("local/notes/SKILL.md", "name: notes", "name: notes\nmodel: sonnet")
    shown = skills("build", "local")
    assert (shown.exit_code, shown.stdout) == (0, BUILT)
    own, others = shown.stderr.splitlines()
    assert own == "warning: local/notes/SKILL.md:1: the text has $ARGUMENTS, which only Claude Code on this machine fills in"
    assert others.startswith("warning: local/notes/SKILL.md: skills-ref says: Unexpected fields in frontmatter: model.")


def test_build_in_json(skills: Agents) -> None:
    shown = skills("build", "local", "--json")
    assert json.loads(shown.stdout) == {
        "ok": True,
        "skills": [{"skill": "notes", "state": "built", "ok": True, "why": [], "files": ["cloud/notes/info.md"]}],
    }
    change("cloud/notes/info.md", "Take them.", "Take all.")
    [refused] = json.loads(skills("build", "local", "--json").stdout)["skills"]
    assert (refused["state"], refused["ok"], refused["files"], len(refused["why"])) == ("edited in the cloud", False, [], 1)


def test_out_names_another_catalogue(skills: Agents) -> None:
    assert skills("build", "local", "--out", "elsewhere").stdout == "built: elsewhere/notes/info.md\n"


def test_a_folder_without_a_skill_is_wrong_usage(skills: Agents) -> None:
    shown = skills("build", "nowhere")
    assert (shown.exit_code, shown.stdout) == (2, "")
    assert shown.stderr.startswith("error: There is no SKILL.md in nowhere, ")


def test_sync_shows_each_difference_and_writes_nothing(skills: Agents) -> None:
    for name in ("due", "edited", "gone", "same"):
        Path(f"local/{name}").mkdir()
        Path(f"local/{name}/SKILL.md").write_text(SKILL.replace("notes", name))
    skills("build", "local/due", "local/edited", "local/gone", "local/same")
    Path("local/gone/SKILL.md").unlink()
    change("local/due/SKILL.md", "Take them.", "Take some.")
    change("cloud/edited/info.md", "Take them.", "Take all.")
    before = {path: path.read_bytes() for path in Path().rglob("*.md")}
    shown = skills("sync", "local")
    assert shown.exit_code == 1
    assert [line.split()[:2] for line in shown.stdout.splitlines()[:6]] == [
        ["skill", "state"], ["due", "build"], ["edited", "edited"], ["notes", "only"], ["same", "in"], ["gone", "only"],
    ]  # fmt: skip
    assert "build due: cloud/due/info.md\n" in shown.stdout
    assert "-Take them.\n+Take all.\n" in shown.stdout
    assert "cloud/gone was built, and none of the folders has its SKILL.md\n" in shown.stdout
    assert {path: path.read_bytes() for path in Path().rglob("*.md")} == before


def test_sync_of_what_is_in_step(skills: Agents) -> None:
    skills("build", "local")
    Path("cloud/own").mkdir()
    Path("cloud/own/info.md").write_text("---\nname: own\ndescription: Mine.\n---\nx\n")
    shown = skills("sync", "local")
    assert (shown.exit_code, shown.stdout.splitlines()[1:]) == (
        0,
        ["notes  in step          local/notes/SKILL.md", "own    the cloud's own"],
    )


def test_sync_in_json(skills: Agents) -> None:
    shown = skills("sync", "local", "--json")
    assert shown.exit_code == 1
    assert json.loads(shown.stdout) == {
        "ok": False,
        "skills": [
            {
                "skill": "notes",
                "state": "only local",
                "local": "local/notes/SKILL.md",
                "cloud": "cloud/notes",
                "why": [],
                "files": ["cloud/notes/info.md"],
                "diff": "",
            }
        ],
    }
