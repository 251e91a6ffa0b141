"""The noun: what a caller asks of a skill."""

import json
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field

from agents.src.conversations import NAME
from agents.src.records import Frozen
from agents.src.skills.callback import CallbackRequest
from agents.src.tasks import LONGEST_DEADLINE, SHORTEST_DEADLINE

LARGEST_METADATA = 16 * 1024
"""Bytes of JSON."""
MOST_FILES = 100
LONGEST_PATH = 4096


def plain_text(text: str) -> str:
    if "\0" in text:
        raise ValueError("must not contain NUL characters")
    return text


def strict_json(value: dict[str, Any]) -> dict[str, Any]:
    """NaN and Infinity, which the parser lets through, are not JSON."""
    try:
        json.dumps(value, allow_nan=False) if value else None
    except ValueError:
        raise ValueError("must not contain NaN or Infinity") from None
    return value


def small(value: dict[str, Any]) -> dict[str, Any]:
    if value and len(json.dumps(value)) > LARGEST_METADATA:
        raise ValueError(f"must not be larger than {LARGEST_METADATA} bytes of JSON")
    return value


def each_once(names: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(names)) < len(names):
        raise ValueError("must not name anybody twice")
    return names


def whole_path(path: str) -> str:
    if not path.startswith("/") or ".." in path.split("/"):
        raise ValueError("must be an absolute path without ..")
    return plain_text(path)


Text = Annotated[str, AfterValidator(plain_text), Field(json_schema_extra={"pattern": r"^[^\x00]*$"})]
WholePath = Annotated[
    str,
    AfterValidator(whole_path),
    Field(max_length=LONGEST_PATH, json_schema_extra={"pattern": r"^(?![^\x00]*/\.\.(/|$))/[^\x00]*$"}),
]
FileId = Annotated[str, Field(pattern=r"^[0-9a-hjkmnp-tv-z]{26}$")]
JsonObject = Annotated[dict[str, Any], AfterValidator(strict_json)]


class Asking(Frozen):
    """How this task may ask; what is left out, the skill says."""

    model_config = ConfigDict(strict=True)

    ask: Annotated[
        Annotated[tuple[Literal["caller", "human", "responder"], ...], Field(min_length=1), AfterValidator(each_once)] | None,
        Field(description="Who is asked, one after the other; null: as the skill says."),
    ] = None
    deadline: Annotated[
        float | None,
        Field(ge=SHORTEST_DEADLINE, le=LONGEST_DEADLINE, description="Seconds that each of them has; null: for ever."),
    ] = None


class SkillRequest(Frozen):
    """One request to a skill. Exactly the stated types: `"5"` is no number."""

    model_config = ConfigDict(strict=True)

    skill: Annotated[Text, Field(min_length=1, max_length=200, description="The skill's name.", examples=["planning"])]
    task: Annotated[Text, Field(description="What to do, in words.", examples=["Create auth system plan"])]
    args: JsonObject = Field(default_factory=dict, description="Structured arguments, as the skill's schema says.")
    files: Annotated[
        tuple[FileId, ...],
        Field(max_length=MOST_FILES, description="Ids of files from `POST /api/files`, found by the skill in `input/`."),
    ] = ()
    timeout: Annotated[
        float | None, Field(gt=0, le=86400, description="Seconds that each attempt may take, at most what the skill allows.")
    ] = None
    budget_usd: Annotated[
        float | None,
        Field(gt=0, allow_inf_nan=False, description="US dollars that it may spend, at most what the skill allows."),
    ] = None
    priority: Annotated[int, Field(ge=-1000, le=1000, description="Tasks of a higher priority leave the queue first.")] = 0
    metadata: Annotated[JsonObject, AfterValidator(small)] = Field(
        default_factory=dict, description="Yours; kept with the task and given back with it."
    )
    inbox: Annotated[
        bool, Field(description="Whether word of its end and of its questions waits in the caller's inbox until it is seen.")
    ] = False
    callback: Annotated[
        CallbackRequest | None,
        Field(strict=False, description="Where its end, and questions that the caller leaves open, are sent to."),
    ] = None
    conversation: Annotated[
        str | None,
        Field(pattern=NAME, description="The conversation that it belongs to, by name; it is made where there is none."),
    ] = None
    workdir: Annotated[
        WholePath | None, Field(description="The server's folder that it works in, an absolute path; null: in one of its own.")
    ] = None
    questions: Annotated[Asking | None, Field(description="Who is asked what the task has to know, and for how long.")] = None
