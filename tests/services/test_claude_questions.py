"""Questions of the `claude` engine with the real Claude Code: held, parked, resumed elsewhere, and after a kill."""

import asyncio
import sys
from asyncio.subprocess import DEVNULL
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from agents.src.bootstrap import Parts
from agents.src.services.claude_code import ClaudeEngine
from agents.src.services.claude_credentials import CredentialSource
from agents.src.services.claude_environment import find_claude
from agents.src.services.claude_questions import ASK_CALLER, ASK_USER
from agents.src.services.database import open_database
from agents.src.services.processes import processes_of
from agents.src.services.rehearsal import Script
from agents.src.services.transcript_store import SqlTranscriptStore
from agents.src.tasks import Action, Answer, Asked, ClaudeOptions, EventType, Failure, Status, Task, TaskFilter
from tests.building import a_skill, ended, eventually, parts, running, submit
from tests.rooms.test_asking import parked, pending

DATABASE = {
    "question": "Which database?",
    "header": "DB",
    "multiSelect": False,
    "options": [{"label": "Postgres", "description": "A server."}, {"label": "SQLite", "description": "A file."}],
}
TARGETS = {
    "question": "Which targets?",
    "header": "OS",
    "multiSelect": True,
    "options": [{"label": label, "description": ""} for label in ("Linux", "Mac", "Windows")],
}
READ = {"name": "Read", "input": {"file_path": "output/notes.txt"}}
WRITE = {"name": "Write", "input": {"file_path": "output/notes.txt", "content": "hidden treasure"}}
POSTGRES = Answer(action=Action.ACCEPT, choices=("Postgres",))
ANSWERED = 'Your questions have been answered: "Which database?"="Postgres".'
NOBODY = Failure(type="question-expired", title="Nobody answered what the task had to know.", detail="Nobody.")


def user(*questions: dict[str, Any]) -> dict[str, Any]:
    return {"name": ASK_USER, "input": {"questions": list(questions)}}


def caller(text: str, **more: Any) -> dict[str, Any]:
    return {"name": ASK_CALLER, "input": {"text": text, **more}}


def script(*replies: dict[str, Any]) -> Script:
    return Script.model_validate({"name": "trial.yaml", "replies": replies})


def said(text: str) -> Answer:
    return Answer(action=Action.ACCEPT, text=text)


def a_house(state_dir: Path, played: Script, hold: float, **engine: Any) -> Parts:
    """The program as one process has it: with an engine and a connection of its own."""
    db = open_database(None, state_dir)
    nobody = CredentialSource(state_dir / "no-login", keychain=False)
    claude = ClaudeEngine(nobody, rehearsal=played, retries=1, transcripts=SqlTranscriptStore(db), **engine)
    options = ClaudeOptions(allowed_tools=("Read", "Write(output/**)", "Bash"), budget_usd=0.5)
    skill = a_skill("asking", engine="claude", run=None, arguments=None, claude=options)
    return parts(state_dir, engines={"claude": claude}, skills=[skill], db=db, question_hold_seconds=hold)


async def events(here: Parts, task: Task, kind: EventType) -> list[dict[str, Any]]:
    return [event.data for event in await here.store.events(task.id, 0, 1000) if event.type is kind]


async def results(here: Parts, task: Task) -> list[tuple[str, bool]]:
    return [(data["text"], data["is_error"]) for data in await events(here, task, EventType.TOOL_RESULT)]


async def answer(here: Parts, asked: Sequence[Asked], answers: dict[str, Answer]) -> None:
    for question in asked:
        await here.answering.answer(question, answers[question.question.text])


async def transcript(here: Parts) -> list[str]:
    return [row[0] for row in await here.db.read(lambda tx: tx.run("select entries from transcript order by number"))]


async def is_kept(here: Parts) -> bool:
    """Whether a run that may have to be parked can be: Claude Code hands over what it writes a tenth of a second later."""
    return bool(await transcript(here))


