"""Makes of the transcript of a run that was parked, or killed while it waited, one that Claude Code goes on with. Pure.

A transcript's form is not documented; what is leant on here is held by tests with the real Claude Code. Its entries are a
chain: each names the one before (`parentUuid`). A call that was put off is marked by an attachment, and resuming calls its hook
again. The mark has to come last: where the result of another call follows it, the answer is lost on the way to the model.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID, uuid5

from agents.src.services.claude_asking import PUT_OFF
from agents.src.services.claude_events import text_of
from agents.src.services.claude_questions import TOOLS, Told
from agents.src.services.transcript_store import NAMES, Entry

SAYS = frozenset({"user", "assistant"})
CHAIN = SAYS | {"attachment"}
COST = "cost-state"
"""What a session has cost. Left out, a process counts from nothing."""
UNHEARD = "modal-invoke-unheard"
"""An entry of our own: the `texts` that a process was told, and did not take in. Of several, the last counts."""
ANSWERED = "modal-invoke-answered"
"""Another: the `results` of calls that were put off, by their ids."""
NOT_ITS_OWN = frozenset({COST, UNHEARD, ANSWERED})
"""What Claude Code is not given."""
LIKE_THE_LAST = ("isSidechain", "userType", "entrypoint", "cwd", "sessionId", "version", "gitBranch", "timestamp")
DEFERRED = "hook_deferred_tool"
INTERRUPTED = Told("[The run was interrupted before this call had a result. Check whether it took effect.]", is_error=True)


class Call(NamedTuple):
    id: str
    tool: str
    given: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Past:
    """What an earlier process left. `held` is the call that Claude Code asks about again (None: none waits); `put_off` have to be
    answered in the transcript, unless that is `answered` already; `lost` had no result when the process ended; `unheard` was said
    to it, and not taken in."""

    entries: tuple[Entry, ...]
    held: Call | None
    put_off: tuple[Call, ...]
    answered: Mapping[str, Told]
    lost: tuple[Call, ...]
    unheard: tuple[str, ...]


def past_of(entries: Sequence[Entry]) -> Past | None:
    """None where nothing has been said."""
    if not any(entry["type"] in SAYS for entry in entries):
        return None
    results = {block["tool_use_id"]: block for block in _blocks(entries, "tool_result")}
    calls = [Call(block["id"], block["name"], block["input"]) for block in _blocks(entries, "tool_use")]
    marked = {marks(entry) for entry in entries}
    open_ones = [call for call in calls if call.id not in results]
    waiting = sorted((call for call in open_ones if call.tool in TOOLS), key=lambda call: call.id not in marked)
    held = waiting[0] if waiting else None
    answered = {
        call_id: Told(*told) for entry in entries if entry["type"] == ANSWERED for call_id, told in entry["results"].items()
    }
    put_off = [call for call in calls if call.id not in answered and _is_put_off(call, results.get(call.id, {}))]
    return Past(
        tuple(entry for entry in entries if entry["type"] not in NOT_ITS_OWN),
        held,
        (*put_off, *(call for call in waiting if call != held)),
        answered,
        tuple(call for call in open_ones if call.tool not in TOOLS),
        next((tuple(entry["texts"]) for entry in reversed(entries) if entry["type"] == UNHEARD), ()),
    )


def _blocks(entries: Sequence[Entry], kind: str) -> Iterator[dict[str, Any]]:
    for entry in entries:
        content = entry["message"].get("content") if entry["type"] in SAYS else None
        yield from (block for block in content if block.get("type") == kind) if isinstance(content, list) else ()


def _is_put_off(call: Call, result: Mapping[str, Any]) -> bool:
    """Nobody's answer, and nothing that was read, can look like that."""
    return call.tool in TOOLS and result.get("is_error", False) and text_of(result.get("content")).endswith(PUT_OFF)


def marks(entry: Entry) -> str | None:
    """The call that the entry marks as put off."""
    attachment = entry["attachment"] if entry["type"] == "attachment" else {}
    return attachment["toolUseID"] if attachment.get("type") == DEFERRED else None


def gone_on_with(past: Past, results: Mapping[str, Told]) -> tuple[list[Entry], list[Entry]]:
    """The entries to resume with, and what has to be kept of that. `results` are those of the calls that were put off."""
    results = {**past.answered, **results}
    held, kept = past.held, list(past.entries)
    # A mark that stays, although its call was answered, has Claude Code run that call once more.
    for call_id in {marked for entry in past.entries if (marked := marks(entry))}:
        kept = _unmarked(kept, call_id)
    entries = [_with_results(entry, results) for entry in kept]
    added: list[Entry] = []
    there = {block["tool_use_id"] for block in _blocks(entries, "tool_result")}
    found = {**results, **{call.id: INTERRUPTED for call in past.lost}}
    last = [entry for entry in entries if entry["type"] in CHAIN][-1]
    for call_id, result in found.items():
        if call_id not in there:
            added.append(last := _result_entry(last, call_id, result))
    if held and (added or not any(marks(entry) == held.id for entry in entries)):
        added.append(_mark(last, held))
    return [*entries, *added], [*added, {"type": ANSWERED, "results": results}] if results else added


def _unmarked(entries: Sequence[Entry], call_id: str) -> list[Entry]:
    """Without a mark of this call that is not at the end: what followed it follows what was before it."""
    kept: list[Entry] = []
    before: dict[str, str | None] = {}
    for number, entry in enumerate(entries):
        if marks(entry) == call_id and any(later["type"] in SAYS for later in entries[number:]):
            before[entry["uuid"]] = entry["parentUuid"]
        else:
            parent = entry.get("parentUuid")
            kept.append(entry | {"parentUuid": before[parent]} if parent in before else entry)
    return kept


def _with_results(entry: Entry, results: Mapping[str, Told]) -> Entry:
    """The entry with the results of calls that had been put off."""
    [*blocks] = _blocks([entry], "tool_result")
    if not any(block["tool_use_id"] in results for block in blocks):
        return entry
    content = [_with_result(block, results) for block in entry["message"]["content"]]
    rest = {name: value for name, value in entry.items() if name != "toolUseResult"}
    return rest | {"message": {**entry["message"], "content": content}}


def _with_result(block: dict[str, Any], results: Mapping[str, Told]) -> dict[str, Any]:
    found = results.get(block.get("tool_use_id", ""))
    return _result(block["tool_use_id"], found) if found else block


def _result(call_id: str, told: Told) -> dict[str, Any]:
    block = {"type": "tool_result", "tool_use_id": call_id, "content": told.text}
    return block | {"is_error": True} if told.is_error else block


def _result_entry(last: Entry, call_id: str, told: Told) -> Entry:
    return _next(last, call_id) | {"type": "user", "message": {"role": "user", "content": [_result(call_id, told)]}}


def _mark(last: Entry, call: Call) -> Entry:
    attachment = {"type": DEFERRED, "toolUseID": call.id, "toolName": call.tool, "toolInput": call.given}
    attachment |= {"hookName": "settings", "hookEvent": "PreToolUse", "permissionMode": "dontAsk"}
    return _next(last, call.id) | {"type": "attachment", "attachment": attachment}


def _next(last: Entry, name: str) -> Entry:
    """What an entry that follows has in common with the last one."""
    like = {key: last[key] for key in LIKE_THE_LAST if key in last}
    uuid = uuid5(UUID(last["uuid"]) if "uuid" in last else NAMES, name)
    return {**like, "parentUuid": last.get("uuid"), "uuid": str(uuid)}
