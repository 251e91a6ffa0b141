"""What a replica in a folder keeps to, on both databases."""

import asyncio
import os
import stat
import sys
from asyncio.subprocess import PIPE
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from agents.src.clock import Clock
from agents.src.errors import InvalidMemory, Misconfigured, Unavailable
from agents.src.memory import Advance, Intent, Mark, MemoryEntry, Origin, Sent, State, Sync, changed, digest, new_entry
from agents.src.services.database import Db
from agents.src.services.memory_file import LARGEST, MemoryFile
from agents.src.services.replica import PATIENCE as LOCK_PATIENCE
from agents.src.services.replica import FolderReplica, machine_id
from tests.building import NOON, PATIENCE, SteppedClock, eventually
from tests.conftest import OpenDb
from tests.rooms.memory.house import MemoryInMemory, open_eyes

Story = Callable[[FolderReplica, Db], Awaitable[None]]
ADA = Origin("ada", "local", NOON)
ID = "a167aa41ae7e"
OTHER = "9c1b22f0aaaa"
HOLDER = """
import sys, time
from filelock import FileLock
lock = FileLock(sys.argv[1])
lock.acquire()
print("held", flush=True)
time.sleep(60)
"""


def an_entry(which: str = ID, text: str = "use uv", writer: str = "-", number: int = 0) -> MemoryEntry:
    return new_entry("planning", which, text, "Tools", ADA).model_copy(update={"writer": writer, "number": number})


def a_replica(folder: Path, db: Db, **fields: object) -> FolderReplica:
    given = {"skill": "planning", "clock": SteppedClock(), "machine": "m1", "name": "local", "locks": folder.parent / "locks"}
    return FolderReplica(folder, db=db, **{**given, **fields})  # type: ignore[arg-type]  # checked by the call itself


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "planning"
    folder.mkdir()
    return folder


def tell(open_db: OpenDb, folder: Path, story: Story) -> None:
    async def live() -> None:
        db = open_db()
        async with asyncio.timeout(PATIENCE):
            await story(a_replica(folder, db), db)

    asyncio.run(live())


# The state


def test_a_new_state_has_a_writers_name_that_stays(open_db: OpenDb, folder: Path) -> None:
    async def story(replica: FolderReplica, db: Db) -> None:
        first = await replica.load()
        assert first == State(first.writer)
        assert first.writer.startswith("local.")
        assert len(first.writer) == len("local.") + 8
        assert await replica.load() == first
        assert await a_replica(folder, open_db()).load() == first

    tell(open_db, folder, story)


def test_a_state_belongs_to_one_folder_of_one_skill_on_one_machine(open_db: OpenDb, folder: Path, tmp_path: Path) -> None:
    async def story(replica: FolderReplica, db: Db) -> None:
        (tmp_path / "other").mkdir()
        own = await replica.load()
        others = [
            a_replica(folder, db, machine="m2"),
            a_replica(folder, db, skill="design"),
            a_replica(tmp_path / "other", db),
        ]
        names = {(await other.load()).writer for other in others}
        assert len(names | {own.writer}) == 4
        (tmp_path / "link").symlink_to(folder)
        assert await a_replica(tmp_path / "link", db).load() == own

    tell(open_db, folder, story)


def test_a_step_is_what_the_port_says_of_it(open_db: OpenDb, folder: Path) -> None:
    """The steps that a state can make in memory are the ones that are kept."""

    async def story(replica: FolderReplica, db: Db) -> None:
        state = await replica.load()
        one, two = an_entry(), an_entry(OTHER, "naïve \x00 漢字 😀\nand a second line")
        sent = Sent(entry=an_entry(writer=state.writer, number=1), expects=None)
        steps = [
            Advance(base={ID: one}, seen={"cloud.1": (3, False)}),
            Advance(aside={OTHER: two}, seen={"cloud.1": (4, True), "cloud.2": (1, True)}),
            Advance(base={OTHER: changed(two, None, ADA)}, sent=(sent,), number=1),
            Advance(base={ID: None}, aside={OTHER: two}),
            Advance(),
        ]
        for step in steps:
            await replica.advance(step)
            state = state.after(step)
            assert await replica.load() == state
        await replica.advance(Advance(base={ID: one}), "g2")
        assert await replica.load() == state.after(Advance(base={ID: one}), "g2")

    tell(open_db, folder, story)


