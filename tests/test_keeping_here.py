"""A server, or `agents invoke`, keeps the memories of its skills: with the embedded Qdrant, real files and a real database."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from agents.src.bootstrap import KEEP_EVERY, Parts, bootstrap
from agents.src.bootstrap.cloud import TOMBSTONES_LAST, purge_daily
from agents.src.errors import Unavailable
from agents.src.memory import Act, Lesson, entry_id
from agents.src.services.modal_memory import begun
from agents.src.tasks import Ask, Brief, Draft, EventType, Result, Workspace, remembered
from tests.building import PATIENCE, a_catalogue, a_settings, a_skill, ended, eventually, in_process, parts, running, submit
from tests.saving import no_more_than

FACT = "use argon2"


async def teaching(brief: Brief, workspace: Workspace, ask: Ask) -> AsyncGenerator[Draft | Result, None]:
    """Learns what the prompt says, and says what it knew."""
    lesson = Lesson(action=Act.ADD, id=entry_id(brief.skill, brief.prompt), text=brief.prompt)
    yield remembered(lesson, held=False)
    yield Result(text=", ".join(entry.text for entry in brief.memory))


def tell(story: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(story(), PATIENCE))


def of_a_server(folder: Path, **given: Any) -> Parts:
    """With one skill `noop`, which learns."""
    (folder / "noop").mkdir(exist_ok=True)
    return parts(folder / "state", works={"noop": teaching}, skills=[a_skill(folder=folder / "noop")], **given)


def memory_of(folder: Path) -> str:
    file = folder / "noop" / "memory.md"
    return file.read_text() if file.exists() else ""


@pytest.mark.parametrize("alone", [False, True], ids=["serve", "invoke"])
def test_what_a_task_learned_is_in_memory_md_before_the_program_ends_and_in_the_next_tasks_brief(
    tmp_path: Path, alone: bool
) -> None:
    async def story() -> None:
        async with running(of_a_server(tmp_path, alone=alone)) as here:
            await ended(here, await submit(here, prompt=FACT))
        assert f"- {FACT} <!-- m:" in memory_of(tmp_path)
        async with running(of_a_server(tmp_path, alone=alone)) as here:
            done = await ended(here, await submit(here, prompt="use uv"))
            assert done.result
            assert done.result.text == FACT
            [entry] = (await here.memory.store.search(FACT, None, 10))[:1]
            assert entry.entry.writer.startswith("server.")

    tell(story)


def test_where_nothing_was_ever_remembered_nothing_is_opened(tmp_path: Path) -> None:
    program = f"""
import asyncio, sys
from pathlib import Path
from tests.building import ended, parts, running, submit

async def live():
    async with running(parts(Path({str(tmp_path)!r}))) as here:
        await ended(here, await submit(here))

asyncio.run(live())
print("qdrant_client" in sys.modules, "httpx" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=PATIENCE)
    assert done.stdout.splitlines()[-1] == "False False"
    assert not (tmp_path / "qdrant").exists()


def test_what_was_written_while_no_server_ran_goes_up_at_its_start(tmp_path: Path) -> None:
    async def story() -> None:
        here = of_a_server(tmp_path)
        (tmp_path / "noop" / "memory.md").write_text(f"- {FACT}\n")
        async with running(here):
            await eventually(lambda: here.memory.is_begun)
            await eventually(lambda: has(here, FACT))
            await eventually(lambda: "<!-- m:" in memory_of(tmp_path))

    tell(story)


async def has(here: Parts, text: str) -> bool:
    return text in [entry.text for entry in (await here.memory.store.page(None, None, 100)).items]


def test_what_is_written_elsewhere_comes_into_memory_md_when_somebody_says_so(tmp_path: Path) -> None:
    async def story() -> None:
        async with running(of_a_server(tmp_path)) as here:
            await here.memory.editor("http").add("noop", FACT, "Passwords", "ada")
            here.memory.nudge("noop")
            await eventually(lambda: f"## Passwords\n\n- {FACT}" in memory_of(tmp_path))
            here.memory.nudge("a skill that is gone")

    tell(story)


