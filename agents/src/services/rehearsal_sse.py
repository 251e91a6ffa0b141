"""A message of the Messages API as it goes over the wire: as one JSON document, or as a stream of server-sent events."""

import json
from collections.abc import Iterator
from typing import Any


def message(model: str, number: int, blocks: list[dict[str, Any]], usage: dict[str, int]) -> dict[str, Any]:
    """The message that a whole reply makes. `number` is the reply's place in its script, and makes its id."""
    calls = any(block["type"] == "tool_use" for block in blocks)
    return {
        "id": f"msg_rehearsal_{number:04}",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": blocks,
        "stop_reason": "tool_use" if calls else "end_turn",
        "stop_sequence": None,
        "usage": usage,
    }


def stream(whole: dict[str, Any]) -> Iterator[bytes]:
    """The same message in the events in which the API streams it."""
    usage = whole["usage"]
    begun = whole | {"content": [], "stop_reason": None, "usage": usage | {"output_tokens": 1}}
    yield _event("message_start", message=begun)
    for index, block in enumerate(whole["content"]):
        empty, delta = _begin(block)
        yield _event("content_block_start", index=index, content_block=empty)
        yield _event("content_block_delta", index=index, delta=delta)
        yield _event("content_block_stop", index=index)
    end = {"stop_reason": whole["stop_reason"], "stop_sequence": None}
    yield _event("message_delta", delta=end, usage={"output_tokens": usage["output_tokens"]})
    yield _event("message_stop")


def _begin(block: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """A block as it starts, and the delta that fills it."""
    if block["type"] == "text":
        return block | {"text": ""}, {"type": "text_delta", "text": block["text"]}
    return block | {"input": {}}, {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}


def _event(kind: str, **data: object) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **data})}\n\n".encode()
