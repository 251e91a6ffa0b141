"""`agents questions`: what tasks ask, straight from the database, with or without a server."""

from typing import Annotated, Any

import typer

from agents.src.bootstrap import Parts
from agents.src.cli.ids import found
from agents.src.cli.output import AsJson, moment, note, print_fields, print_json, print_table, print_text
from agents.src.cli.running import author, state_only, with_parts
from agents.src.errors import InvalidRequest, UnknownQuestion
from agents.src.tasks import Action, Answer, Answering, Asked, Event, QuestionFilter, QuestionState, Status, Task, Turn

app = typer.Typer(help="What tasks have to know: list, show, answer.", no_args_is_help=True)

LAST = 20
"""Events of the task that are shown with a question, as over HTTP."""
QuestionId = Annotated[
    str, typer.Argument(metavar="ID", help="The question's id, or the beginning or end of one of the newest ids.")
]
InFull = tuple[Asked, Task, tuple[Event, ...]]


@app.command("list")
def list_questions(
    status: Annotated[
        QuestionState | None, typer.Option(metavar="S", help=f"Only those that stand there: {', '.join(QuestionState)}.")
    ] = None,
    task: Annotated[str | None, typer.Option(metavar="ID", help="Only questions of this task; its whole id.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many at most.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List questions, the newest first."""
    which = QuestionFilter(state=status, task_id=task)
    items = with_parts(state_only, lambda parts: parts.questions.page(which, None, limit)).items
    if as_json:
        print_json([document(asked) for asked in items])
    elif items:
        rows = [
            (asked.id, asked.state.value, asked.skill, to_whom(asked), moment(asked.asked_at), asked.question.text[:80])
            for asked in items
        ]
        print_table(("id", "status", "skill", "asks", "asked", "question"), rows)
    else:
        note("There are no such questions.")


@app.command()
def show(question_id: QuestionId, as_json: AsJson = False) -> None:
    """Show one question, with its task."""

    async def look(parts: Parts) -> InFull:
        asked = await find(parts, question_id)
        return asked, await parts.store.get(asked.task_id), await parts.store.last_events(asked.task_id, LAST)

    asked, task, events = with_parts(state_only, look)
    print_json(document_in_full(asked, task, events)) if as_json else print_question(asked, task)


@app.command()
def answer(
    question_id: QuestionId,
    accept: Annotated[bool, typer.Option("--accept", help="Answer it; the same as giving a text or a choice.")] = False,
    decline: Annotated[bool, typer.Option("--decline", help="Say that there will be no answer; the task does without.")] = False,
    cancel: Annotated[bool, typer.Option("--cancel", help="Put it away without an answer.")] = False,
    text: Annotated[str, typer.Option(metavar="T", help="The answer in words.")] = "",
    choice: Annotated[list[str] | None, typer.Option(metavar="LABEL", help="A choice that is taken; repeatable.")] = None,
    as_json: AsJson = False,
) -> None:
    """Answer a question.

    Its task goes on at once where a run still waits for it, else with the next server that is free.
    """
    action = chosen_action(accept=accept or bool(text or choice), decline=decline, cancel=cancel)
    given = Answer(action=action, text=text, choices=tuple(choice or ()), by=Turn.HUMAN, name=author())

    async def run(parts: Parts) -> tuple[Asked, Task]:
        # Nobody here runs the task: this process is gone in a moment.
        answered = await Answering(parts.questions, None).answer(await find(parts, question_id), given)
        return answered, await parts.store.get(answered.task_id)

    answered, task = with_parts(state_only, run)
    print_json(document(answered)) if as_json else tell(answered, task)


def chosen_action(*, accept: bool, decline: bool, cancel: bool) -> Action:
    """Raises InvalidRequest unless it is one."""
    wanted = {Action.ACCEPT: accept, Action.DECLINE: decline, Action.CANCEL: cancel}
    actions = [action for action, is_wanted in wanted.items() if is_wanted]
    if len(actions) != 1:
        raise InvalidRequest("Give one of --text or --choice (or --accept), --decline, --cancel.")
    return actions[0]


async def find(parts: Parts, text: str) -> Asked:
    """By its id, or by a part of it that only one of the newest questions has at its beginning or end. Raises UnknownQuestion."""

    async def newest(limit: int) -> list[str]:
        return [asked.id for asked in (await parts.questions.page(QuestionFilter(), None, limit)).items]

    return await parts.questions.get(await found(text, newest, UnknownQuestion, "questions"))


def document(asked: Asked) -> dict[str, Any]:
    """The question as the HTTP interface gives it."""
    from agents.src.api.question_views import QuestionView  # brings FastAPI, which only this needs

    return QuestionView.of(asked).model_dump(mode="json")


def document_in_full(asked: Asked, task: Task, events: tuple[Event, ...]) -> dict[str, Any]:
    from agents.src.api.question_views import QuestionInFull

    return QuestionInFull.of_task(asked, task, events).model_dump(mode="json")


def to_whom(asked: Asked) -> str:
    """Who is asked now; empty once nobody is."""
    return asked.whose_turn.value if asked.whose_turn and asked.state is QuestionState.PENDING else ""


def print_question(asked: Asked, task: Task) -> None:
    question = asked.question
    print_fields(
        [
            ("id", asked.id),
            ("task", f"{task.id} ({task.skill}, {task.status}): {task.prompt}"),
            ("status", asked.state.value),
            ("asks", to_whom(asked)),
            ("asked", moment(asked.asked_at)),
            ("until", moment(asked.due_at)),
            ("question", f"{question.header}: {question.text}" if question.header else question.text),
            *(("choice", f"{choice.label}: {choice.description}".removesuffix(": ")) for choice in question.choices),
            ("takes", takes(asked)),
            ("default", ", ".join(question.default)),
            ("answer", f"{asked.answer.words or asked.answer.action} ({by(asked.answer)})" if asked.answer else ""),
        ]
    )


def takes(asked: Asked) -> str:
    """What may be answered, where that has to be said."""
    question = asked.question
    words = "" if question.choices and not question.free_text else "words"
    return ", or ".join(filter(None, ("several choices" if question.several and question.choices else "", words)))


def by(answer: Answer) -> str:
    """`by human, ada`."""
    return f"by {answer.by}, {answer.name}" if answer.name else f"by {answer.by}"


def tell(answered: Asked, task: Task) -> None:
    print_text(f"Question {answered.id} is answered.")
    if task.status is Status.QUEUED:
        note(f"Task {task.id} goes on as soon as a server takes it up (`agents serve`, where none is running).")
    elif task.waiting:
        note(f"Task {task.id} waits for {task.waiting} more.")
