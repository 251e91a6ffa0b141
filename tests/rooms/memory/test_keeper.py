"""How a server keeps what tasks learned: real files and states, a shared memory in this process."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from agents.src.errors import IllegalMove, StorageEmptied, Unavailable, UnknownLesson
from agents.src.memory import (
    Act,
    Document,
    Editor,
    Keeper,
    Lesson,
    LessonState,
    MemoryEntry,
    Replica,
    Report,
    Sync,
    Taught,
    Write,
    entry_id,
    judge,
    sibling_id,
)
from agents.src.services.replica import FolderReplica
from tests.building import NOON, PATIENCE, SteppedClock
from tests.rooms.memory.house import InlineDb, MemoryInMemory, no_secrets

SKILL = "planning"
BCRYPT, ARGON = "use bcrypt", "use argon2"
ID = entry_id(SKILL, BCRYPT)


class Lessons:
    """Implements `LessonStore` in a list."""

    def __init__(self) -> None:
        self.all: list[Taught] = []

    async def waiting(self, skill: str | None = None) -> tuple[Taught, ...]:
        return tuple(taught for taught in self.all if taught.state is LessonState.NEW and skill in (None, taught.skill))

    async def held(self, skills: frozenset[str] | None = None) -> tuple[Taught, ...]:
        return tuple(one for one in self.all if one.state is LessonState.HELD and (skills is None or one.skill in skills))

    async def get(self, number: int) -> Taught:
        if not 0 < number <= len(self.all):
            raise UnknownLesson("There is none.")
        return self.all[number - 1]

    async def move(self, number: int, before: LessonState, after: LessonState, note: str = "") -> Taught:
        taught = await self.get(number)
        if taught.state is not before:
            raise IllegalMove("It does not stand there.")
        self.all[number - 1] = replace(taught, state=after, note=note)
        return self.all[number - 1]


class Shared(MemoryInMemory):
    """With `away`, it cannot be reached; at two places, something may happen meanwhile."""

    away = False
    looks = 0
    before_second_look: Callable[[], Awaitable[None]] | None = None
    after_write: Callable[[], None] | None = None

    async def changes(self, *args: Any) -> tuple[MemoryEntry, ...]:
        if self.away:
            raise Unavailable("Qdrant cannot be reached.")
        self.looks += 1
        if self.before_second_look and self.looks == 2:
            await self.before_second_look()
        return await super().changes(*args)

    async def write(self, writes: Any) -> dict[str, MemoryEntry | None]:
        found = await super().write(writes)
        if self.after_write:
            self.after_write()
        return found


@dataclass
class House:
    """One server, and beside it whoever changes the shared memory directly."""

    folder: Path
    lessons: Lessons
    shared: Shared
    keeper: Keeper
    editor: Editor

    @property
    def file(self) -> Path:
        return self.folder / SKILL / "memory.md"

    @property
    def lines(self) -> dict[str, str]:
        items = Document.parse(self.file.read_text()).items if self.file.exists() else ()
        return {str(item.id): item.text for item in items}

    def teach(self, action: Act, which: str, text: str = "", rev: str | None = None, skill: str = SKILL, task: str = "t1") -> int:
        lesson = Lesson(action=action, id=which, text=text, rev=rev)
        number = len(self.lessons.all) + 1
        self.lessons.all.append(Taught(number, task, skill, "ada", lesson, LessonState.NEW, NOON))
        return number

    def add(self, text: str, skill: str = SKILL, task: str = "t1") -> int:
        return self.teach(Act.ADD, entry_id(skill, text), text, skill=skill, task=task)

    def standing(self, number: int) -> tuple[LessonState, str]:
        return self.lessons.all[number - 1].state, self.lessons.all[number - 1].note

    async def keep(self) -> Report:
        return await self.keeper.keep(SKILL)


def tell(folder: Path, story: Callable[[House], Awaitable[None]], restores: bool = False) -> None:
    async def live() -> None:
        clock, db, lessons, shared = SteppedClock(), InlineDb(), Lessons(), Shared()

        def replica_of(skill: str) -> FolderReplica:
            return FolderReplica(folder / skill, skill, db, clock, "here", "server", locks=folder / "locks", make=restores)

        (folder / SKILL).mkdir(exist_ok=True)
        keeper = Keeper(lessons, replica_of, Sync(shared, clock, no_secrets, "server"), restores)
        async with asyncio.timeout(PATIENCE):
            await story(House(folder, lessons, shared, keeper, Editor(shared, clock, no_secrets, "http")))
        await db.close()

    asyncio.run(live())


TAKEN = (LessonState.TAKEN, "")


def test_a_lesson_goes_into_the_file_and_the_shared_memory_and_says_where_it_comes_from(tmp_path: Path) -> None:
    async def story(house: House) -> None:
        number = house.add(ARGON)
        await house.keep()
        assert house.lines == house.shared.live(SKILL) == {entry_id(SKILL, ARGON): ARGON}
        [entry] = house.shared.of(SKILL).values()
        assert (entry.author, entry.source, entry.created_at) == ("ada", "task:t1", NOON)
        assert entry.writer.startswith("server.")
        assert house.standing(number) == TAKEN

    tell(tmp_path, story)


def test_a_second_time_there_is_nothing_to_do(tmp_path: Path) -> None:
    async def story(house: House) -> None:
        house.add(ARGON)
        await house.keep()
        before, writes = house.file.stat().st_mtime_ns, house.shared.writes
        report = await house.keep()
        assert report.in_step
        assert (house.file.stat().st_mtime_ns, house.shared.writes) == (before, writes)

    tell(tmp_path, story)


def test_what_the_lesson_is_about_comes_first(tmp_path: Path) -> None:
    """The task read the shared memory; this file has not seen the entry yet."""

    async def story(house: House) -> None:
        entry, _ = await house.editor.add(SKILL, BCRYPT, "", "ada")
        other, _ = await house.editor.add(SKILL, "on Mondays", "", "ada")
        corrected = house.teach(Act.CORRECT, entry.id, ARGON, entry.rev)
        forgotten = house.teach(Act.FORGET, other.id, other.text, other.rev)
        await house.keep()
        assert house.lines == house.shared.live(SKILL) == {entry.id: ARGON}
        assert house.standing(corrected) == house.standing(forgotten) == TAKEN

    tell(tmp_path, story)


def test_a_correction_of_what_was_changed_meanwhile_is_a_conflict_that_names_both(tmp_path: Path) -> None:
    async def story(house: House) -> None:
        entry, _ = await house.editor.add(SKILL, BCRYPT, "", "ada")
        await house.editor.edit(SKILL, entry.id, None, "use scrypt", "bob")
        number = house.teach(Act.CORRECT, entry.id, ARGON, entry.rev)
        report = await house.keep()
        sibling = sibling_id(entry.id, ARGON)
        assert house.lines == house.shared.live(SKILL) == {entry.id: "use scrypt", sibling: ARGON}
        assert [(conflict.text, conflict.other) for conflict in report.conflicts] == [("use scrypt", ARGON)]
        assert house.shared.of(SKILL)[sibling].source == "task:t1"
        assert house.standing(number) == TAKEN

    tell(tmp_path, story)


def test_what_was_forgotten_on_purpose_waits_for_a_person_who_may_let_it_in(tmp_path: Path) -> None:
    async def story(house: House) -> None:
        entry, _ = await house.editor.add(SKILL, BCRYPT, "", "ada")
        await house.editor.forget(SKILL, entry.id, None, "ada")
        number = house.add(BCRYPT)
        await house.keep()
        assert house.standing(number) == (LessonState.HELD, "It was known before, and was forgotten on purpose.")
        assert house.lines == house.shared.live(SKILL) == {}
        await judge(house.lessons, number, accept=True)
        await house.keep()
        assert house.lines == house.shared.live(SKILL) == {ID: BCRYPT}
        assert house.standing(number) == TAKEN

    tell(tmp_path, story)


def test_what_is_forgotten_while_it_is_learned_waits_for_a_person(tmp_path: Path) -> None:
    """Between the pull and the push, somebody else writes the same and deletes it."""

    async def story(house: House) -> None:
        number = house.add(BCRYPT)

        async def interfere() -> None:
            entry, _ = await house.editor.add(SKILL, BCRYPT, "", "bob")
            await house.editor.forget(SKILL, entry.id, None, "bob")

        house.shared.before_second_look = interfere
        await house.keep()
        assert house.standing(number) == (LessonState.HELD, "It was forgotten at the same time, by somebody else.")
        assert house.lines == house.shared.live(SKILL) == {}

    tell(tmp_path, story)


@pytest.mark.parametrize("action", Act)
def test_a_lesson_waits_for_the_next_time_where_an_editor_saved_over_it_before_it_was_shared(tmp_path: Path, action: Act) -> None:
    """The file was open before the lesson was taken into it, and is saved while the sync looks at the shared memory."""
    after = {Act.ADD: {BCRYPT, ARGON}, Act.CORRECT: {ARGON}, Act.FORGET: set[str]()}[action]

    async def story(house: House) -> None:
        entry, _ = await house.editor.add(SKILL, BCRYPT, "", "ada")
        await house.keep()
        opened = house.file.read_text()
        which = entry_id(SKILL, ARGON) if action is Act.ADD else ID
        number = house.teach(action, which, "" if action is Act.FORGET else ARGON, None if action is Act.ADD else entry.rev)

        async def saves() -> None:
            house.file.write_text(f"{opened}- typed\n")

        house.shared.looks, house.shared.before_second_look = 0, saves
        await house.keep()
        assert house.standing(number) == (LessonState.NEW, "")
        await house.keep()
        assert house.standing(number) == TAKEN
        assert set(house.lines.values()) == set(house.shared.live(SKILL).values()) == {*after, "typed"}

    tell(tmp_path, story)


def test_what_a_task_added_and_forgot_itself_is_no_longer_waited_for(tmp_path: Path) -> None:
    async def story(house: House) -> None:
        await house.editor.add(SKILL, BCRYPT, "", "ada")
        numbers = [house.add(BCRYPT), house.teach(Act.FORGET, ID)]
        await house.keep()
        assert [house.standing(number) for number in numbers] == [TAKEN, TAKEN]
        assert house.lines == {ID: BCRYPT}

    tell(tmp_path, story)


def test_without_the_shared_memory_lessons_wait_and_arrive_later(tmp_path: Path) -> None:
    async def story(house: House) -> None:
        number = house.add(ARGON)
        house.shared.away = True
        with pytest.raises(Unavailable):
            await house.keep()
        assert house.standing(number)[0] is LessonState.NEW
        house.shared.away = False
        await house.keep()
        assert list(house.lines.values()) == list(house.shared.live(SKILL).values()) == [ARGON]
        assert house.standing(number) == TAKEN

    tell(tmp_path, story)


class Killed(BaseException): ...


def die() -> None:
    raise Killed


def test_a_keeper_that_is_killed_after_the_push_takes_no_lesson_twice(tmp_path: Path) -> None:
    async def story(house: House) -> None:
        number = house.add(ARGON)
        house.shared.after_write = die
        with pytest.raises(Killed):
            await house.keep()
        house.shared.after_write = None
        [entry] = house.shared.of(SKILL).values()
        await house.editor.edit(SKILL, entry.id, None, "use argon2id", "bob")
        await house.keep()
        assert house.lines == house.shared.live(SKILL) == {entry.id: "use argon2id"}
        assert house.standing(number) == TAKEN

    tell(tmp_path, story)


def test_a_line_that_a_person_edited_is_not_taken_for_the_tasks_own(tmp_path: Path) -> None:
    """The keeper was killed over a conflict, and the task corrects itself after the person has."""

    async def story(house: House) -> None:
        entry, _ = await house.editor.add(SKILL, BCRYPT, "", "ada")
        await house.keep()
        await house.editor.edit(SKILL, entry.id, None, "use scrypt", "bob")
        house.teach(Act.CORRECT, entry.id, ARGON, entry.rev)
        house.shared.after_write = die
        with pytest.raises(Killed):
            await house.keep()
        house.shared.after_write = None
        house.file.write_text(house.file.read_text().replace("use scrypt", "use yescrypt"))
        await house.keep()
        assert house.shared.of(SKILL)[entry.id].source == "local"
        house.teach(Act.CORRECT, entry.id, "use pbkdf2")
        await house.keep()
        assert house.shared.live(SKILL) == house.lines
        assert sorted(house.lines.values()) == [ARGON, "use pbkdf2", "use yescrypt"]

    tell(tmp_path, story)


def test_a_lesson_that_cannot_be_shared_is_rejected_and_says_why(tmp_path: Path) -> None:
    async def story(house: House) -> None:
        number = house.add("a secret")
        await house.keep()
        assert house.standing(number) == (LessonState.REJECTED, "it says so")
        assert house.shared.live(SKILL) == {}

    tell(tmp_path, story)


def test_one_skill_that_cannot_be_kept_does_not_stop_the_others(tmp_path: Path) -> None:
    async def story(house: House) -> None:
        (house.folder / "media").mkdir()
        (house.folder / "media" / "memory.md").write_bytes(b"- \xff\n")
        stuck, kept = house.add(BCRYPT, "media"), house.add(ARGON)
        with capture_logs() as logs:
            await house.keeper.keep_all(["media", SKILL])
        assert house.standing(stuck)[0] is LessonState.NEW
        assert house.standing(kept) == TAKEN
        [said] = [entry for entry in logs if entry["event"] == "memory_not_kept"]
        assert said["skill"] == "media"
        assert str(house.folder / "media" / "memory.md") in said["detail"]

    tell(tmp_path, story)


def test_nor_does_one_whose_keeping_breaks(tmp_path: Path) -> None:
    async def story(house: House) -> None:
        kept, replica_of = house.add(ARGON), house.keeper.replica_of

        def broken(skill: str) -> Replica:
            if skill != SKILL:
                raise ZeroDivisionError
            return replica_of(skill)

        with capture_logs() as logs:
            await replace(house.keeper, replica_of=broken).keep_all(["media", SKILL])
        assert house.standing(kept) == TAKEN
        [said] = [entry for entry in logs if entry["log_level"] == "error"]
        assert (said["event"], said["skill"]) == ("memory_not_kept", "media")

    tell(tmp_path, story)


def test_skills_with_waiting_lessons_are_kept_without_being_named(tmp_path: Path) -> None:
    async def story(house: House) -> None:
        number = house.add(ARGON)
        [report] = await house.keeper.keep_all([])
        assert isinstance(report, Report)
        assert house.standing(number) == TAKEN

    tell(tmp_path, story)


def test_a_folder_that_may_not_be_written_is_named_in_the_log_and_lessons_wait(tmp_path: Path) -> None:
    async def story(house: House) -> None:
        house.file.symlink_to("/proc/1/comm")  # neither root nor anybody else can make a file there
        number = house.add(ARGON)
        with capture_logs() as logs:
            await house.keeper.keep_all([SKILL])
        assert house.standing(number)[0] is LessonState.NEW
        assert "/proc/1/comm cannot be written" in json.dumps(logs)

    tell(tmp_path, story)


def test_conflicts_are_told_each_time(tmp_path: Path) -> None:
    async def story(house: House) -> None:
        entry, _ = await house.editor.add(SKILL, BCRYPT, "", "ada")
        await house.editor.edit(SKILL, entry.id, None, "use scrypt", "bob")
        house.teach(Act.CORRECT, entry.id, ARGON, entry.rev)
        for _ in range(2):
            with capture_logs() as logs:
                await house.keeper.keep_all([SKILL])
            assert [(said["event"], said["entry"]) for said in logs] == [("memory_conflict", entry.id)]

    tell(tmp_path, story)


def fill(house: House) -> Awaitable[object]:
    async def write() -> None:
        for number in range(5):
            await house.editor.add(SKILL, f"fact {number}", "", "ada")

    return write()


def test_a_file_that_is_suddenly_gone_is_left_to_a_person(tmp_path: Path) -> None:
    async def story(house: House) -> None:
        await fill(house)
        await house.keep()
        house.file.unlink()
        with pytest.raises(StorageEmptied):
            await house.keep()
        assert len(house.shared.live(SKILL)) == 5

    tell(tmp_path, story)


def test_one_that_no_person_edits_is_restored(tmp_path: Path) -> None:
    async def story(house: House) -> None:
        await fill(house)
        await house.keep()
        lines = house.lines
        house.file.unlink()
        number = house.add(ARGON)
        await house.keep()
        assert house.lines == lines | {entry_id(SKILL, ARGON): ARGON} == house.shared.live(SKILL)
        assert house.standing(number) == TAKEN

    tell(tmp_path, story, restores=True)


def test_but_not_from_a_shared_memory_that_is_empty_itself(tmp_path: Path) -> None:
    async def story(house: House) -> None:
        await fill(house)
        await house.keep()
        house.file.unlink()
        house.shared.entries.clear()
        with pytest.raises(StorageEmptied):
            await house.keep()
        state = await house.keeper.replica_of(SKILL).load()
        assert len(state.base) == 5

    tell(tmp_path, story, restores=True)


def test_a_task_that_forgets_all_at_once_needs_a_person(tmp_path: Path) -> None:
    async def story(house: House) -> None:
        await fill(house)
        await house.keep()
        for entry in house.shared.of(SKILL).values():
            house.teach(Act.FORGET, entry.id, entry.text, entry.rev)
        with pytest.raises(StorageEmptied):
            await house.keep()
        assert len(house.shared.live(SKILL)) == 5

    tell(tmp_path, story, restores=True)


def test_writes_of_others_are_taken_into_the_servers_file_and_its_sequence(tmp_path: Path) -> None:
    async def story(house: House) -> None:
        entry, _ = await house.editor.add(SKILL, BCRYPT, "", "ada")
        assert await house.shared.write([Write(entry, None)])
        await house.keep()
        assert house.lines == {entry.id: BCRYPT}
        assert house.shared.of(SKILL)[entry.id].writer.startswith("server.")

    tell(tmp_path, story)