def test_an_intent_stays_until_its_file_is_there(open_db: OpenDb, folder: Path) -> None:
    async def story(replica: FolderReplica, db: Db) -> None:
        intent = Intent(generation="g1", advance=Advance(base={ID: an_entry()}, number=4))
        await replica.intend(intent)
        state = await replica.load()
        assert state.intent == intent
        await replica.advance(Advance(seen={"cloud.1": (1, True)}))
        assert (await replica.load()).intent == intent
        await replica.advance(intent.advance, "g1")
        state = await replica.load()
        assert (state.intent, state.generation, state.number, list(state.base)) == (None, "g1", 4, [ID])

    tell(open_db, folder, story)


def test_what_landed_becomes_the_base_and_what_stands_instead_is_kept_aside(open_db: OpenDb, folder: Path) -> None:
    async def story(replica: FolderReplica, db: Db) -> None:
        writer = (await replica.load()).writer
        ids = [f"{number:012x}" for number in range(4)]
        mine = [an_entry(which, "mine", writer, 1 + (which == ids[3])) for which in ids]
        await replica.advance(
            Advance(
                base={ids[2]: an_entry(ids[2], "agreed")},
                sent=tuple(Sent(entry=entry, expects=None) for entry in mine),
                number=2,
            )
        )
        theirs = an_entry(ids[1], "theirs")
        await replica.settle({ids[0]: mine[0]}, {ids[1]: theirs, ids[2]: None}, 1)
        state = await replica.load()
        assert state.base == {ids[0]: mine[0]}
        assert state.aside == {ids[1]: theirs}
        assert [one.entry for one in state.outbox] == [mine[3]]
        assert state.seen == {writer: Mark(1, True)}

    tell(open_db, folder, story)


def test_a_new_name_begins_at_no_number_and_keeps_the_rest(open_db: OpenDb, folder: Path) -> None:
    async def story(replica: FolderReplica, db: Db) -> None:
        before = await replica.load()
        sent = Sent(entry=an_entry(writer=before.writer, number=7), expects=None)
        await replica.advance(Advance(base={ID: an_entry()}, sent=(sent,), number=7), "g1")
        before = await replica.load()
        await replica.rename()
        after = await replica.load()
        assert after.writer != before.writer
        assert after == replace(before, writer=after.writer, number=0)
        await replica.settle({ID: sent.entry}, {}, 7)
        named = await replica.load()
        assert named.seen == {before.writer: Mark(7, True)}
        await replica.rename(unseen=True)
        unseen = await replica.load()
        assert unseen == replace(named, writer=unseen.writer, seen={})
        assert unseen.writer != named.writer

    tell(open_db, folder, story)


def test_when_all_was_compared_is_remembered(open_db: OpenDb, folder: Path) -> None:
    async def story(replica: FolderReplica, db: Db) -> None:
        await replica.verified(NOON)
        assert (await replica.load()).verified_at == NOON

    tell(open_db, folder, story)


# The lock


def test_a_file_has_one_state_and_one_lock_from_whichever_folder_it_is_linked(open_db: OpenDb, folder: Path) -> None:
    async def story(replica: FolderReplica, db: Db) -> None:
        here, there, other = folder.parent / "here", folder.parent / "there", folder.parent / "other"
        for each in (here, there, other):
            each.mkdir()
        (folder / "memory.md").write_text("- use uv\n")
        for name in ("notes.md", "more.md"):
            (folder / name).touch()
        (here / "memory.md").symlink_to(folder / "memory.md")
        (there / "memory.md").symlink_to(folder / "notes.md")
        (other / "memory.md").symlink_to(folder / "more.md")
        linked = [a_replica(each, db) for each in (here, there, other)]
        own = await replica.load()
        states = [await each.load() for each in linked]
        assert states[0].writer == own.writer
        assert len({own.writer, *(state.writer for state in states)}) == 3
        assert linked[0]._lock().lock_file == replica._lock().lock_file
        assert replica._key == usual  # as it ever was: states stay valid

    usual = digest("m1", str(folder.resolve()), "planning")
    tell(open_db, folder, story)


def test_a_line_that_is_deleted_from_a_linked_file_stays_deleted(open_sqlite: OpenDb, folder: Path) -> None:
    async def story(replica: FolderReplica, db: Db) -> None:
        (folder.parent / "here").mkdir()
        (folder.parent / "here" / "memory.md").symlink_to(folder / "memory.md")
        linked, file = a_replica(folder.parent / "here", db), folder / "memory.md"
        sync = Sync(MemoryInMemory(), SteppedClock(), open_eyes, "ada")
        file.write_text("- use uv\n- use ruff\n- use mypy\n")
        for each in (replica, linked, replica):
            await sync.run(each)
        whole = file.read_text()
        assert (await sync.run(linked)).in_step
        assert (await sync.run(replica)).in_step
        assert file.read_text() == whole
        file.write_text("".join(line for line in whole.splitlines(keepends=True) if "ruff" not in line))
        for each in (replica, linked, replica):
            await sync.run(each)
            assert "ruff" not in file.read_text()

    tell(open_sqlite, folder, story)


