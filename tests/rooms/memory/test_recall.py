"""What a run is given of its skill's memory."""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import cast

import pytest

from agents.src.errors import Misconfigured, Unavailable
from agents.src.memory import Hit, MemoryEntry, MemoryPage, MemoryStore, Origin, Recall, Recollection, entry_id, new_entry
from agents.src.memory.recall import LONGEST_QUERY, MOST, size
from tests.building import NOON

ME = Origin("ada", "local", NOON)


def an_entry(text: str, section: str = "", skill: str = "planning") -> MemoryEntry:
    return new_entry(skill, entry_id(skill, text), text, section, ME)


@dataclass
class Shelf:
    """A memory whose search finds the entries that have a word of the query, the most such words first."""

    entries: list[MemoryEntry]
    error: Exception | None = None
    silent: bool = False
    asked: list[str] = field(default_factory=list)

    async def _answer(self, what: str) -> None:
        self.asked.append(what)
        if self.error:
            raise self.error
        if self.silent:
            await asyncio.Event().wait()

    async def count(self, skill: str) -> int:
        await self._answer("count")
        return len(self.entries)

    async def page(self, skills: Collection[str] | None, cursor: str | None, limit: int) -> MemoryPage:
        await self._answer("page")
        return MemoryPage(tuple(self.entries[:limit]), None if len(self.entries) <= limit else "more")

    async def search(self, query: str, skills: Collection[str] | None, limit: int) -> tuple[Hit, ...]:
        await self._answer(f"search {len(query)}")
        words = set(query.split())
        hits = [Hit(entry, float(len(words & set(entry.text.split())))) for entry in self.entries]
        return tuple(sorted((hit for hit in hits if hit.score), key=lambda hit: -hit.score)[:limit])


def recall(shelf: Shelf, prompt: str, tokens: int = 2000, patience: float = 5.0) -> Recollection:
    return asyncio.run(Recall(lambda: cast(MemoryStore, shelf), tokens, patience).recall("planning", prompt))


def texts(recollection: Recollection) -> list[str]:
    assert recollection.warning is None
    return [entry.text for entry in recollection.entries]


def test_a_memory_that_fits_is_given_as_a_whole_best_first() -> None:
    shelf = Shelf([an_entry("use argon2 for passwords"), an_entry("videos are 50 fps", "Video"), an_entry("reviews on Mondays")])
    found = recall(shelf, "encode the videos at 50 fps")
    assert texts(found) == ["videos are 50 fps", "use argon2 for passwords", "reviews on Mondays"]
    first, known = found.entries[0], shelf.entries[1]
    assert (first.id, first.section, first.rev) == (known.id, "Video", known.rev)


def test_of_a_larger_one_only_what_fits_the_prompt_and_only_whole_entries() -> None:
    long, short = an_entry("videos " * 40), an_entry("videos are 50 fps")
    shelf = Shelf([an_entry(f"fact {number} of something else") for number in range(50)] + [long, short])
    assert texts(recall(shelf, "the videos are late", tokens=(size(short) + 3) // 4)) == [short.text]
    assert texts(recall(shelf, "the videos are late", tokens=(size(short) + size(long) + 3) // 4)) == [short.text, long.text]
    assert texts(recall(shelf, "the videos are late", tokens=(size(long) + 3) // 4)) == [short.text]
    assert texts(recall(shelf, "the videos are late", tokens=3)) == []


def test_one_that_is_too_long_makes_way_for_the_next() -> None:
    long, short = an_entry("videos are " * 40), an_entry("videos have sound")
    assert texts(recall(Shelf([long, short]), "videos are", tokens=size(short) // 4 + 1)) == [short.text]


def test_never_more_entries_than_anybody_reads() -> None:
    shelf = Shelf([an_entry(f"fact {number}") for number in range(MOST + 50)])
    assert len(recall(shelf, "fact", tokens=1_000_000).entries) == MOST
    assert "page" not in shelf.asked


@pytest.mark.parametrize(("entries", "tokens", "asked"), [(0, 2000, ["count"]), (3, 0, [])])
def test_where_there_is_nothing_or_no_room_nothing_is_given(entries: int, tokens: int, asked: list[str]) -> None:
    shelf = Shelf([an_entry(f"fact {number}") for number in range(entries)])
    assert recall(shelf, "fact", tokens) == Recollection()
    assert shelf.asked == asked


def test_a_prompt_without_words_gets_what_there_is_and_a_long_one_is_cut() -> None:
    shelf = Shelf([an_entry("a fact")])
    assert texts(recall(shelf, " \n")) == ["a fact"]
    assert shelf.asked == ["count", "page"]
    recall(shelf, "x" * 1_000_000)
    assert f"search {LONGEST_QUERY}" in shelf.asked


@pytest.mark.parametrize(
    ("shelf", "says"),
    [
        (Shelf([], Unavailable("Qdrant is away.")), "Qdrant is away."),
        (Shelf([], Misconfigured("QDRANT_API_KEY is wrong.")), "QDRANT_API_KEY is wrong."),
        (Shelf([], ZeroDivisionError("secret words")), "the server's log has it"),
        (Shelf([], silent=True), "did not answer within 0.02 seconds"),
    ],
    ids=["away", "misconfigured", "broken", "silent"],
)
def test_trouble_becomes_a_warning(shelf: Shelf, says: str) -> None:
    found = recall(shelf, "anything", patience=0.02)
    assert found.entries == ()
    assert found.warning and says in found.warning and "runs without it" in found.warning
    assert "secret words" not in found.warning


def test_a_memory_that_cannot_be_opened_is_a_warning_too() -> None:
    def open_store() -> MemoryStore:
        raise Misconfigured("QDRANT_URL is no URL.")

    found = asyncio.run(Recall(open_store, 2000).recall("planning", "anything"))
    assert found.warning and found.warning.endswith("QDRANT_URL is no URL.")
