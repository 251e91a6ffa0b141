"""Claude Code's own memory of a project as a replica, between two machines that have the same project."""

import asyncio
import os
import subprocess
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from agents.src.bootstrap import Memory
from agents.src.errors import InvalidMemory, InvalidRequest, StorageEmptied
from agents.src.memory import Deed, Report, entry_id
from agents.src.services.auto_memory import AutoMemory
from agents.src.services.auto_memory_place import find_place
from agents.src.services.database import Db
from agents.src.services.memory_file import MemoryFile
from agents.src.services.rehearsal import Rehearsal, Reply, Script
from tests.building import SteppedClock, a_settings
from tests.client.claude import ClaudeCode
from tests.conftest import OpenDb

INDEX = "# Notes\n\nKept by hand.\n\n- [Hashes](hashes.md) — argon2\n- [Clips](clips.md) — 50 fps\n\nThe end.\n"
HASHES = "---\nname: hashes\ndescription: What to hash with\n---\n\nUse argon2:\n\n```\nargon2id(…)\n```\n"
CLIPS = "Videos are 50 fps.  \nAlways.\n"


@dataclass
class Machine:
    """`folder` is Claude Code's; `own` the replica's."""

    memory: Memory
    project: Path
    folder: Path

    async def sync(self, *, force: bool = False, dry: bool = False) -> Report:
        _, replica = self.memory.auto_memory(self.project)
        return await self.memory.sync("ada").run(replica, force=force, dry=dry)

    def write(self, **files: str) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (self.folder / f"{name}.md").write_text(text)

    @property
    def files(self) -> dict[str, str]:
        return {path.name: path.read_text() for path in sorted(self.folder.iterdir())} if self.folder.is_dir() else {}

    @property
    def lines(self) -> set[str]:
        return {line for line in self.files.get("MEMORY.md", "").splitlines() if line.startswith("- ")}


def git(folder: Path, *words: str) -> None:
    subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True)


def machine(tmp_path: Path, db: Db, name: str, remote: str) -> Machine:
    project = tmp_path / name / "project"
    project.mkdir(parents=True)
    git(project, "init")
    git(project, "remote", "add", "origin", remote)
    settings = a_settings(tmp_path / "state", claude_config_dir=tmp_path / name / ".claude", qdrant_url=None)
    memory = Memory(settings, db, SteppedClock())
    return Machine(memory, project, find_place(project, settings.claude_config_dir).folder)


Play = Callable[[Machine, Machine], Awaitable[None]]


@pytest.fixture
def play(tmp_path: Path, open_sqlite: OpenDb) -> Callable[[Play], None]:
    """Runs a story of two machines; the first has Claude Code's files already."""

    def run(story: Play) -> None:
        async def on_two() -> None:
            db = open_sqlite()
            one = machine(tmp_path, db, "one", "git@example.org:team/app.git")
            two = machine(tmp_path, db, "two", "https://user:secret@Example.org/team/app")
            two.memory.__dict__["store"] = one.memory.store  # one process may open the embedded store once
            one.write(MEMORY=INDEX, hashes=HASHES, clips=CLIPS)
            try:
                await story(one, two)
            finally:
                await one.memory.close()

        asyncio.run(on_two())

    return run


async def together(*machines: Machine) -> None:
    """Until all are in step."""
    for _ in range(3):
        for each in machines:
            await each.sync()
    for each in machines:
        assert (await each.sync(dry=True)).in_step


def test_lines_and_files_follow_a_person_and_the_folder_gets_no_marks(play: Callable[[Play], None]) -> None:
    async def story(one: Machine, two: Machine) -> None:
        before = one.files
        report = await one.sync()
        assert [step.deed for step in report.steps] == [Deed.ADD] * 4
        assert one.files == before
        await two.sync()
        assert two.files["hashes.md"] == HASHES
        assert two.files["clips.md"] == "Videos are 50 fps.\nAlways.\n"
        assert two.lines == one.lines
        assert "<!--" not in "".join(two.files.values())
        for each in (one, two):
            assert (await each.sync()).in_step
        assert one.files == before

    play(story)


