"""The whole program with the real Claude Code: paused in the middle, told more, and resumed."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from agents.src.services import claude_code
from agents.src.services.processes import processes_of
from agents.src.services.rehearsal import Rehearsal
from agents.src.tasks import EventType, Run, Status, execution
from tests.building import ended, eventually, running, submit
from tests.rooms.test_steering import until
from tests.services.test_claude_questions import a_house, script

WAIT = {"name": "Bash", "input": {"command": "touch output/begun; sleep 600"}}
LOOK = {"name": "Bash", "input": {"command": "ls output"}}


def test_a_pause_ends_claude_code_in_the_middle_and_another_goes_on_with_what_was_said_meanwhile(
    state_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(execution, "PARKING", 60.0)  # a busy machine takes long to end a process
    played = script(
        {"tools": [WAIT]}, {"expect": "We use passkeys.", "tools": [LOOK]}, {"expect": "begun", "text": "Passkeys, then."}
    )

    async def story() -> None:
        async with running(a_house(state_dir, played, hold=60)) as here:
            task = await submit(here, "asking")
            await eventually(lambda: any(state_dir.glob("work/*/output/begun")))
            assert processes_of(f"{task.id}:1")
            await here.steering.pause(task.id)
            await until(here, task, EventType.PAUSED)
            assert processes_of(f"{task.id}:1") == set()
            paused = await here.store.get(task.id)
            assert (paused.status, paused.session) == (Status.INPUT_REQUIRED, 1)
            await here.steering.say(task.id, "We use passkeys.", "ada")
        async with running(a_house(state_dir, played, hold=60)) as here:  # another process
            await here.steering.resume(task.id)
            done = await ended(here, task)
            assert done.result and done.result.text.endswith("Passkeys, then."), done.error
            assert (done.status, done.attempt, done.resumed, done.heard) == (Status.COMPLETED, 2, 1, 0)

    asyncio.run(story())


def test_what_is_said_to_a_running_task_is_heard_before_it_completes(state_dir: Path) -> None:
    begin = {"name": "Bash", "input": {"command": "touch output/begun; sleep 1"}}
    played = script({"tools": [begin]}, {"expect": "And the other?", "text": "Both."})

    async def story() -> None:
        async with running(a_house(state_dir, played, hold=60)) as here:
            task = await submit(here, "asking")
            await until(here, task, EventType.TOOL_CALL)
            await here.steering.say(task.id, "And the other?", "ada")
            done = await ended(here, task)
            assert done.result and done.result.text.endswith("Both."), done
            assert (done.attempt, done.said) == (1, 1)

    asyncio.run(story())


def test_what_is_said_too_late_for_a_resumed_run_is_heard_by_one_that_knows_all_that_run_did(
    state_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(execution, "PARKING", 60.0)
    replies: list[dict[str, Any]] = [{"tools": [WAIT]}, {"expect": "We use passkeys.", "tools": [LOOK]}, {"text": "Passkeys."}]
    monkeypatch.setattr(claude_code, "Rehearsal", lambda _: Rehearsal(script(*replies)))

    async def story() -> None:
        async with running(a_house(state_dir, script(*replies), hold=60)) as here:
            hush = here.store.hush

            async def late(run: Run, heard: int) -> bool:
                if heard == 1:
                    replies[2] = {"expect": "And the other?", "text": "Both."}
                    await here.steering.say(run.task.id, "And the other?", "ada")
                return await hush(run, heard)

            monkeypatch.setattr(here.store, "hush", late)
            task = await submit(here, "asking")
            await eventually(lambda: any(state_dir.glob("work/*/output/begun")))
            await here.steering.pause(task.id)
            await until(here, task, EventType.PAUSED)
            await here.steering.say(task.id, "We use passkeys.", "ada")
            await here.steering.resume(task.id)
            done = await ended(here, task)
            assert done.result and done.result.text.endswith("Both."), done.error
            assert (done.attempt, done.said) == (2, 2)

    asyncio.run(story())