def test_a_second_sync_waits_and_then_gives_up(open_db: OpenDb, folder: Path) -> None:
    async def story(replica: FolderReplica, db: Db) -> None:
        clock = SteppedClock()
        second = a_replica(folder, db, clock=clock)

        async def enter() -> str:
            async with second.locked():
                return "in"

        async with replica.locked():
            waiting = asyncio.create_task(enter())
            await eventually(lambda: clock.sleeping > 0)
            await clock.advance(LOCK_PATIENCE)
            with pytest.raises(Unavailable, match=r"memory\.md is being synced by another program"):
                await waiting
        assert await enter() == "in"

    tell(open_db, folder, story)


def test_where_there_can_be_no_lock_that_is_told(open_db: OpenDb, folder: Path) -> None:
    async def story(_: FolderReplica, db: Db) -> None:
        locks = folder.parent / "locks"
        locks.write_text("a file in the place of a folder")
        with pytest.raises(Misconfigured, match=rf"^The folder {locks} cannot be used \(File exists\)"):
            async with a_replica(folder, db).locked():
                pass

    tell(open_db, folder, story)


def test_more_replicas_than_threads_sync_at_once(open_db: OpenDb, folder: Path) -> None:
    """None of them holds a thread while it waits for its file."""

    async def story(replica: FolderReplica, db: Db) -> None:
        (folder / "memory.md").write_text("- use uv\n")
        store = MemoryInMemory()
        sync = Sync(store, Clock(), open_eyes, "ada")
        same = [a_replica(folder, db, clock=Clock()) for _ in range(12)]
        other = [a_replica(folder.parent / f"other-{number}", db, make=True, clock=Clock()) for number in range(4)]
        reports = await asyncio.gather(*(sync.run(one) for one in [*same, *other]))
        assert len(reports) == 16
        assert list(store.live("planning").values()) == ["use uv"]

    tell(open_db, folder, story)


def test_a_lock_ends_with_its_process(open_sqlite: OpenDb, folder: Path) -> None:
    async def story(replica: FolderReplica, db: Db) -> None:
        clock = SteppedClock()
        replica = a_replica(folder, db, clock=clock)
        holder = await asyncio.create_subprocess_exec(sys.executable, "-c", HOLDER, replica._lock().lock_file, stdout=PIPE)
        assert holder.stdout
        await holder.stdout.readline()
        waiting = asyncio.create_task(replica.locked().__aenter__())
        await eventually(lambda: clock.sleeping > 0)
        holder.kill()
        await holder.wait()
        await clock.advance(1)
        await waiting

    tell(open_sqlite, folder, story)


# The file


def test_a_file_is_read_and_written_byte_for_byte(folder: Path) -> None:
    text = "\ufeff# Memory\r\n\r\n- naïve 漢字 😀\r\n- lone \r and \x0b and \u2028\n\n\nno end"

    file = MemoryFile(folder)
    assert file.read() is None
    assert file.write(text, None)
    assert (folder / "memory.md").read_bytes() == text.encode()
    assert file.read() == text
    assert sorted(path.name for path in folder.iterdir()) == ["memory.md"]


def test_a_file_that_was_changed_meanwhile_is_left_alone(folder: Path) -> None:
    file = MemoryFile(folder)
    path = folder / "memory.md"
    path.write_text("- by hand\n")
    assert not file.write("- new\n", None)
    assert not file.write("- new\n", "- old\n")
    assert path.read_text() == "- by hand\n"
    path.unlink()
    assert not file.write("- new\n", "- by hand\n")
    assert list(folder.iterdir()) == []


def test_the_former_file_is_kept_and_the_mode_stays(folder: Path) -> None:
    file = MemoryFile(folder)
    path = folder / "memory.md"
    path.write_text("- one\n")
    path.chmod(0o640)
    assert file.write("- two\n", "- one\n")
    assert file.write("- three\n", "- two\n")
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert (folder / ".memory.md.bak").read_text() == "- two\n"
    assert sorted(path.name for path in folder.iterdir()) == [".memory.md.bak", "memory.md"]