def test_held_questions_are_answered_declined_and_corrected(state_dir: Path) -> None:
    played = script(
        {"tools": [user(DATABASE, TARGETS), caller("Where to?", header="Place"), caller("Who pays?", choices=[{"label": "me"}])]},
        {"expect": '"Which targets?"="Linux, Mac" notes: and BSD', "tools": [user(DATABASE), caller("Why?"), caller("")]},
        {"expect": "The person declined to answer: Which database?", "text": "Asked enough."},
    )
    first = {
        "Which database?": POSTGRES,
        "Which targets?": Answer(action=Action.ACCEPT, choices=("Linux", "Mac"), text="and BSD"),
        "Where to?": said("/srv, or wherever there is room"),
        "Who pays?": Answer(action=Action.ACCEPT, choices=("me",)),
    }
    second = {"Which database?": Answer(action=Action.DECLINE, text="Not my affair."), "Why?": Answer(action=Action.CANCEL)}

    async def story() -> None:
        async with running(a_house(state_dir, played, 60)) as here:
            task = await submit(here, "asking")
            together = await pending(here, task, 4)  # two calls of ours and two questions of the other's, side by side
            assert [one.key for one in together if one.question.text == "Which targets?"] == ["toolu_rehearsal_0001_0:1"]
            assert {one.question.header for one in together} == {"DB", "OS", "Place", ""}
            await eventually(lambda: is_kept(here))
            await answer(here, together, first)
            await answer(here, await pending(here, task, 2), second)
            done = await ended(here, task)
            assert (done.status, done.attempt) == (Status.COMPLETED, 1), done.error
            texts = sorted(await results(here, task))
            assert ("/srv, or wherever there is room", False) in texts
            assert ("me", False) in texts
            refusals = "\n".join(text for text, is_error in texts if is_error)
            assert "declined to answer: Which database? They said: Not my affair. Go on without, or end with" in refusals
            assert "declined to answer: Why? Go on without" in refusals
            assert "text: String should have at least 1 character. Correct the call and ask again." in refusals
            assert await transcript(here) == []

    asyncio.run(story())


def test_parked_calls_of_one_message_all_come_back_answered_in_other_processes(state_dir: Path) -> None:
    played = script(
        {"tools": [WRITE]},
        {"tools": [user(DATABASE), caller("Where to?"), READ]},
        {"expect": "to /srv, please", "tools": [caller("Sure?", default=["yes"])]},
        {"expect": "not quite", "tools": [READ]},
        {"expect": "hidden treasure", "text": "Asked enough."},
    )
    answers = {"Which database?": POSTGRES, "Where to?": said("to /srv, please"), "Sure?": said("not quite")}

    async def story() -> None:
        async with running(a_house(state_dir, played, 60)) as here:  # is parked because its worker goes away
            task = await submit(here, "asking")
            await pending(here, task, 2)
        async with running(a_house(state_dir, played, 0)) as here:
            assert [event.type for event in await here.store.events(task.id, 0, 100)][-1] is EventType.PARKED
            assert [error for _, error in await results(here, task)] == [False, False]  # Write, Read; what is open has none yet
            await answer(here, await pending(here, task, 2), answers)
            await answer(here, await pending(here, task, 1), answers)
            done = await ended(here, task)
            assert (done.status, done.attempt, done.resumed) == (Status.COMPLETED, 3, 2), done.error
            put_off, held, *later = [text for text, _ in await results(here, task)][2:]
            assert (put_off, held) in {  # whichever gave up first
                (
                    "It was asked: Where to?\nAnswer: to /srv, please",
                    f"{ANSWERED} You can now continue with these answers in mind.",
                ),
                ("It was asked: Which database?\nAnswer: Postgres", "to /srv, please"),
            }
            assert later == ["not quite", "1\thidden treasure"]
            assert (done.usage.input_tokens, done.usage.output_tokens) == (500, 100)
            assert len(await events(here, task, EventType.QUESTION_ASKED)) == 3
            assert await transcript(here) == []
            assert done.result and done.result.artifacts[0].name == "notes.txt"

    asyncio.run(story())


KILLED = script(
    {"tools": [WRITE]},
    {"tools": [user(DATABASE), caller("Where to?"), READ]},
    {"expect": "to /srv, please", "text": "Asked enough."},
)
WORKER = """
import asyncio, sys
from pathlib import Path
from tests.building import running, submit
from tests.services.test_claude_questions import KILLED, a_house

async def story():
    async with running(a_house(Path(sys.argv[1]), KILLED, 60)) as here:
        await submit(here, "asking")
        await asyncio.Event().wait()

asyncio.run(story())
"""


async def held_and_kept(here: Parts) -> Task:
    """The task, once it waits for two answers, and all that was said before is kept."""
    found: list[Task] = []

    async def there() -> bool:
        found[:] = [task for task in (await here.store.page(TaskFilter(), None, 1)).items if task.waiting == 2]
        kept = "".join(await transcript(here))
        return bool(found) and all(f"toolu_rehearsal_0002_{number}" in kept for number in (0, 1)) and "numLines" in kept

    async with asyncio.timeout(60):
        while not await there():  # noqa: ASYNC110  # another process's doing
            await asyncio.sleep(0.02)
    return found[0]