def test_changes_and_deletions_go_both_ways_and_prose_stays(play: Callable[[Play], None]) -> None:
    async def story(one: Machine, two: Machine) -> None:
        await together(one, two)
        two.write(hashes=HASHES.replace("argon2", "scrypt"), new="A new one.\n")
        two.write(MEMORY=two.files["MEMORY.md"].replace("— 50 fps", "— 60 fps") + "- [New](new.md) — new\n")
        (one.folder / "clips.md").unlink()
        await together(one, two)
        assert (
            one.lines == {"- [Hashes](hashes.md) — argon2", "- [Clips](clips.md) — 60 fps", "- [New](new.md) — new"} == two.lines
        )
        assert set(one.files) == set(two.files) == {"MEMORY.md", "hashes.md", "new.md"}
        assert "scrypt" in one.files["hashes.md"]
        assert one.files["MEMORY.md"].startswith(
            "# Notes\n\nKept by hand.\n\n- [Hashes](hashes.md) — argon2\n- [Clips](clips.md) — 60 fps\n"
        )
        assert "\nThe end.\n" in one.files["MEMORY.md"]

    play(story)


def test_what_both_learned_is_no_conflict(play: Callable[[Play], None]) -> None:
    async def story(one: Machine, two: Machine) -> None:
        two.write(MEMORY="- [Tea](tea.md) — green\n", tea="Green tea.\n")
        await together(one, two)
        assert one.lines == two.lines
        assert len(one.lines) == 3
        assert set(one.files) == set(two.files) == {"MEMORY.md", "clips.md", "hashes.md", "tea.md"}

    play(story)


def test_the_same_file_changed_on_both_machines_is_kept_twice_until_one_is_deleted(play: Callable[[Play], None]) -> None:
    async def story(one: Machine, two: Machine) -> None:
        await together(one, two)
        one.write(clips="24 fps.\n")
        two.write(clips="60 fps.\n")
        await one.sync()
        assert [step.deed for step in (await two.sync()).steps] == [Deed.CONFLICT]
        await together(one, two)
        [extra] = set(two.files) - {"MEMORY.md", "clips.md", "hashes.md"}
        assert extra.startswith("clips~")
        assert (two.files["clips.md"], two.files[extra]) == ("24 fps.\n", "60 fps.\n")
        assert one.files[extra] == "60 fps.\n"
        (two.folder / extra).unlink()
        await together(one, two)
        assert set(one.files) == set(two.files) == {"MEMORY.md", "clips.md", "hashes.md"}

    play(story)


def test_a_line_changed_on_both_machines_is_kept_twice(play: Callable[[Play], None]) -> None:
    async def story(one: Machine, two: Machine) -> None:
        await together(one, two)
        for each, rate in ((one, "24"), (two, "60")):
            each.write(MEMORY=each.files["MEMORY.md"].replace("50 fps", f"{rate} fps"))
        await together(one, two)
        both = {"- [Clips](clips.md) — 24 fps", "- [Clips](clips.md) — 60 fps"}
        assert both < one.lines == two.lines
        two.write(MEMORY=two.files["MEMORY.md"].replace("- [Clips](clips.md) — 24 fps\n", ""))
        await together(one, two)
        assert one.lines == two.lines == {"- [Hashes](hashes.md) — argon2", "- [Clips](clips.md) — 60 fps"}

    play(story)


