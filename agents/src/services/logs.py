"""The log: what structlog and the standard library's loggers say, one line each, on stderr."""

import logging
import re
import sys
from collections.abc import Callable, Collection

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from agents.src.errors import Misconfigured
from agents.src.settings import Settings

HANDLER = "modal-invoke"
LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
    "critical": logging.CRITICAL,
}
TALKATIVE = ("uvicorn", "httpx", "httpcore", "asyncio", "mcp")
TELLS_TWICE = "claude_agent_sdk"
"""It raises each error that it logs; so does Claude Code's expected end after a failure it has told of."""
NAMED_TOKEN = re.compile(r"\b(?:mi_[\w-]{20,}|whsec_[\w+/=-]{20,})")
"""And the secrets that sign what callbacks are sent."""
HIDDEN = "***"


class CurrentStderr:
    """Whatever `sys.stderr` is at the moment of writing, so that a progress bar which takes it over gets the lines too."""

    def write(self, text: str) -> None:
        sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()


def configure_logs(settings: Settings, at_least: str = "debug") -> None:
    """Sends every log line of `LOG_LEVEL` and above to stderr: key=value, or JSON with `LOG_JSON`.

    `at_least` keeps a command quiet whose answer would drown: lower levels count as this one, unless debugging is asked for.
    Raises Misconfigured where `LOG_LEVEL` is none.
    """
    level = level_of(settings.log_level)
    if level > logging.DEBUG:
        level = max(level, LEVELS[at_least])
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.stdlib.LoggerFactory(),
    )
    route(structlog.stdlib.ProcessorFormatter(processors=last_steps(settings), foreign_pre_chain=shared), level)


def level_of(name: str) -> int:
    level = LEVELS.get(name.strip().lower())
    if level is None:
        raise Misconfigured(f"LOG_LEVEL: {name[:40]!r} is no level; use {', '.join(LEVELS)}.")
    return level


def last_steps(settings: Settings) -> list[Processor]:
    """From an event to a line that holds no secret."""
    meta = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    hide = hider(secrets_of(settings))
    if settings.log_json:
        return [meta, structlog.processors.format_exc_info, structlog.processors.JSONRenderer(ensure_ascii=False), hide]
    # Tracebacks without local variables: those may hold what nobody should read.
    return [meta, structlog.dev.ConsoleRenderer(colors=coloured(), exception_formatter=structlog.dev.plain_traceback), hide]


def coloured() -> bool:
    from rich.console import Console

    console = Console(stderr=True)
    return console.is_terminal and not console.no_color


def secrets_of(settings: Settings) -> list[str]:
    secrets = (settings.token, settings.database_url, settings.anthropic_api_key, settings.claude_code_oauth_token)
    return [secret.get_secret_value() for secret in secrets if secret]


def hider(secrets: Collection[str]) -> Callable[[WrappedLogger, str, EventDict], str]:
    """The last step: takes a rendered line and hides the secrets and every token in it."""
    known = [secret for secret in secrets if secret]

    def hide(_logger: WrappedLogger, _method: str, rendered: EventDict) -> str:
        line = str(rendered)  # structlog hands each step the last one's value, here the line
        for secret in known:
            line = line.replace(secret, HIDDEN)
        return NAMED_TOKEN.sub(HIDDEN, line)

    return hide


def route(formatter: logging.Formatter, level: int) -> None:
    """Makes this the one way of log records to stderr, in place of an earlier one."""
    handler = logging.StreamHandler(CurrentStderr())
    handler.set_name(HANDLER)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    for earlier in [known for known in root.handlers if known.get_name() == HANDLER]:
        root.removeHandler(earlier)
    root.addHandler(handler)
    root.setLevel(level)
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(level if level <= logging.DEBUG else max(level, logging.WARNING))
    logging.getLogger(TELLS_TWICE).setLevel(level if level <= logging.DEBUG else logging.CRITICAL)
