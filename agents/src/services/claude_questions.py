"""What Claude Code's two tools for questions mean to a task, and its answers to them. Pure: nothing is asked here."""

from collections.abc import Sequence
from typing import Annotated, Any, NamedTuple

from pydantic import BaseModel, Field, ValidationError

from agents.src.errors import InvalidRequest
from agents.src.tasks import LONGEST_TEXT, MOST_CHOICES, Action, Answer, Choice, Question

ASK_USER = "AskUserQuestion"
"""Claude Code's own: up to four questions, each with two to four choices."""
SERVER = "caller"
ASK_CALLER = f"mcp__{SERVER}__ask_caller"
"""Ours: one question, with any number of choices or none, and an answer that counts if nobody gives one."""
TOOLS = (ASK_USER, ASK_CALLER)
ABOUT = """\
Asks whoever gave this task one question, and gives back their answer. With choices or without; in their own words they can always
answer, unless this task says otherwise. For several choices of which few are enough, AskUserQuestion does as well."""
SCHEMA = {
    "type": "object",
    "properties": {
        "text": {"type": "string", "description": "The question, so that it can be answered without knowing what you have seen."},
        "header": {"type": "string", "description": "What it is about, in one to three words."},
        "choices": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"label": {"type": "string"}, "description": {"type": "string"}},
                "required": ["label"],
            },
            "description": "Answers to choose from.",
        },
        "several": {"type": "boolean", "description": "Whether more than one may be chosen."},
        "default": {
            "type": "array",
            "items": {"type": "string"},
            "description": "What counts if nobody answers: labels of choices, or one text. Without it the task fails then.",
        },
    },
    "required": ["text"],
}
ANSWER = "answer"
"""Where the tool finds the answer in its input."""
DECLINED = "The person declined to answer: {question} {said}Go on without, or end with what you have."


class Told(NamedTuple):
    """The result of a call, as the model reads it."""

    text: str
    is_error: bool


Text = Annotated[str, Field(min_length=1, max_length=LONGEST_TEXT)]


class _Option(BaseModel):
    label: Text
    description: str = ""


class _Asked(BaseModel):
    """`ask_caller`'s input."""

    text: Text
    header: str = ""
    choices: Annotated[tuple[_Option, ...], Field(max_length=MOST_CHOICES)] = ()
    several: bool = False
    default: tuple[str, ...] = ()


class _UserQuestion(BaseModel):
    question: Text
    header: str = ""
    options: Annotated[tuple[_Option, ...], Field(max_length=MOST_CHOICES)] = ()
    multi: bool = Field(False, alias="multiSelect")


class _AskedUser(BaseModel):
    """`AskUserQuestion`'s input."""

    questions: Annotated[tuple[_UserQuestion, ...], Field(min_length=1)]


def questions_of(tool: str, given: dict[str, Any]) -> tuple[Question, ...]:
    """What a call asks, in order. Raises InvalidRequest, in words for the model."""
    try:
        if tool == ASK_USER:
            return tuple(_of_user(asked) for asked in _AskedUser.model_validate(given).questions)
        return (_of_caller(_Asked.model_validate(given)),)
    except ValidationError as error:
        raise InvalidRequest(f"{_fault(error)}. Correct the call and ask again.") from None


def _of_user(asked: _UserQuestion) -> Question:
    return Question(text=asked.question, header=asked.header, choices=_choices(asked.options), several=asked.multi)


def _of_caller(asked: _Asked) -> Question:
    """What the call leaves out stays open, for the skill's rules to say."""
    given: dict[str, Any] = {"text": asked.text, "header": asked.header, "choices": _choices(asked.choices)}
    given |= {"several": asked.several, "default": asked.default}
    return Question(**{name: value for name, value in given.items() if name in asked.model_fields_set and value != ()})


def _choices(options: Sequence[_Option]) -> tuple[Choice, ...]:
    return tuple(Choice(label=option.label, description=option.description) for option in options)


def _fault(error: ValidationError) -> str:
    fault = error.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}"


def answered(tool: str, given: dict[str, Any], answers: Sequence[Answer]) -> dict[str, Any]:
    """The call's input with the answers, one for each of its questions; the tool makes its result of that."""
    if tool == ASK_CALLER:
        return {**given, ANSWER: answers[0].words}
    found: dict[str, Any] = {"answers": {}, "annotations": {}}
    for asked, answer in zip(given["questions"], answers, strict=True):
        found["answers"][asked["question"]] = _value(asked["question"], answer)
        if answer.choices and answer.text:
            found["annotations"][asked["question"]] = {"notes": answer.text}
    return {**given, **{name: values for name, values in found.items() if values}}


def _value(question: str, answer: Answer) -> str | list[str]:
    if answer.action is not Action.ACCEPT:
        return refusal(question, answer)
    return list(answer.choices) if len(answer.choices) > 1 else (*answer.choices, answer.text)[0]


def refusal(question: str, answer: Answer) -> str:
    """What the model reads where somebody will not answer."""
    said = f"They said: {answer.text} " if answer.text else ""
    return DECLINED.format(question=question, said=said)


def refused(questions: Sequence[Question], answers: Sequence[Answer]) -> str | None:
    """Why a call is not to run; None if any of its questions was answered."""
    if any(answer.action is Action.ACCEPT for answer in answers):
        return None
    return "\n".join(refusal(question.text, answer) for question, answer in zip(questions, answers, strict=True))


def told(questions: Sequence[Question], answers: Sequence[Answer]) -> Told:
    """The result of a call that was answered without having run."""
    if reason := refused(questions, answers):
        return Told(reason, is_error=True)
    lines = (_line(question, answer) for question, answer in zip(questions, answers, strict=True))
    return Told("\n".join(lines), is_error=False)


def _line(question: Question, answer: Answer) -> str:
    if answer.action is not Action.ACCEPT:
        return refusal(question.text, answer)
    return f"It was asked: {question.text}\nAnswer: {answer.words}"