def test_what_cannot_be_an_entry_stays_where_it_is(play: Callable[[Play], None]) -> None:
    async def story(one: Machine, two: Machine) -> None:
        one.write(long="x" * 5000)
        await together(one, two)
        assert set(two.files) == {"MEMORY.md", "clips.md", "hashes.md"}
        one.write(clips="y" * 5000)
        two.write(clips="24 fps.\n")
        await together(one, two)
        assert one.files["clips.md"] == "y" * 5000
        assert two.files["clips.md"] == "24 fps.\n"
        one.write(clips="25 fps.\n")
        await together(one, two)
        texts = {text for name, text in one.files.items() if name.startswith("clips")}
        assert "25 fps.\n" in texts
        assert one.files["long.md"] == "x" * 5000

    play(story)


def test_other_files_and_links_are_left_alone(play: Callable[[Play], None], tmp_path: Path) -> None:
    async def story(one: Machine, two: Machine) -> None:
        (tmp_path / "secret.md").write_text("Elsewhere.\n")
        (one.folder / "link.md").symlink_to(tmp_path / "secret.md")
        (one.folder / "notes.txt").write_text("No fact.\n")
        (one.folder / ".hidden.md").write_text("No fact.\n")
        await together(one, two)
        assert set(two.files) == {"MEMORY.md", "clips.md", "hashes.md"}
        assert len(one.files) == 6

    play(story)


def test_an_entry_that_somebody_added_becomes_a_line(play: Callable[[Play], None]) -> None:
    async def story(one: Machine, two: Machine) -> None:
        await together(one, two)
        _, replica = one.memory.auto_memory(one.project)
        await one.memory.editor("local").add(replica.skill, "See [Hashes](hashes.md) first.", "", "ada")
        await one.memory.editor("local").add(replica.skill, "File: ../../evil.md\nNothing.", "", "ada")
        await together(one, two)
        assert "- See [Hashes](hashes.md) first." in one.lines
        assert one.lines == two.lines
        assert set(one.files) == set(two.files) == {"MEMORY.md", "clips.md", "hashes.md"}

    play(story)


def test_a_folder_that_was_emptied_is_refused_and_can_be_had_again(play: Callable[[Play], None]) -> None:
    async def story(one: Machine, two: Machine) -> None:
        await together(one, two)
        for path in two.folder.iterdir():
            path.unlink()
        with pytest.raises(StorageEmptied):
            await two.sync()
        assert one.files == {"MEMORY.md": INDEX, "hashes.md": HASHES, "clips.md": CLIPS}

    play(story)


class Kill(BaseException):
    """The end of the program."""


class Unreached(MemoryFile):
    """A file of ours: the program ends before it is written, and after those of Claude Code were."""

    def write(self, text: str, over: str | None) -> bool:
        raise Kill


def test_a_sync_that_is_killed_in_the_middle_loses_and_doubles_nothing(play: Callable[[Play], None]) -> None:
    async def story(one: Machine, two: Machine) -> None:
        await together(one, two)
        one.write(clips="24 fps.\n", new="New.\n")
        (one.folder / "hashes.md").unlink()
        await one.sync()
        _, replica = two.memory.auto_memory(two.project)
        assert isinstance(replica, AutoMemory)
        replica._own = Unreached(replica._own.path.parent)
        two.write(mine="Mine.\n")
        with pytest.raises(Kill):
            await two.memory.sync("ada").run(replica)
        await together(one, two)
        assert one.files == two.files | {"MEMORY.md": one.files["MEMORY.md"]}
        assert set(two.files) == {"MEMORY.md", "clips.md", "new.md", "mine.md"}
        assert one.lines == two.lines

    play(story)


def saving(write: Callable[..., bool], path: Path, text: str) -> Callable[..., bool]:
    """Claude Code saves once, after the folder was read and before anything is written."""
    left = [text]

    def writing(*args: object) -> bool:
        while left:
            path.write_text(left.pop())
        return write(*args)

    return writing


