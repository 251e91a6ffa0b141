"""LoCoMo's questions whose evidence is known, over memories made of its conversations.

The data set is `data/locomo10.json` of the project snap-research/LoCoMo: ten conversations of two people, in sessions. Here, a
conversation is a skill's memory, and a session is a section with its date as the heading. There are two ways to make entries:

    turns   what somebody said: 5,882 entries
    facts   LoCoMo's "observations", short sentences of what was learned, as a skill would write them: 2,541 entries
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

Mode = Literal["turns", "facts"]
ADVERSARIAL = 5
"""The category of questions that have no answer."""
TURN = re.compile(r"D:?(\d+):(\d+)")
SESSION = re.compile(r"session_(\d+)")


@dataclass(frozen=True, slots=True)
class Entry:
    """`turns`: what it is evidence of."""

    section: str
    text: str
    turns: frozenset[str]


@dataclass(frozen=True, slots=True)
class Question:
    text: str
    evidence: frozenset[str]


@dataclass(frozen=True, slots=True)
class Conversation:
    name: str
    turns: tuple[Entry, ...]
    facts: tuple[Entry, ...]
    questions: tuple[Question, ...]

    def entries(self, mode: Mode) -> tuple[Entry, ...]:
        return self.turns if mode == "turns" else self.facts


def read_locomo(path: Path) -> list[Conversation]:
    return [_conversation(sample) for sample in json.loads(path.read_text(encoding="utf-8"))]


def recall(found: list[Entry], evidence: frozenset[str]) -> float:
    """The share of the evidence that the entries hold."""
    return len(evidence & {turn for entry in found for turn in entry.turns}) / len(evidence)


def _conversation(sample: dict[str, Any]) -> Conversation:
    turns = tuple(_said(sample["conversation"]))
    known = {turn for entry in turns for turn in entry.turns}
    asked = [(one["question"], _turns(one.get("evidence", [])) & known) for one in sample["qa"] if one["category"] != ADVERSARIAL]
    questions = tuple(Question(text, evidence) for text, evidence in asked if evidence)
    return Conversation(sample["sample_id"], turns, tuple(_learned(sample)), questions)


def _said(conversation: dict[str, Any]) -> Iterator[Entry]:
    for name in sorted(filter(SESSION.fullmatch, conversation), key=lambda name: int(name.partition("_")[2])):
        for turn in conversation[name]:
            photo = f" [shares a photo: {turn['blip_caption']}]" if turn.get("blip_caption") else ""
            yield Entry(_heading(conversation, name), f"{turn['speaker']}: {turn['text']}{photo}", _turns(turn["dia_id"]))


def _learned(sample: dict[str, Any]) -> Iterator[Entry]:
    for name, by_speaker in sample["observation"].items():
        heading = _heading(sample["conversation"], name.removesuffix("_observation"))
        for facts in by_speaker.values():
            yield from (Entry(heading, text, _turns(evidence)) for text, evidence in facts)


def _heading(conversation: dict[str, Any], session: str) -> str:
    """`1:56 pm on 8 May, 2023` → `8 May, 2023`."""
    return str(conversation.get(f"{session}_date_time", "")).rpartition(" on ")[2]


def _turns(named: Any) -> frozenset[str]:
    """Some evidence is written `D:11:26`, some `D30:05`, some as a list in one string."""
    texts = [named] if isinstance(named, str) else named
    return frozenset(f"D{int(session)}:{int(turn)}" for text in texts for session, turn in TURN.findall(text))