def test_a_link_into_a_folder_that_is_not_there_is_no_missing_file(folder: Path, tmp_path: Path) -> None:
    (folder / "memory.md").symlink_to(tmp_path / "away" / "notes.md")
    file = MemoryFile(folder)
    for attempt in (file.read, lambda: file.write("- use uv\n", None)):
        with pytest.raises(InvalidMemory, match=r"which is not there\."):
            attempt()
    (tmp_path / "away").mkdir()
    assert (file.read(), file.write("- use uv\n", None), file.read()) == (None, True, "- use uv\n")


def test_a_link_is_followed_and_stays_a_link(folder: Path, tmp_path: Path) -> None:
    file = MemoryFile(folder)
    target = tmp_path / "notes" / "planning.md"
    target.parent.mkdir()
    target.write_text("- one\n")
    (folder / "memory.md").symlink_to(target)
    assert file.read() == "- one\n"
    assert file.write("- two\n", "- one\n")
    assert (folder / "memory.md").is_symlink()
    assert target.read_text() == "- two\n"
    assert [path.name for path in folder.iterdir()] == ["memory.md"]
    assert (target.parent / ".planning.md.bak").read_text() == "- one\n"


def test_a_file_that_is_no_text_is_refused_by_its_line(folder: Path) -> None:
    file = MemoryFile(folder)
    (folder / "memory.md").write_bytes(b"- one\n- na\xefve\n")
    with pytest.raises(InvalidMemory, match=r"memory\.md, line 2: this is not UTF-8\. Save the file as UTF-8"):
        file.read()


def test_a_file_that_is_too_large_is_neither_read_nor_written(folder: Path) -> None:
    file = MemoryFile(folder)
    with pytest.raises(InvalidMemory, match="more than 32 MiB"):
        file.write("x" * (LARGEST + 1), None)
    assert list(folder.iterdir()) == []
    with (folder / "memory.md").open("wb") as sparse:
        sparse.truncate(LARGEST + 1)
    with pytest.raises(InvalidMemory, match="more than 32 MiB"):
        file.read()


def test_a_folder_is_never_made_up_unless_that_is_asked_for(tmp_path: Path) -> None:
    file = MemoryFile(tmp_path / "gone")
    with pytest.raises(InvalidMemory, match="There is no folder"):
        file.read()
    with pytest.raises(InvalidMemory, match="There is no folder"):
        file.write("- one\n", None)
    made = MemoryFile(tmp_path / "deep" / "gone", make=True)
    assert made.read() is None
    assert made.write("- one\n", None)
    assert made.read() == "- one\n"


@pytest.mark.parametrize("what", ["read", "written"])
def test_a_file_that_cannot_be_used_is_named(folder: Path, what: str) -> None:
    file = MemoryFile(folder)
    (folder / "memory.md").mkdir()
    with pytest.raises(InvalidMemory, match=rf"{folder}/memory\.md cannot be {what} \(Is a directory\)"):
        (file.read() if what == "read" else file.write("- one\n", None))


def test_without_links_a_file_is_still_replaced(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(self: Path, target: Path) -> None:
        raise PermissionError("no links here")

    file = MemoryFile(folder)
    monkeypatch.setattr(Path, "hardlink_to", refused)
    assert file.write("- one\n", None)
    assert file.write("- two\n", "- one\n")
    assert file.read() == "- two\n"
    assert (folder / ".memory.md.bak").read_text() == "- one\n"


def test_a_link_that_leads_to_itself_is_named(open_sqlite: OpenDb, folder: Path) -> None:
    async def story(replica: FolderReplica, db: Db) -> None:
        (folder / "memory.md").symlink_to("memory.md")
        told = rf"^{folder}/memory\.md is a link that leads to no file, but to itself\. Put a file in its place"
        for act in (replica.read(), replica.write("- one\n", None), replica.load(), replica.locked().__aenter__()):
            with pytest.raises(InvalidMemory, match=told):
                await act

    tell(open_sqlite, folder, story)


# The machine


def test_a_machine_is_known_by_its_own_id_or_else_by_its_network_card(tmp_path: Path) -> None:
    own, empty = tmp_path / "machine-id", tmp_path / "empty"
    own.write_text("4c4c4544\n")
    empty.write_text("\n")
    card, drawn = (lambda: 0x0242AC110002), (lambda: 0x010000000001 | 1 << 40)
    by_id = machine_id((own,), card)
    assert by_id == machine_id((tmp_path / "none", empty, own), drawn)
    by_card = machine_id((empty,), card)
    assert by_card != by_id
    assert by_card != machine_id((empty,), lambda: 0x0242AC110003)
    assert machine_id((empty,), drawn) == machine_id((empty,), lambda: 0x030000000009)
    assert machine_id() == machine_id()
    assert os.uname().nodename not in machine_id()
