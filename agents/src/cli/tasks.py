"""`agents tasks`: what is kept of tasks, straight from the database, with or without a server."""

from collections.abc import Awaitable, Callable
from typing import Annotated

import typer

from agents.src.bootstrap import Parts
from agents.src.cli.follow import Screen, follow
from agents.src.cli.ids import found
from agents.src.cli.output import (
    AsJson,
    computed,
    last_ones,
    learned,
    moment,
    note,
    outcome,
    print_fields,
    print_json,
    print_result,
    print_table,
    sized,
    spent,
    task_document,
    whole_document,
)
from agents.src.cli.questions import by
from agents.src.cli.running import author, state_only, with_parts
from agents.src.errors import UnknownTask
from agents.src.tasks import Asked, Output, QuestionFilter, Status, Steering, Task, TaskFilter, dollars

app = typer.Typer(help="The tasks that are kept: list, show, watch, steer, cancel.", no_args_is_help=True)

MOST_QUESTIONS = 50
"""That are shown with a task: its newest."""
TaskId = Annotated[str, typer.Argument(metavar="ID", help="The task's id, or the beginning or end of one of the newest ids.")]


@app.command("list")
def list_tasks(
    status: Annotated[Status | None, typer.Option(metavar="S", help=f"Only tasks that stand there: {', '.join(Status)}.")] = None,
    skill: Annotated[str | None, typer.Option(metavar="SKILL", help="Only tasks of this skill.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many at most.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List tasks, the newest first."""
    which = TaskFilter(status=status, skill=skill)
    items = with_parts(state_only, lambda parts: parts.store.page(which, None, limit)).items
    if as_json:
        print_json([task_document(task) for task in items])
    elif items:
        rows = [
            (task.id, task.status.value, task.skill, task.caller, moment(task.created_at), task.prompt[:80]) for task in items
        ]
        print_table(("id", "status", "skill", "caller", "created", "task"), rows)
    else:
        note("There are no such tasks.")


@app.command()
def show(task_id: TaskId, as_json: AsJson = False) -> None:
    """Show one task as it stands."""

    async def look(parts: Parts) -> tuple[Task, tuple[Asked, ...], Output | None]:
        task = await find(parts, task_id)
        asked = (await parts.questions.page(QuestionFilter(task_id=task.id), None, MOST_QUESTIONS)).items[::-1]
        return task, asked, await parts.store.output(task.id)

    task, questions, output = with_parts(state_only, look)
    print_json(whole_document(task, output)) if as_json else print_task(task, questions, output or Output())


@app.command()
def watch(task_id: TaskId, as_json: AsJson = False) -> None:
    """Follow a task from its first event to its end.

    Exit code 1 if it fails.
    """

    async def run(parts: Parts) -> Task:
        return await follow(parts, (await find(parts, task_id)).id, Screen(quiet=as_json))

    task = with_parts(state_only, run)
    if as_json:
        print_json(task_document(task))
    else:
        print_result(task)
        note("; ".join(filter(None, (outcome(task), spent(task.usage)))))
    if task.status is not Status.COMPLETED:
        raise typer.Exit(1)


@app.command()
def cancel(task_id: TaskId, as_json: AsJson = False) -> None:
    """Cancel a task.

    A queued one ends at once, a running one within two seconds.
    """

    async def run(parts: Parts) -> Task:
        return await parts.store.request_cancel((await find(parts, task_id)).id)

    task = with_parts(state_only, run)
    if as_json:
        print_json(task_document(task))
    else:
        print(f"Task {task.id} {'is cancelled' if task.status.ended else 'is being cancelled'}.")


@app.command()
def pause(task_id: TaskId, as_json: AsJson = False) -> None:
    """Have a task stand still until it is resumed.

    A run of the claude engine makes way within ten seconds; a program that runs cannot be paused.
    """
    task = steered(task_id, lambda steering, found: steering.pause(found))
    if as_json:
        print_json(task_document(task))
    else:
        print(f"Task {task.id} {'is paused' if task.status is Status.INPUT_REQUIRED else 'is being paused'}.")


@app.command()
def resume(task_id: TaskId, as_json: AsJson = False) -> None:
    """Have a paused task go on where it was."""
    task = steered(task_id, lambda steering, found: steering.resume(found))
    if as_json:
        print_json(task_document(task))
        return
    print(f"Task {task.id} is resumed.")
    if task.status is Status.QUEUED:
        note("It goes on as soon as a server takes it up (`agents serve`, where none is running).")
    elif task.waiting:
        note(f"It waits for {task.waiting} {'answer' if task.waiting == 1 else 'answers'} (`agents questions list`).")


@app.command()
def say(
    task_id: TaskId,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What to say to it, in words.")],
    as_json: AsJson = False,
) -> None:
    """Say something to a task of the claude engine, which reads it as it works, or when it goes on."""
    task = steered(task_id, lambda steering, found: steering.say(found, text, author()))
    print_json(task_document(task)) if as_json else print(f"Said to task {task.id}.")


def steered(task_id: str, steer: Callable[[Steering, str], Awaitable[Task]]) -> Task:
    """The task as it stands then."""

    async def run(parts: Parts) -> Task:
        # Nobody here runs the task: this process is gone in a moment.
        return await steer(Steering(parts.steering.store, None), (await find(parts, task_id)).id)

    return with_parts(state_only, run)


async def find(parts: Parts, text: str) -> Task:
    """By its id, or by a part of it that only one of the newest tasks has at its beginning or end. Raises UnknownTask."""

    async def newest(limit: int) -> list[str]:
        return [task.id for task in (await parts.store.page(TaskFilter(), None, limit)).items]

    return await parts.store.get(await found(text, newest, UnknownTask, "tasks"))


def in_words(asked: Asked) -> str:
    """`Which? (pending, 01k…)`, `Which? red (by human, ada)`."""
    if asked.answer:
        return f"{asked.question.text} {asked.answer.words or asked.answer.action} ({by(asked.answer)})"
    return f"{asked.question.text} ({asked.state}, {asked.id})"


def print_task(task: Task, questions: tuple[Asked, ...], output: Output) -> None:
    artifacts, lessons = (task.result.artifacts, task.result.remembered) if task.result else ((), ())
    print_fields(
        [
            ("id", task.id),
            ("skill", task.skill),
            ("task", task.prompt),
            ("workdir", task.workdir or ""),
            ("caller", task.caller),
            ("status", outcome(task)),
            ("attempt", str(task.attempt or "")),
            ("created", moment(task.created_at)),
            ("started", moment(task.started_at)),
            ("finished", moment(task.finished_at)),
            ("used", spent(task.usage)),
            ("budget", dollars(task.budget_usd) if task.budget_usd else ""),
            ("compute", computed(task.usage)),
            *(("asked", in_words(asked)) for asked in questions),
            *(("artifact", sized(artifact)) for artifact in artifacts),
            *(("learned", learned(lesson.model_dump())) for lesson in lessons),
            *last_ones("error", output.told_errors),
            *last_ones("said", output.lines),
        ]
    )
    if task.result and (task.result.text or task.result.data is not None):
        print()
        print_result(task)
