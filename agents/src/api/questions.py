"""Routes of what tasks ask: looking, answering."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.convertors import Convertor, register_url_convertor

from agents.src import errors
from agents.src.api.auth import caller_of
from agents.src.api.body import read_body
from agents.src.api.errors import render
from agents.src.api.openapi import EVERYWHERE, body_of, documented
from agents.src.api.question_views import (
    EXAMPLE_QUESTION,
    QUESTION_ID,
    AnswerRequest,
    AnswersRequest,
    OfTask,
    OneAnswer,
    OutcomesView,
    OutcomeView,
    QuestionId,
    QuestionInFull,
    QuestionView,
    WhichStand,
)
from agents.src.api.views import Cursor, Limit, Listing
from agents.src.bootstrap import Parts
from agents.src.tasks import STOP, Answer, Asked, Caller, QuestionFilter, Whose


class QuestionConvertor(Convertor[str]):
    """Only a question's id is one in a path: `/api/questions/answers` is not a question."""

    regex = QUESTION_ID

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("question", QuestionConvertor())
router = APIRouter(tags=["questions"])

LAST = 20
"""Events of the task that are shown with a question."""
BODY = (errors.InvalidAnswer, errors.TooLarge, errors.UnsupportedMediaType, errors.InvalidRequest)
ANSWER = body_of(
    AnswerRequest,
    choice={"action": "accept", "choices": ["PostgreSQL"]},
    words={"action": "accept", "text": "Whatever the team knows best."},
    refusal={"action": "decline"},
)
ANSWERS = body_of(
    AnswersRequest, two={"answers": [{"id": EXAMPLE_QUESTION["id"], "action": "accept", "choices": ["PostgreSQL"]}]}
)
Asking = Annotated[Caller, Depends(caller_of)]


async def own_question(parts: Parts, caller: Caller, question_id: str) -> Asked:
    """Raises UnknownQuestion."""
    asked = await parts.questions.get(question_id)
    if caller.sees not in (None, asked.caller):
        raise errors.UnknownQuestion("There is no question of this id, or it is not yours.")
    return asked


def allowed(parts: Parts, caller: Caller, asked: Asked, wanted: AnswerRequest) -> Answer:
    """The answer as this caller gives it. Raises RaiseNotAllowed."""
    answer, budget = wanted.of(caller, asked), asked.question.budget
    if budget and budget.is_reserved(parts.clock.now()) and not caller.is_root and answer.raises_by:
        whose = "server" if budget.whose is Whose.DAY else "token"
        detail = f"Only the root token may raise the {whose}'s budget. You may answer {STOP!r}."
        raise errors.RaiseNotAllowed(detail)
    return answer


@router.get(
    "/api/questions", response_description="One page of questions.", responses=documented(errors.InvalidRequest, *EVERYWHERE)
)
async def list_questions(
    request: Request, caller: Asking, status: WhichStand = None, task: OfTask = None, cursor: Cursor = None, limit: Limit = 50
) -> Listing[QuestionView]:
    """What the caller's tasks have asked (the root token's: all), newest first."""
    parts: Parts = request.app.state.parts
    page = await parts.questions.page(QuestionFilter(caller.sees, status, task), cursor, limit)
    return Listing(items=[QuestionView.of(asked) for asked in page.items], next=page.next)


@router.get(
    "/api/questions/{question_id:question}",
    response_description="The question.",
    responses=documented(errors.UnknownQuestion, errors.InvalidRequest, *EVERYWHERE),
)
async def show_question(request: Request, question_id: QuestionId, caller: Asking) -> QuestionInFull:
    """One question, with its task and what happened in that last."""
    parts: Parts = request.app.state.parts
    asked = await own_question(parts, caller, question_id)
    task = await parts.store.get(asked.task_id)
    return QuestionInFull.of_task(asked, task, await parts.store.last_events(task.id, LAST))


@router.post(
    "/api/questions/{question_id:question}/answer",
    response_description="The question as it stands now.",
    responses=documented(errors.UnknownQuestion, errors.AlreadyAnswered, errors.RaiseNotAllowed, *BODY, *EVERYWHERE),
    openapi_extra=ANSWER,
)
async def answer_question(request: Request, question_id: QuestionId, caller: Asking) -> QuestionView:
    """Answers a question; the task goes on once it waits for no other. The same answer again changes nothing."""
    parts: Parts = request.app.state.parts
    wanted = await read_body(request, AnswerRequest, parts.settings.max_body_bytes)
    asked = await own_question(parts, caller, question_id)
    return QuestionView.of(await parts.answering.answer(asked, allowed(parts, caller, asked, wanted)))


@router.post(
    "/api/questions/answers",
    response_description="What came of each answer, in their order.",
    responses=documented(errors.UnknownQuestion, errors.RaiseNotAllowed, *BODY, *EVERYWHERE),
    openapi_extra=ANSWERS,
)
async def answer_several(request: Request, caller: Asking) -> OutcomesView:
    """Answers several questions. One that is unknown, or an answer that does not fit, and none of them is taken."""
    parts: Parts = request.app.state.parts
    wanted = await read_body(request, AnswersRequest, parts.settings.max_body_bytes)
    pairs = await checked(parts, caller, wanted.answers)
    return OutcomesView(items=[await outcome(parts, asked, answer) for asked, answer in pairs])


async def checked(parts: Parts, caller: Caller, wanted: tuple[OneAnswer, ...]) -> list[tuple[Asked, Answer]]:
    """Each question with its answer. Raises UnknownQuestion, InvalidAnswer, RaiseNotAllowed, InvalidRequest; they name the id."""
    if len({one.id for one in wanted}) < len(wanted):
        raise errors.InvalidRequest("answers: a question is answered twice; give one answer to each.")
    pairs = []
    for one in wanted:
        try:
            asked = await own_question(parts, caller, one.id)
            pairs.append((asked, allowed(parts, caller, asked, one).checked(asked.question)))
        except (errors.UnknownQuestion, errors.InvalidAnswer, errors.RaiseNotAllowed) as error:
            raise type(error)(f"{one.id}: {error.detail} None of the answers was taken.", id=one.id) from None
    return pairs


async def outcome(parts: Parts, asked: Asked, answer: Answer) -> OutcomeView:
    try:
        question = QuestionView.of(await parts.answering.answer(asked, answer))
    except errors.AlreadyAnswered as problem:
        return OutcomeView(id=asked.id, question=None, problem=render(problem))
    return OutcomeView(id=asked.id, question=question, problem=None)