@pytest.mark.parametrize("name", ["clips.md", "hashes.md", "MEMORY.md"])
def test_what_claude_code_saves_while_a_sync_writes_is_kept(
    play: Callable[[Play], None], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """A file that the sync would replace, one that it would remove, and the index."""

    async def story(one: Machine, two: Machine) -> None:
        await together(one, two)
        one.write(clips="24 fps.\n", MEMORY=INDEX.replace("50 fps", "24 fps"))
        (one.folder / "hashes.md").unlink()
        await one.sync()
        learned, path = "- Learned just now.\n", two.folder / name
        monkeypatch.setattr(AutoMemory, "_write_files", saving(AutoMemory._write_files, path, path.read_text() + learned))
        await two.sync()
        monkeypatch.undo()
        assert any(learned in text for text in two.files.values())
        await together(one, two)
        assert any(learned in text for text in one.files.values())
        assert one.files == two.files | {"MEMORY.md": one.files["MEMORY.md"]}

    play(story)


def test_no_entry_is_written_over_a_file_that_stays_here(play: Callable[[Play], None]) -> None:
    """One that cannot be an entry, and whose name another's text has taken."""

    async def story(one: Machine, two: Machine) -> None:
        await together(one, two)
        two.write(long="x" * 5000)
        _, replica = one.memory.auto_memory(one.project)
        await one.memory.editor("local").edit(
            replica.skill, entry_id(replica.skill, "File: clips.md"), None, "File: long.md\nShort.", "ada"
        )
        await two.sync()
        assert two.files["long.md"] == "x" * 5000
        assert "Short.\n" in two.files.values()

    play(story)


def test_a_pipe_in_the_place_of_the_index_is_refused(play: Callable[[Play], None]) -> None:
    async def story(one: Machine, two: Machine) -> None:
        two.folder.mkdir(parents=True)
        os.mkfifo(two.folder / "MEMORY.md")
        with pytest.raises(InvalidMemory, match=r"MEMORY\.md is a pipe or a device"):
            await two.sync()

    play(story)


@pytest.mark.parametrize(
    ("remote", "same"),
    [
        ("https://example.org/team/app.git", True),
        ("ssh://git@example.org/team/app/", True),
        ("https://token@EXAMPLE.org/team/app", True),
        ("git@example.org:team/app.git", True),
        ("git@example.org:team/other.git", False),
        ("https://example.com/team/app", False),
    ],
)
def test_a_project_has_one_name_however_it_is_fetched(tmp_path: Path, remote: str, same: bool) -> None:
    names = []
    for folder, address in (("a", "https://example.org/team/app"), ("b", remote)):
        (tmp_path / folder).mkdir()
        git(tmp_path / folder, "init")
        git(tmp_path / folder, "remote", "add", "origin", address)
        names.append(find_place(tmp_path / folder, tmp_path).skill)
    assert (names[0] == names[1]) == same


def test_a_path_that_claude_code_shortens_is_refused(tmp_path: Path) -> None:
    deep = tmp_path / ("l" * 120) / ("m" * 120)
    deep.mkdir(parents=True)
    with pytest.raises(InvalidRequest, match="more than 200 characters"):
        find_place(deep, tmp_path)


def test_the_folder_is_the_one_that_claude_code_names_to_its_model(tmp_path: Path) -> None:
    home, project = tmp_path / "home", tmp_path / "A_project.x"
    home.mkdir()
    (project / "sub dir").mkdir(parents=True)
    git(project, "init")
    git(project, "-c", "user.email=a@b.c", "-c", "user.name=ada", "commit", "--allow-empty", "-m", "x")
    git(project, "worktree", "add", str(tmp_path / "tree"))

    async def told(directory: Path) -> str:
        async with Rehearsal(Script(replies=(Reply(text="Fine."),))) as rehearsal:
            words, env = ("-p", "Hello", "--output-format", "json"), {"ANTHROPIC_BASE_URL": rehearsal.url}
            code, out = await ClaudeCode(home, directory)(*words, env=env)
            assert code == 0, out
            return str(rehearsal.requests)

    for directory in (project / "sub dir", tmp_path / "tree"):
        place = find_place(directory, home / ".claude")
        assert f"{place.folder}/" in asyncio.run(told(directory))
