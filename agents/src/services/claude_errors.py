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
NO_MONEY, NO_MODEL, TOO_LARGE = 402, 404, 413
ADVICE = {
    NO_MONEY: "Add credit to the account, or use other Claude credentials.",
    NO_MODEL: "Correct `model` in the skill's info.md, or leave it out.",
    TOO_LARGE: "Hand over less, or smaller files.",
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
        why = f" {words}" if status == 403 else ""  # of a 401 there is no more to say
        return CredentialsRefused(
            f"The Claude credentials were refused (HTTP {status}): run `claude` once and log in again, "
            f"or set ANTHROPIC_API_KEY to a key that is valid.{why}"
        )
    if status == 429:
        return ModelOverloaded(
            f"The model's service limits this account (HTTP 429): {words} Run the task again when it no longer does."
        )
    if status >= 500:
        return ModelOverloaded(_in_trouble(status))
    return ModelRefused(f"The model's service refused the request (HTTP {status}): {words} {_advice(status, words)}".rstrip())


def _in_trouble(status: int) -> str:
    if status == CANNOT_REACH:
        return "The model's service cannot be reached (HTTP 502). Check the worker's network, then run the task again."
    what = "is overloaded" if status == 529 else "is in trouble"
    return f"The model's service {what} (HTTP {status}), also when tried again. Run the task again in a few minutes."


def _advice(status: int, words: str) -> str:
    """What to do; empty where only the service's own words say it."""
    if "credit balance" in words.lower():
        status = NO_MONEY
    elif "prompt is too long" in words.lower():
        status = TOO_LARGE
    return ADVICE.get(status, "")


def said(result: "ResultMessage") -> str:
    """What the service said, as a sentence, without what Claude Code puts before it."""
    words = result.result or "; ".join(result.errors or []) or "no reason given"
    words = re.sub(r"^(Failed to authenticate\. )?API Error: (\d{3} |Request rejected \(429\) · )?", "", words)
    return words if words.endswith((".", "!", "?")) else f"{words}."


def broken(error: BaseException) -> TaskFailed:
    """The error for a Claude Code that did not start, or died without a result."""
    code = getattr(error, "exit_code", None)
    how = "" if code is None else f" (exit code {code})"
    return EngineFailed(f"Claude Code broke off{how}; the worker's log says more. Run the task again, or see `agents doctor`.")
