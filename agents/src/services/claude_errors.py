"""Why Claude Code could not do it, as the task's error, with what to do about it."""

import re
from typing import TYPE_CHECKING

from agents.src.errors import (
    BudgetExhausted,
    CredentialsRefused,
    EngineFailed,
    ModelOverloaded,
    ModelRefused,
    TaskFailed,
    TurnsExhausted,
)

if TYPE_CHECKING:
    from claude_agent_sdk import ResultMessage

CANNOT_REACH = 502  # what our proxy answers
OVERLOADED = "The model's service {what} (HTTP {status}), also when tried again. Run the task again in a few minutes."
LATER = {
    429: "limits the rate of this account",
    CANNOT_REACH: "cannot be reached",
    529: "is overloaded",
}


def failure_of(result: "ResultMessage") -> TaskFailed | None:
    """The error in which a result ends the task; None if it is a success."""
    if not result.is_error:
        return None
    if result.subtype == "error_max_turns":
        return TurnsExhausted("The skill used all its turns. Raise `max-turns` in its info.md, or give it a smaller task.")
    if result.subtype == "error_max_budget_usd":
        return BudgetExhausted("The skill used up its budget. Raise `budget-usd` in its info.md, or give it a smaller task.")
    if result.api_error_status:
        return _refused(result.api_error_status, said(result))
    return EngineFailed(f"Claude Code could not go on ({result.terminal_reason or result.subtype}). Run the task again.")


def _refused(status: int, words: str) -> TaskFailed:
    if status in {401, 403}:
        return CredentialsRefused(
            f"The Claude credentials were refused (HTTP {status}): run `claude` once and log in again, "
            "or set ANTHROPIC_API_KEY to a key that is valid."
        )
    if status == 429 or status >= 500:
        return ModelOverloaded(OVERLOADED.format(what=LATER.get(status, "is in trouble"), status=status))
    return ModelRefused(f"The model's service refused the request (HTTP {status}): {words}")


def said(result: "ResultMessage") -> str:
    """What the service said, without what Claude Code puts before it."""
    words = result.result or "; ".join(result.errors or []) or "no reason given"
    return re.sub(r"^API Error: (\d{3} )?", "", words)


def broken(error: BaseException) -> TaskFailed:
    """The error for a Claude Code that did not start, or died without a result."""
    code = getattr(error, "exit_code", None)
    how = "" if code is None else f" (exit code {code})"
    return EngineFailed(f"Claude Code broke off{how}; the worker's log says more. Run the task again, or see `agents doctor`.")
