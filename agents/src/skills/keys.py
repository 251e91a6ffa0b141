"""The keys of info.md, and what they may be. `docs/info-md.md` is the specification; a test holds the two together.

A key's description completes the sentence "write …" in every message about it.
"""

from typing import Annotated, Any, Literal, Required

from pydantic import BeforeValidator, Field, FiniteFloat, with_config
from typing_extensions import TypedDict  # pydantic needs this one before Python 3.12

from agents.src.skills.question_keys import QuestionKeys
from agents.src.skills.resources import AptPackage, Gpu, PipRequirement, SecretName
from agents.src.skills.strict import STRICT, Unique, one_or_many
from agents.src.skills.tools import Tool, split_tools

FUNCTION_PREFIX = "skill-"
"""Before a skill's name in the name of its Modal Function, so that a skill called `web` replaces nothing."""
NAME_LIMIT = 64 - len(FUNCTION_PREFIX)  # Modal allows 64 characters in all


def _line_or_list(value: Any) -> Any:
    return split_tools(value) if isinstance(value, str) else value


def _number_or_mapping(value: Any) -> Any:
    return {"max-retries": value} if type(value) is int else value


@with_config(STRICT)
class RetryKeys(TypedDict, total=False):
    """The long form of `retries`."""

    max_retries: Required[Annotated[int, Field(ge=0, le=10, description="a whole number, 0 to 10")]]
    initial_delay: Annotated[FiniteFloat, Field(ge=0, le=60, description="seconds, 0 to 60")]
    backoff_coefficient: Annotated[FiniteFloat, Field(ge=1, le=10, description="a number, 1 to 10")]
    max_delay: Annotated[FiniteFloat, Field(ge=1, le=60, description="seconds, 1 to 60")]


@with_config(STRICT)
class CommonKeys(TypedDict, total=False):
    """What every skill may say."""

    name: Required[
        Annotated[
            str,
            Field(
                pattern="^[a-z0-9]+(-[a-z0-9]+)*$",
                max_length=NAME_LIMIT,
                description=f"the folder's name: lower-case letters, digits, single hyphens, at most {NAME_LIMIT} characters",
            ),
        ]
    ]
    description: Required[Annotated[str, Field(pattern=r"\S", max_length=1024, description="1 to 1024 characters of text")]]
    engine: Annotated[Literal["claude", "script"], Field(description="claude or script")]
    arguments: Annotated[dict[str, Any], Field(description="a JSON Schema (2020-12) with type: object")]
    cpu: Annotated[FiniteFloat, Field(ge=0.125, le=64, description="a number of cores, 0.125 to 64")]
    memory: Annotated[int, Field(ge=128, le=344064, description="whole MiB, 128 to 344064")]
    gpu: Annotated[
        list[Gpu],
        BeforeValidator(one_or_many),
        Unique,
        Field(min_length=1, description="a GPU such as H100 or A100-80GB:2, or a list of them, the most wanted first"),
    ]
    timeout: Annotated[int, Field(ge=1, le=86400, description="whole seconds, 1 to 86400")]
    max_containers: Annotated[int, Field(ge=1, description="a whole number, 1 or more")]
    retries: Annotated[
        RetryKeys,
        BeforeValidator(_number_or_mapping),
        Field(description="a whole number, 0 to 10, or a mapping with max-retries"),
    ]
    apt: Annotated[list[AptPackage], Unique, Field(description="a list of Debian packages such as [ffmpeg]")]
    pip: Annotated[
        list[PipRequirement], Unique, Field(description='a list of requirements without spaces such as ["pillow>=11,<13"]')
    ]
    secrets: Annotated[list[SecretName], Unique, Field(description="a list of names of Modal secrets")]
    on_crash: Annotated[Literal["requeue", "interrupt"], Field(description="requeue or interrupt")]
    review: Annotated[bool, Field(description="true or false")]
    questions: Annotated[QuestionKeys, Field(description="a mapping that says how its tasks may ask")]


@with_config(STRICT)
class ClaudeKeys(CommonKeys, total=False):
    """What a skill of the `claude` engine may say."""

    model: Annotated[
        str, Field(pattern=r"^[A-Za-z0-9]\S*$", max_length=200, description="a model's name or alias such as sonnet")
    ]
    effort: Annotated[Literal["low", "medium", "high", "xhigh", "max"], Field(description="low, medium, high, xhigh or max")]
    allowed_tools: Annotated[
        list[Tool],
        BeforeValidator(_line_or_list),
        Unique,
        Field(description="tools separated by spaces such as Read Write(output/**), or a list of them"),
    ]
    max_turns: Annotated[int, Field(ge=1, description="a whole number, 1 or more")]
    budget_usd: Annotated[FiniteFloat, Field(gt=0, description="US dollars, more than 0")]


@with_config(STRICT)
class ScriptKeys(CommonKeys, total=False):
    """What a skill of the `script` engine may say, and must."""

    run: Required[
        Annotated[
            str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$", max_length=200, description="the name of a file beside info.md")
        ]
    ]
    asks: Annotated[bool, Field(description="true or false")]
