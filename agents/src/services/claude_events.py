"""What Claude Code reports, as the events of a task."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from agents.src.tasks import Draft, EventType, Usage

if TYPE_CHECKING:
    from claude_agent_sdk import AssistantMessage, Message, SystemMessage, UserMessage
    from claude_agent_sdk.types import ModelUsage


def drafts(message: "Message", names: Mapping[str, str]) -> Iterator[Draft]:
    """The events that a message makes; none for what no reader of a task needs. Folders are written by their `names`."""
    from claude_agent_sdk import AssistantMessage, SystemMessage, UserMessage

    match message:
        case AssistantMessage():
            found = _of_assistant(message)
        case UserMessage():
            found = _of_tools(message)
        case SystemMessage():
            found = _of_system(message)
        case _:
            return
    for draft in found:
        yield Draft(draft.type, renamed(draft.data, names))


def _of_assistant(message: "AssistantMessage") -> Iterator[Draft]:
    from claude_agent_sdk import TextBlock, ToolUseBlock

    if message.error:
        return  # Claude Code's own words for a failure that the result reports too
    within = _within(message.parent_tool_use_id)
    for block in message.content:
        if isinstance(block, TextBlock):
            yield Draft(EventType.TEXT, {"text": block.text, **within})
        elif isinstance(block, ToolUseBlock):
            yield Draft(EventType.TOOL_CALL, {"id": block.id, "name": block.name, "input": block.input, **within})


def _of_tools(message: "UserMessage") -> Iterator[Draft]:
    from claude_agent_sdk import ToolResultBlock

    within = _within(message.parent_tool_use_id)
    for block in message.content:
        if isinstance(block, ToolResultBlock):
            outcome = {"id": block.tool_use_id, "is_error": bool(block.is_error), "text": text_of(block.content)}
            yield Draft(EventType.TOOL_RESULT, outcome | within)


def _of_system(message: "SystemMessage") -> Iterator[Draft]:
    data = message.data
    if message.subtype in {"task_started", "task_progress"}:
        yield Draft(EventType.PROGRESS, {"message": data["description"]})
    elif message.subtype == "api_retry":
        status = data.get("error_status") or "no answer"
        again = f"try {data.get('attempt')} of {data.get('max_retries')}"
        yield Draft(
            EventType.PROGRESS, {"message": f"The model's service does not answer as it should ({status}); {again} follows."}
        )


def _within(call: str | None) -> dict[str, str]:
    """Marks what a subagent does with the id of the tool call that started it."""
    return {"within": call} if call else {}


def text_of(content: str | list[dict[str, Any]] | None) -> str:
    """What a tool's result says."""
    if isinstance(content, str):
        return content
    return "\n".join(block.get("text", f"[{block.get('type')}]") for block in content or [])


def renamed(value: Any, names: Mapping[str, str]) -> Any:
    """The value with every mention of a folder replaced by its name: where a server keeps its files is nobody's business."""
    match value:
        case str():
            for folder, name in names.items():
                value = value.replace(folder, name)
            return value
        case dict():
            return {key: renamed(part, names) for key, part in value.items()}
        case list():
            return [renamed(part, names) for part in value]
        case _:
            return value


COMPUTE = {"compute_seconds", "compute_usd"}
"""Of `Usage`, what is no model's."""


class Meter:
    """Turns Claude Code's running totals per model into what was used since it was last read.

    The totals are the only figures that count every request; a message's own `usage` is an estimate from its first event.
    """

    def __init__(self) -> None:
        self._read: dict[str, Usage] = {}

    def usage_of(self, models_used: Mapping[str, "ModelUsage | Mapping[str, Any]"], turns: int | None = None) -> Draft:
        """`models_used`: the totals now, by model."""
        models = {}
        for model, totals in models_used.items():
            now = _usage(totals)
            models[model] = _less(now, self._read.get(model, Usage()))
            self._read[model] = now
        data: dict[str, Any] = {} if turns is None else {"turns": turns}
        data["models"] = {model: used.model_dump(exclude=COMPUTE) for model, used in models.items()}
        return Draft(EventType.USAGE, data, sum(models.values(), Usage()))


def _usage(totals: "ModelUsage | Mapping[str, Any]") -> Usage:
    return Usage(
        input_tokens=totals["inputTokens"],
        output_tokens=totals["outputTokens"],
        cache_read_tokens=totals["cacheReadInputTokens"],
        cache_creation_tokens=totals["cacheCreationInputTokens"],
        cost_usd=totals["costUSD"],
    )


def _less(now: Usage, before: Usage) -> Usage:
    earlier = before.model_dump()
    return Usage(**{name: value - earlier[name] for name, value in now.model_dump().items()})
