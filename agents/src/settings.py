"""The configuration: the only reader of the environment. `docs/configuration.md` explains each name."""

import json
import math
import os
import re
from pathlib import Path
from typing import Annotated, NamedTuple

import platformdirs
from pydantic import (
    BeforeValidator,
    Field,
    NonNegativeInt,
    PlainSerializer,
    PositiveInt,
    SecretStr,
    ValidationError,
    field_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from agents.src.errors import Misconfigured

MINIMUM_TOKEN_LENGTH = 32
LONGEST_TIMEOUT = 86400
"""Seconds: what a skill, a request and Modal may say at most."""
OFF = "off"
"""What QUESTION_RESPONDER says where no model is to answer."""
PERIODS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}


MODAL_PRICES = {
    "cpu": 0.0000131,
    "memory": 0.00000222,
    "T4": 0.000164,
    "L4": 0.000222,
    "A10": 0.000306,
    "A10G": 0.000306,
    "L40S": 0.000542,
    "A100": 0.000583,
    "A100-40GB": 0.000583,
    "A100-80GB": 0.000694,
    "RTX-PRO-6000": 0.000842,
    "H100": 0.001097,
    "H100!": 0.001097,
    "H200": 0.001261,
    "B200": 0.001736,
}
"""USD per second: of a core, of a GiB of memory, of each GPU. Modal's list, as `docs/configuration.md` says from when."""


class Rate(NamedTuple):
    """So many (`limit`) in so many seconds (`period`)."""

    limit: int
    period: int

    def __str__(self) -> str:
        names = {seconds: name for name, seconds in PERIODS.items()}
        return f"{self.limit}/{names[self.period]}"


def parse_rate(text: str) -> Rate:
    """`60/minute` → Rate(60, 60). Raises ValueError."""
    match = re.fullmatch(r"([1-9]\d*)/(second|minute|hour|day)", text.strip())
    if not match:
        raise ValueError(f"a rate looks like 60/minute (second, minute, hour or day), not {text!r}")
    return Rate(int(match[1]), PERIODS[match[2]])


RateField = Annotated[
    Rate, BeforeValidator(lambda rate: parse_rate(rate) if isinstance(rate, str) else rate), PlainSerializer(str)
]


def parse_folders(text: str) -> tuple[Path, ...]:
    """`/srv/a:/srv/b` → the two paths. Raises ValueError where one is not the absolute path of a folder that is there."""
    folders = tuple(Path(part) for part in text.split(os.pathsep) if part)
    for number, folder in enumerate(folders, 1):
        if not folder.is_absolute() or ".." in folder.parts:
            raise ValueError(f"number {number} is not an absolute path; write it from / on, without ..")
        if not os.path.isdir(folder):  # noqa: PTH112  # Path.is_dir raises where a folder above it is not to be read
            raise ValueError(f"number {number} is not a folder that is there; make it, or leave it out")
    return folders


FoldersField = Annotated[
    tuple[Path, ...],
    NoDecode,
    BeforeValidator(lambda folders: parse_folders(folders) if isinstance(folders, str) else folders),
]


def parse_prices(text: str) -> dict[str, float]:
    """`{"cpu": 0.00001}` → Modal's prices, with this one in place of theirs. Raises ValueError."""
    try:
        given = json.loads(text)
    except ValueError:
        given = None
    if not isinstance(given, dict) or not all(is_price(price) for price in given.values()):
        raise ValueError('prices look like {"cpu": 0.0000131, "memory": 0.00000222, "T4": 0.000164}, in USD per second')
    return MODAL_PRICES | given


def is_price(price: object) -> bool:
    return isinstance(price, int | float) and not isinstance(price, bool) and 0 <= price < math.inf


PricesField = Annotated[
    dict[str, float],
    NoDecode,
    BeforeValidator(lambda prices: parse_prices(prices) if isinstance(prices, str) else prices),
]


