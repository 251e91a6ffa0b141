"""What a skill's program says on stdout, line by line. `docs/script-skills.md` is the specification."""

from collections import deque
from signal import Signals
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic_core import from_json

from agents.src.errors import InvalidMemory, LooksSecret, ProgramFailed, ProgramRefused
from agents.src.memory import Act, Notebook, Wish
from agents.src.services.script_questions import Query, QuestionMessage
from agents.src.tasks import Draft, EventType, Result, remembered

LONGEST_LINE = 16 << 20
"""Bytes that one message may have."""
KEPT_TEXT = 16 << 10  # characters of the text that stands in for a result
MOST_QUESTIONS = 200  # that one run may ask
KEPT_LINES, KEPT_STDERR = 20, 4 << 10  # lines and characters of stderr that an error shows


def _clamped(fraction: object) -> object:
    return min(max(fraction, 0.0), 1.0) if isinstance(fraction, int | float) and not isinstance(fraction, bool) else fraction


class _Message(BaseModel):
    model_config = ConfigDict(strict=True)


class _Progress(_Message):
    type: Literal["progress"]
    fraction: Annotated[float | None, BeforeValidator(_clamped)] = None
    message: str = ""


class _Text(_Message):
    type: Literal["text"]
    text: str


class _Remember(_Message):
    type: Literal["remember"]
    action: Annotated[Act, Field(strict=False)] = Act.ADD
    text: str = ""
    id: str = ""
    section: str = ""


class _Result(_Message):
    type: Literal["result"]
    text: str = ""
    summary: str = ""
    data: Any = None


class _Error(_Message):
    type: Literal["error"]
    detail: str


Message = _Progress | _Text | _Remember | QuestionMessage | _Result | _Error
MESSAGE: TypeAdapter[Message] = TypeAdapter(Annotated[Message, Field(discriminator="type")])
TYPES = ["progress", "text", "remember", "question", "result", "error"]
MAY_NOT_ASK = "The program asks, but its info.md does not say that it may: write `asks: true` there, and read stdin line by line."


def parse(line: bytes) -> Message | str:
    """The message of a line; the line as it stands where it is none, since people print.

    Raises ProgramFailed for a line that is too long, or has a known type and wrong members.
    """
    if len(line) > LONGEST_LINE:
        raise ProgramFailed(
            f"A line of the program's output is longer than {LONGEST_LINE >> 20} MiB: write a file to output/ instead."
        )
    try:
        value = from_json(line, allow_inf_nan=False)
    except ValueError:
        value = None
    if not (isinstance(value, dict) and value.get("type") in TYPES):
        return line.decode(errors="replace").rstrip("\r")
    try:
        return MESSAGE.validate_python(value)
    except ValidationError as error:
        fault = error.errors(include_input=False)[0]
        where = ".".join(str(part) for part in fault["loc"])
        raise malformed(f"{where}: {fault['msg']}.") from None


def malformed(fault: str) -> ProgramFailed:
    return ProgramFailed(f"The program wrote a message that is not of the documented form: {fault}")


class Transcript:
    """What a program has said so far, as far as its end will be judged by it.

    `held`: what it learns waits for a person. `asks`: it may ask.
    """

    def __init__(self, notebook: Notebook, *, held: bool, asks: bool) -> None:
        self._notebook = notebook
        self._held = held
        self._asks = asks
        self._asked = 0
        self._text = ""
        self._stderr: deque[str] = deque(maxlen=KEPT_LINES)
        self._result: Result | None = None
        self._refusal: str | None = None

    def heard(self, line: bytes) -> Draft | Query | None:
        """Takes a line of stdout; what it is to the task's log, if anything, or a question. Raises ProgramFailed."""
        match parse(line):
            case str(text):
                return self._said(text, {"text": text, "raw": True})
            case _Text(text=text):
                return self._said(text, {"text": text})
            case _Progress() as progress:
                return Draft(EventType.PROGRESS, progress.model_dump(exclude={"type"}))
            case _Remember() as message:
                return self._learned(Wish(message.action, message.text, message.id, message.section))
            case QuestionMessage() as message:
                return self._wondered(message)
            case _Result(text=text, summary=summary, data=data):
                self._result = Result(text=text, summary=summary, data=data)
            case _Error(detail=detail):
                self._refusal = detail
        return None

    def _learned(self, wish: Wish) -> Draft | None:
        try:
            lesson = self._notebook.take(wish)
        except (InvalidMemory, LooksSecret) as problem:
            return Draft(EventType.WARNING, {"code": "not_remembered", "message": f"Not remembered. {problem.detail}"})
        return remembered(lesson, held=self._held) if lesson else None

    def _wondered(self, message: QuestionMessage) -> Query:
        if not self._asks:
            raise ProgramFailed(MAY_NOT_ASK)
        self._asked += 1
        if self._asked > MOST_QUESTIONS:
            raise ProgramFailed(f"The program asked more than {MOST_QUESTIONS} questions in one run: ask for more at once.")
        try:
            return message.query(self._asked)
        except ValidationError as error:
            raise malformed(f"question.{error.errors()[0]['ctx']['error']}") from None

    def complained(self, lines: list[str]) -> Draft:
        """Takes lines of stderr."""
        self._stderr.extend(line[-KEPT_STDERR:] for line in lines)
        return Draft(EventType.STDERR, {"text": "\n".join(lines)})

    def outcome(self, program: str, returncode: int) -> Result:
        """How the run ended. `returncode` as `subprocess` has it: -9 for SIGKILL.

        Raises ProgramRefused where the program said `error`, ProgramFailed where it did not exit with 0.
        """
        if self._refusal is not None:
            raise ProgramRefused(self._refusal)
        if returncode:
            raise ProgramFailed(self._failure(program, returncode), exit_code=returncode)
        return self._result or Result(text=self._text)

    def _said(self, text: str, data: dict[str, Any]) -> Draft:
        self._text = f"{self._text}\n{text}"[-KEPT_TEXT:] if self._text else text[-KEPT_TEXT:]
        return Draft(EventType.TEXT, data)

    def _failure(self, program: str, returncode: int) -> str:
        how = f"exit code {returncode}" if returncode > 0 else f"signal {_signal_name(-returncode)}"
        lines = "\n".join(self._stderr)[-KEPT_STDERR:].strip()
        return f"{program} ended with {how}." + (f" Its last lines:\n{lines}" if lines else " It wrote nothing to stderr.")


def _signal_name(number: int) -> str:
    try:
        return Signals(number).name
    except ValueError:
        return str(number)  # most real-time signals have no name