def test_a_worker_killed_while_it_waits_loses_nothing(state_dir: Path) -> None:
    answers = {"Which database?": POSTGRES, "Where to?": said("to /srv, please")}

    async def story() -> None:
        worker = await asyncio.create_subprocess_exec(sys.executable, "-c", WORKER, str(state_dir), stdout=DEVNULL)
        watcher = a_house(state_dir, KILLED, 0)
        task = await held_and_kept(watcher)
        worker.kill()
        await worker.wait()
        await watcher.db.close()
        async with running(a_house(state_dir, KILLED, 0)) as here:
            assert processes_of(f"{task.id}:1") == set()
            waiting = await here.store.get(task.id)
            assert (waiting.status, waiting.waiting) == (Status.INPUT_REQUIRED, 2)
            await answer(here, await pending(here, task, 2), answers)
            done = await ended(here, task)
            assert (done.status, done.attempt, done.resumed) == (Status.COMPLETED, 2, 1), done.error
            shown = [text for text, _ in await results(here, task)]
            assert "It was asked: Where to?\nAnswer: to /srv, please" in shown
            assert sum(ANSWERED in text for text in shown) == 1
            assert len(await events(here, task, EventType.QUESTION_ASKED)) == 2
            assert done.usage.input_tokens == 100  # what the killed process had used, nobody was told

    asyncio.run(story())


def claude_that(does: str, folder: Path) -> Path:
    """Claude Code, but for what it does when it is to go on with a conversation."""
    folder.mkdir()
    program = folder / "claude"
    program.write_text(f'#!/bin/sh\ncase "$*" in *--resume*) {does};; esac\nexec {find_claude()} "$@"\n')
    program.chmod(0o700)
    return program


def test_a_conversation_that_cannot_be_gone_on_with_begins_anew_and_nothing_is_asked_twice(
    state_dir: Path, tmp_path: Path
) -> None:
    once = script({"tools": [WRITE]}, {"tools": [user(DATABASE)]}, {"text": "Never said."})
    again = script(
        {"expect": "what you had made is still in the folder", "tools": [READ]},
        {"expect": "hidden treasure", "text": "Let me see.", "tools": [READ]},
        {"tools": [caller("Where to?")]},
        {"expect": "over there", "tools": [user(DATABASE)]},
        {"expect": '"Which database?"="Postgres"', "text": "Asked enough."},
    )
    broken, silent = claude_that("exit 3", tmp_path / "broken"), claude_that("exec tail -f /dev/null", tmp_path / "silent")

    async def story() -> None:
        async with running(a_house(state_dir, once, 0)) as here:
            task = await submit(here, "asking")
            await parked(here, task)
            [which] = await pending(here, task)
        async with running(a_house(state_dir, again, 0, cli=broken)) as here:
            await here.answering.answer(which, POSTGRES)
            await eventually(lambda: asks(here, task, "Where to?"))
            [where] = await pending(here, task)
            await until_parked(here, task, 2)
        async with running(a_house(state_dir, again, 0, cli=silent, silence=0.5)) as here:
            await here.answering.answer(where, said("over there"))
            done = await ended(here, task)
            assert (done.status, done.attempt) == (Status.COMPLETED, 3), done.error
            assert len(await events(here, task, EventType.QUESTION_ASKED)) == 2

    asyncio.run(story())


async def asks(here: Parts, task: Task, text: str) -> bool:
    return any(data["text"] == text for data in await events(here, task, EventType.QUESTION_ASKED))


async def until_parked(here: Parts, task: Task, times: int) -> None:
    async def there() -> bool:
        return len(await events(here, task, EventType.PARKED)) == times

    await eventually(there)


def test_a_question_that_nobody_answers_in_time_fails_the_task_at_once(state_dir: Path) -> None:
    played = script({"tools": [user(DATABASE), caller("Where to?")]}, {"text": "Never said."})

    async def story() -> None:
        async with running(a_house(state_dir, played, 60)) as here:
            task = await submit(here, "asking")
            asked = await pending(here, task, 2)
            await here.questions.expire(asked[1], NOBODY)
            done = await ended(here, task)
            assert done.error and (done.status, done.error.type) == (Status.FAILED, "question-expired")
            assert await transcript(here) == []

    asyncio.run(story())