class Settings(BaseSettings):
    """Everything that can be configured, complete and checked, or the program does not start."""

    model_config = SettingsConfigDict(frozen=True, validate_by_name=True, validate_by_alias=True, extra="ignore")

    token: SecretStr | None = Field(None, validation_alias="MODAL_INVOKE_TOKEN")
    rate: RateField | None = Field(None, validation_alias="MODAL_INVOKE_RATE")
    state_dir: Path = Field(
        default_factory=lambda: platformdirs.user_state_path("modal-invoke"), validation_alias="MODAL_INVOKE_STATE_DIR"
    )
    skills_dir: Path = Field(Path(__file__).parents[1] / "skills", validation_alias="MODAL_INVOKE_SKILLS_DIR")
    rehearsal: Path | None = Field(None, validation_alias="MODAL_INVOKE_REHEARSAL")
    max_file_bytes: PositiveInt = Field(1 << 30, validation_alias="MODAL_INVOKE_MAX_FILE_BYTES")
    max_body_bytes: PositiveInt = Field(1 << 20, validation_alias="MODAL_INVOKE_MAX_BODY_BYTES")
    workdirs: FoldersField = Field((), validation_alias="MODAL_INVOKE_WORKDIRS")
    database_url: SecretStr | None = Field(None, validation_alias="DATABASE_URL")
    max_concurrent_tasks: PositiveInt = Field(5, validation_alias="MAX_CONCURRENT_TASKS")
    task_timeout_seconds: float = Field(3600, gt=0, le=LONGEST_TIMEOUT, validation_alias="TASK_TIMEOUT_SECONDS")
    question_hold_seconds: float = Field(60, ge=0, le=3600, validation_alias="QUESTION_HOLD_SECONDS")
    question_responder: str = Field("", validation_alias="QUESTION_RESPONDER")
    daily_budget_usd: float | None = Field(None, gt=0, allow_inf_nan=False, validation_alias="DAILY_BUDGET_USD")
    compute_prices: PricesField = Field(MODAL_PRICES, validation_alias="COMPUTE_PRICES")
    callback_private_addresses: bool = Field(False, validation_alias="CALLBACK_PRIVATE_ADDRESSES")
    qdrant_url: str | None = Field(None, validation_alias="QDRANT_URL")
    qdrant_api_key: SecretStr | None = Field(None, validation_alias="QDRANT_API_KEY")
    qdrant_collection: str = Field("modal-invoke", pattern=r"^[A-Za-z0-9_-]{1,100}$", validation_alias="QDRANT_COLLECTION")
    memory_embedding: str | None = Field(None, validation_alias="MEMORY_EMBEDDING")
    memory_embedding_url: str | None = Field(None, validation_alias="MEMORY_EMBEDDING_URL")
    memory_embedding_api_key: SecretStr | None = Field(None, validation_alias="MEMORY_EMBEDDING_API_KEY")
    memory_tokens: NonNegativeInt = Field(2000, validation_alias="MEMORY_TOKENS")
    log_json: bool = Field(False, validation_alias="LOG_JSON")
    log_level: str = Field("info", validation_alias="LOG_LEVEL")
    anthropic_api_key: SecretStr | None = Field(None, validation_alias="ANTHROPIC_API_KEY")
    anthropic_base_url: str = Field("https://api.anthropic.com", validation_alias="ANTHROPIC_BASE_URL")
    claude_code_oauth_token: SecretStr | None = Field(None, validation_alias="CLAUDE_CODE_OAUTH_TOKEN")
    claude_config_dir: Path = Field(default_factory=lambda: Path.home() / ".claude", validation_alias="CLAUDE_CONFIG_DIR")

    @field_validator("token")
    @classmethod
    def _long_enough(cls, token: SecretStr | None) -> SecretStr | None:
        if token is not None and len(token.get_secret_value()) < MINIMUM_TOKEN_LENGTH:
            raise ValueError(f"must be at least {MINIMUM_TOKEN_LENGTH} characters long (make one: `agents token generate`)")
        return token

    @field_validator("question_responder")
    @classmethod
    def _model_or_off(cls, model: str) -> str:
        if not re.fullmatch(r"(\w[\w.:/@\[\]-]{0,199})?", model):
            raise ValueError(f"is no model's name: write one such as haiku, {OFF} for no responder, or leave it out")
        return OFF if model.lower() == OFF else model

    @field_validator("state_dir", "skills_dir", "rehearsal", "claude_config_dir")
    @classmethod
    def _absolute(cls, path: Path | None) -> Path | None:
        return path.expanduser().absolute() if path else None


def read_settings(**overrides: object) -> Settings:
    """The settings from the environment, each replaced by the override of its field's name.

    Raises Misconfigured, which names every variable that is wrong and why, and never repeats a value.
    """
    try:
        return Settings(**overrides)  # type: ignore[arg-type]  # checked by the model itself
    except ValidationError as error:
        faults = [
            f"{fault['loc'][0]}: {fault['msg'].removeprefix('Value error, ')}" for fault in error.errors(include_input=False)
        ]
        raise Misconfigured("; ".join(faults)) from None


class Surroundings(BaseSettings):
    """What other programs are configured with: the client, and Modal's. Only `agents doctor` looks at it, and shows no secret."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore")

    url: str | None = Field(None, validation_alias="MODAL_INVOKE_URL")
    config_home: Path = Field(default_factory=lambda: Path.home() / ".config", validation_alias="XDG_CONFIG_HOME")
    modal_token_id: SecretStr | None = Field(None, validation_alias="MODAL_TOKEN_ID")
    modal_config: Path = Field(default_factory=lambda: Path.home() / ".modal.toml", validation_alias="MODAL_CONFIG_PATH")


COMMON = re.compile(r"(MODAL|LC)_\w*|PYTHON\w*|PATH|HOME|USER|LOGNAME|SHELL|SHLVL|PWD|OLDPWD|LANG|TERM|TMPDIR|HOSTNAME|TZ|_")
CLAUDES = re.compile(r"(ANTHROPIC|CLAUDE)_\w*")
"""What configures Claude Code, and may be a key of the server's."""


def granted_variables() -> dict[str, str]:
    """What the environment holds beside settings and what is everywhere: in a skill's container on Modal, the skill's secrets."""
    own = {str(field.validation_alias) for field in Settings.model_fields.values()}
    return {
        name: value
        for name, value in os.environ.items()
        if name not in own and not COMMON.fullmatch(name) and not CLAUDES.fullmatch(name)
    }