def test_where_the_file_cannot_be_written_the_log_names_it_and_the_lesson_waits(tmp_path: Path) -> None:
    async def story() -> None:
        here = of_a_server(tmp_path, alone=True)
        (tmp_path / "noop" / "memory.md").symlink_to("/proc/1/comm")  # neither root nor anybody else makes a file there
        async with running(here):
            await ended(here, await submit(here, prompt=FACT))
        async with running(of_a_server(tmp_path, alone=True)) as later:
            assert [taught.lesson.text for taught in await later.memory.lessons.waiting()] == [FACT]

    with capture_logs() as logs:
        tell(story)
    [said] = [entry for entry in logs if entry["event"] == "memory_not_kept"]
    assert "/proc/1/comm cannot be written" in said["detail"]


def test_a_folder_that_cannot_be_looked_into_is_named_in_the_log_and_stops_no_other(tmp_path: Path) -> None:
    (tmp_path / "noop").mkdir()
    (tmp_path / "noop" / "memory.md").write_text(f"- {FACT}\n")
    skills = [a_skill("gone", folder=tmp_path / ("x" * 300)), a_skill(folder=tmp_path / "noop")]

    async def story() -> None:
        async with running(parts(tmp_path / "state", skills=skills)):
            await eventually(lambda: "<!-- m:" in memory_of(tmp_path))

    with capture_logs() as logs:
        tell(story)
    assert "gone" in [entry.get("skill") for entry in logs if entry["event"] == "memory_not_kept"]


def test_in_a_container_another_function_is_told_and_no_embedded_memory_is_made(tmp_path: Path) -> None:
    told: list[frozenset[str]] = []

    async def tell_keeper(skills: frozenset[str]) -> None:
        told.append(skills)

    async def story() -> None:
        settings, catalogue = a_settings(tmp_path / "state"), a_catalogue("noop")
        engines = {"script": in_process({"noop": teaching})}
        async with running(bootstrap(settings, catalogue=catalogue, engines=engines, keep=tell_keeper, alone=True)) as here:
            done = await ended(here, await submit(here, prompt=FACT))
            events = await here.store.events(done.id, 0, 100)
            [warning] = [event.data for event in events if event.type is EventType.WARNING]
            assert warning["code"] == "memory_unavailable"
            assert "secret modal-invoke-qdrant" in warning["message"]
        assert told == [frozenset({"noop"})]
        assert not (tmp_path / "state" / "qdrant").exists()

    tell(story)


def test_old_tombstones_are_removed_once_a_day(tmp_path: Path) -> None:
    async def story() -> None:
        async with running(of_a_server(tmp_path)) as here:
            editor = here.memory.editor("http")
            entries = [(await editor.add("noop", text, "", "ada"))[0] for text in ("a", "b")]
            for entry in entries:
                await editor.forget("noop", entry.id, None, "ada")
            midnight = (here.clock.now() + 2 * TOMBSTONES_LAST) // 86400 * 86400
            await purge_daily(here.memory, midnight + KEEP_EVERY)
            assert len(await here.memory.store.revisions("noop")) == 2
            await purge_daily(here.memory, midnight + KEEP_EVERY - 1)
            assert len(await here.memory.store.revisions("noop")) == 0

    tell(story)


def test_the_memory_that_ships_is_the_first_and_only_the_first(tmp_path: Path) -> None:
    shipped, folder = tmp_path / "shipped", tmp_path / "volume" / "noop"
    shipped.mkdir()
    assert begun(folder, shipped) == folder
    assert not folder.exists()
    (shipped / "memory.md").write_text("first")
    begun(folder, shipped)
    (shipped / "memory.md").write_text("second")
    begun(folder, shipped)
    assert (folder / "memory.md").read_text() == "first"


def test_a_first_memory_that_breaks_off_is_begun_anew(tmp_path: Path) -> None:
    shipped, folder = tmp_path / "shipped", tmp_path / "volume" / "noop"
    shipped.mkdir()
    (shipped / "memory.md").write_text("- use uv\n" * 100)
    with no_more_than(100), pytest.raises(Unavailable, match=r"memory\.md cannot be written \(File too large\)"):
        begun(folder, shipped)
    assert list(folder.iterdir()) == []
    begun(folder, shipped)
    assert (folder / "memory.md").read_text() == "- use uv\n" * 100
