"""The keys below `questions` of info.md: how tasks of a skill may ask."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, Required

from pydantic import AfterValidator, BeforeValidator, Field, FiniteFloat, with_config
from pydantic_core import PydanticCustomError
from typing_extensions import TypedDict  # pydantic needs this one before Python 3.12

from agents.src.skills.resources import unique
from agents.src.skills.strict import STRICT, Unique, one_or_many
from agents.src.tasks import LONGEST_DEADLINE, MOST_CHOICES, SHORTEST_DEADLINE

NEVER = "never"
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def seconds_of(text: str) -> float | None:
    """`10m` → 600.0; None for `never`."""
    if text == NEVER:
        return None
    seconds = float(int(text[:-1]) * UNITS[text[-1]])
    if not SHORTEST_DEADLINE <= seconds <= LONGEST_DEADLINE:
        raise PydanticCustomError("out_of_range", "60s to 7d")
    return seconds


def _label_or_mapping(value: Any) -> Any:
    return {"label": value} if isinstance(value, str) else value


@with_config(STRICT)
class ChoiceKeys(TypedDict, total=False):
    """The long form of a choice."""

    label: Required[Annotated[str, Field(pattern=r"\S", max_length=200, description="1 to 200 characters of text")]]
    description: Annotated[str, Field(max_length=1000, description="at most 1000 characters of text")]


def _told_apart(choices: list[ChoiceKeys]) -> list[ChoiceKeys]:
    unique([choice["label"] for choice in choices])
    return choices


@with_config(STRICT)
class QuestionKeys(TypedDict, total=False):
    """What `questions` may say."""

    hold: Annotated[FiniteFloat, Field(ge=0, le=3600, description="seconds, 0 to 3600")]
    deadline: Annotated[
        str,
        Field(pattern=rf"^({NEVER}|[1-9][0-9]{{0,6}}[smhd])$", description="a time from 60s to 7d such as 10m or 2h, or never"),
        AfterValidator(seconds_of),
    ]
    ask: Annotated[
        list[Literal["caller", "human", "responder"]],
        Unique,
        Field(min_length=1, description="a list of caller, human and responder, the first to be asked first"),
    ]
    choices: Annotated[
        list[Annotated[ChoiceKeys, BeforeValidator(_label_or_mapping)]],
        AfterValidator(_told_apart),
        Field(min_length=1, max_length=MOST_CHOICES, description="a list of labels, or of mappings with label and description"),
    ]
    several: Annotated[bool, Field(description="true or false")]
    free_text: Annotated[bool, Field(description="true or false")]
    default: Annotated[
        list[Annotated[str, Field(pattern=r"\S", max_length=2000)]],
        BeforeValidator(one_or_many),
        Unique,
        Field(min_length=1, description="a text, a label of choices, or a list of such labels"),
    ]


def contradictions(questions: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Where checked keys do not fit one another, and why. Without `choices`, each question's own count, which come later."""
    labels = [choice["label"] for choice in questions.get("choices", ())]
    default = questions.get("default", [])
    unknown = [word for word in default if word not in labels]
    place = ("questions", "default")
    if labels and unknown and (len(default) > 1 or not questions.get("free_text", True)):
        yield (
            place,
            f'"{unknown[0][:60]}" is not one of the choices; write labels of choices, or one text where free-text is true',
        )
    elif labels and len(default) > 1 and not questions.get("several", False):
        yield place, "has more than one label; write one, or several: true"
