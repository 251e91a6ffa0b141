"""Claude Code's own memory of a project as a replica: the lines of its MEMORY.md, and its other files whole.

The folder itself gets no markers. What a sync sees is a text that is made of it (a view) and of a memory.md of our own in the
state directory, which knows the generation and whose backup is the folder's too. An index line is known by the file it links to,
or else by its text; a file by its name, which is the first line of its entry. The other side of a conflict is a second index
line, or the file `NAME~1a2b3c4d.md`.
"""

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path

from agents.src.errors import InvalidMemory
from agents.src.memory import (
    Addition,
    Advance,
    Document,
    Intent,
    MemoryEntry,
    Replica,
    State,
    digest,
    entry_id,
    sibling_id,
)
from agents.src.services.auto_memory_files import FILE, INDEX, LINK, NAME, NOWHERE, files_in, fitting, put, read, unmarked
from agents.src.services.memory_file import MemoryFile
from agents.src.services.replacing import remove

LINES, FILES = "Index", "Files"
"""Headings in the view."""
EMPTY = f"# {LINES}\n\n# {FILES}\n"


@dataclass(frozen=True, slots=True)
class Fact:
    """An entry as the folder has it. `text`: None where it cannot be one; then it stays as it is, here and there."""

    id: str
    text: str | None
    line: int = -1
    """The number of its item in the index; −1 for a file."""
    path: Path | None = None
    whole: str = ""
    """All of the file, as it was read."""


class AutoMemory:
    """Implements `Replica`. `inner` keeps the state; `own` is a folder of ours, for this alone."""

    def __init__(self, folder: Path, inner: Replica, own: Path) -> None:
        self.skill = inner.skill
        self._folder = folder
        self._inner = inner
        self._own = MemoryFile(own, make=True)

    def locked(self) -> AbstractAsyncContextManager[None]:
        return self._inner.locked()

    async def read(self) -> str | None:
        return await asyncio.to_thread(self._view)

    def _view(self) -> str | None:
        return self._seen(self._facts(self._index()))

    def _seen(self, facts: Sequence[Fact]) -> str | None:
        kept = self._own.read()
        if not facts and kept is None:
            return None
        last = Document.parse(kept or EMPTY)
        before = {item.id: item.text for item in last.items if item.id}
        texts = {fact.id: before.get(fact.id) if fact.text is None else fact.text for fact in facts}
        added = [
            Addition(which, text, FILES if FILE.fullmatch(text) else LINES) for which, text in texts.items() if text is not None
        ]
        return Document.parse(EMPTY).edited(ids={}, texts={}, gone=(), added=added, generation=last.generation or NOWHERE)

    def _index(self) -> str | None:
        return read(self._folder / INDEX)

    def _facts(self, index: str | None) -> list[Fact]:
        return [*self._index_facts(index or ""), *map(self._file_fact, files_in(self._folder))]

    def _index_facts(self, index: str) -> Iterator[Fact]:
        """Two lines of one name are an entry and its sibling. A line that would be taken for a file's entry is left alone."""
        seen: set[str] = set()
        for number, item in enumerate(Document.parse(index).items):
            link = LINK.search(item.text)
            main = entry_id(self.skill, f"{INDEX} {link[1]}" if link else item.text)
            which = sibling_id(main, item.text) if main in seen else main
            if which not in seen and not FILE.fullmatch(item.text):
                seen.add(which)
                yield Fact(which, fitting(item.text), number)

    def _file_fact(self, path: Path) -> Fact:
        found = NAME.fullmatch(path.name)
        assert found is not None  # `files_in` gives no others
        head, whole = f"File: {found[1]}.md", read(path) or ""
        return Fact(entry_id(self.skill, head) + found[2], fitting(f"{head}\n{whole}"), path=path, whole=whole)

    async def write(self, text: str, over: str | None) -> bool:
        return await asyncio.to_thread(self._write, text, over)

    def _write(self, text: str, over: str | None) -> bool:
        """The files first: until our memory.md is there too, they count as an older generation's that was edited.

        So do those that are written already where Claude Code saves another in the same moment.
        """
        index = self._index()
        facts = self._facts(index)
        if self._seen(facts) != over:
            return False
        left_alone = {fact.id for fact in facts if fact.text is None}
        wanted = {item.id: item.text for item in Document.parse(text).items if item.id and item.id not in left_alone}
        lines = {which: text for which, text in wanted.items() if not FILE.fullmatch(text)}
        try:
            done = self._write_files(wanted, facts) and self._write_index(lines, facts, index)
        except OSError as error:
            raise InvalidMemory(f"{self._folder} cannot be written ({error.strerror}). Its owner has to allow it.") from None
        return done and self._own.write(text, self._own.read())

    def _write_files(self, wanted: Mapping[str, str], facts: Iterable[Fact]) -> bool:
        """Whether nobody else changed one of them."""
        there = {fact.path.name: fact for fact in facts if fact.path}
        left_alone = {name for name, fact in there.items() if fact.text is None}
        contents: dict[str, str] = {}
        for which, text in wanted.items():
            if found := FILE.fullmatch(text):
                name = f"{found[1]}{which[12:]}.md"
                taken = name in contents or name in left_alone
                contents[f"{found[1]}~{digest(text)[:8]}.md" if taken else name] = text
        gone = there.keys() - contents.keys() - left_alone
        return all(remove(self._folder / name, there[name].whole.encode()) for name in gone) and all(
            self._write_file(name, text, there.get(name)) for name, text in contents.items()
        )

    def _write_file(self, name: str, text: str, former: Fact | None) -> bool:
        if former and former.text == text:
            return True
        return put(self._folder / name, text.partition("\n")[2].rstrip("\n") + "\n", former.whole if former else None)

    def _write_index(self, wanted: Mapping[str, str], facts: Iterable[Fact], index: str | None) -> bool:
        """Only the lines that change, come or go: all else in the file stays as it is. Whether nobody else changed it."""
        lines = {fact.line: fact for fact in facts if not fact.path and fact.text is not None}
        ids = {line: fact.id for line, fact in lines.items() if wanted.get(fact.id, fact.text) != fact.text}
        gone = [line for line, fact in lines.items() if fact.id not in wanted]
        known = {fact.id for fact in lines.values()}
        new = [
            Addition(which, text, after=which.rpartition("~")[0] or None) for which, text in wanted.items() if which not in known
        ]
        if not (ids or gone or new):
            return True
        document = Document.parse(index or "")
        named = {line: fact.id for line, fact in lines.items()} if new else ids
        texts = {line: wanted[which] for line, which in ids.items()}
        after = document.edited(ids=named, texts=texts, gone=gone, added=new, generation=NOWHERE)
        return put(self._folder / INDEX, unmarked(after, {*named.values(), *(addition.id for addition in new)}), index)

    async def load(self) -> State:
        return await self._inner.load()

    async def intend(self, intent: Intent) -> None:
        await self._inner.intend(intent)

    async def advance(self, step: Advance, generation: str | None = None) -> None:
        await self._inner.advance(step, generation)

    async def settle(self, landed: Mapping[str, MemoryEntry], refused: Mapping[str, MemoryEntry | None], number: int) -> None:
        await self._inner.settle(landed, refused, number)

    async def rename(self, *, unseen: bool = False) -> None:
        await self._inner.rename(unseen=unseen)

    async def verified(self, at: float) -> None:
        await self._inner.verified(at)
