"""The HTTP contract, call by call."""

from __future__ import annotations

import hashlib
import json
import mimetypes
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Callable, TypeVar
from urllib.parse import quote, urlencode

from modal_invoke.events import Announcements, Stream
from modal_invoke.settings import Settings
from modal_invoke.stop import Exit, Stop
from modal_invoke.transport import Body, Reply, Request, Transport

CHUNK = 1 << 18
PAGE = 50

Json = dict[str, Any]
T = TypeVar("T")


class Server:
    """A modal-invoke server. Every call raises Stop with an exit code and a sentence when it does not succeed."""

    def __init__(self, settings: Settings, notice: Callable[[str], None] = lambda _: None) -> None:
        self.url = settings.url
        self.patience = settings.patience
        self.transport = Transport(settings, notice)

    def status(self) -> Json:
        return self._json(Request("GET", "/api/status"))

    def skills(self) -> list[Json]:
        return list(self._items("/api/skills", {}))

    def estimate(self, skill: str) -> Json:
        return self._json(Request("GET", f"/api/skills/{quote(skill, safe='')}/estimate"))

    def tasks(self, limit: int, status: str | None, skill: str | None) -> list[Json]:
        """The newest first."""
        query = {"status": status, "skill": skill, "limit": str(min(limit, PAGE))}
        return list(islice(self._items("/api/tasks", query), limit))

    def task(self, task_id: str) -> Json:
        return self._json(Request("GET", f"/api/tasks/{quote(task_id, safe='')}"))

    def cancel(self, task_id: str) -> Json:
        return self._json(Request("POST", f"/api/tasks/{quote(task_id, safe='')}/cancel"))

    def pause(self, task_id: str) -> Json:
        return self._json(Request("POST", f"/api/tasks/{quote(task_id, safe='')}/pause"))

    def resume(self, task_id: str) -> Json:
        return self._json(Request("POST", f"/api/tasks/{quote(task_id, safe='')}/resume"))

    def say(self, task_id: str, text: str, key: str) -> Json:
        """The task as it stands then. Under the same key, the message is taken once."""
        headers = {"Idempotency-Key": f'"{key}"'}
        return self._post(f"/api/tasks/{quote(task_id, safe='')}/messages", {"text": text}, headers)

    def stream(self, task_id: str) -> Stream:
        return Stream(self.transport, task_id, self.patience)

    def submit(self, body: Json, key: str) -> Json:
        """The task that was accepted. The key makes a repeated submission give the same task."""
        content = json.dumps(body).encode()
        headers = {"Prefer": "respond-async", "Idempotency-Key": f'"{key}"'}
        sent = Body(lambda: iter([content]), len(content), "application/json")
        return self._json(Request("POST", "/api/skill", headers, sent))

    def questions(self, task_id: str | None = None, status: str | None = "pending") -> list[Json]:
        """The newest first, of one task or of all."""
        return list(self._items("/api/questions", {"status": status, "task": task_id, "limit": str(PAGE)}))

    def question(self, question_id: str) -> Json:
        return self._json(Request("GET", f"/api/questions/{quote(question_id, safe='')}"))

    def answer(self, question_id: str, answer: Json) -> Json:
        """The question as it stands then. The same answer may be given twice."""
        return self._post(f"/api/questions/{quote(question_id, safe='')}/answer", answer)

    def inbox(self, peek: bool) -> list[Json]:
        """What the caller has not seen; with `peek`, nobody is taken to have been told."""
        return list(self._json(Request("GET", f"/api/inbox{'?peek=true' if peek else ''}")).get("items", []))

    def seen(self, ids: list[str]) -> Json:
        return self._post("/api/inbox/seen", {"ids": ids})

    def announcements(self) -> Announcements:
        return Announcements(self.transport)

    def search_memory(self, query: str, skill: str | None, limit: int) -> list[Json]:
        """The best first."""
        given = {"q": query, "limit": str(limit), **({"skill": skill} if skill else {})}
        items = self._json(Request("GET", f"/api/memory/search?{urlencode(given, errors='replace')}")).get("items", [])
        return list(items)

    def add_memory(self, skill: str, text: str, section: str) -> tuple[Json, bool]:
        """The entry, and whether it is new. The same text is the same entry, so that it bears to be sent twice."""
        content = json.dumps({"skill": skill, "text": text, "section": section}).encode()
        request = Request("POST", "/api/memory", body=Body(lambda: iter([content]), len(content), "application/json"))
        return self.transport.call(request, lambda reply: (self._document(reply), reply.status == 201))

    def upload(self, path: Path) -> str:
        """The id under which the server keeps the file."""
        file = Outgoing(path)
        kept = self._json(Request("POST", f"/api/files?{urlencode({'name': path.name}, errors='replace')}", body=file.body()))
        if kept.get("sha256") != file.digest.hexdigest():
            raise Stop(Exit.FAILED, f"{path} was damaged on its way to the server. Run the command again.")
        return str(kept["id"])

    def download(self, task_id: str, name: str, use: Callable[[Reply], T]) -> T:
        """What `use` makes of the artifact's bytes; it may be called again with a new answer."""
        path = f"/api/tasks/{quote(task_id, safe='')}/artifacts/{quote(name, safe='')}"
        return self.transport.call(Request("GET", path), use)

    def _json(self, request: Request) -> Json:
        return self.transport.call(request, self._document)

    def _post(self, path: str, document: Json, headers: dict[str, str] | None = None) -> Json:
        content = json.dumps(document).encode()
        body = Body(lambda: iter([content]), len(content), "application/json")
        return self._json(Request("POST", path, headers or {}, body))

    def _document(self, reply: Reply) -> Json:
        document = reply.json()
        if not isinstance(document, dict):
            raise Stop(Exit.UNREACHABLE, f"{self.url} does not answer as a modal-invoke server does.")
        return document

    def _items(self, path: str, query: dict[str, str | None]) -> Iterator[Json]:
        cursor: str | None = None
        while True:
            given = {name: value for name, value in {**query, "cursor": cursor}.items() if value}
            page = self._json(Request("GET", f"{path}?{urlencode(given)}"))
            yield from page.get("items", [])
            cursor = page.get("next")
            if not cursor:
                return


class Outgoing:
    """A file on its way to the server; `digest` is the SHA-256 of what was sent last."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = path.stat().st_size
        self.digest = hashlib.sha256()

    def body(self) -> Body:
        return Body(self._chunks, self.size, mimetypes.guess_type(self.path.name)[0] or "application/octet-stream")

    def _chunks(self) -> Iterator[bytes]:
        self.digest = hashlib.sha256()
        left = self.size  # what was announced; a file that grows meanwhile is sent as it was
        try:
            with self.path.open("rb") as source:
                while left and (chunk := source.read(min(CHUNK, left))):
                    self.digest.update(chunk)
                    left -= len(chunk)
                    yield chunk
        except OSError as error:
            raise Stop(Exit.USAGE, f"{self.path} cannot be read ({error.strerror}).") from None
        if left:
            raise Stop(Exit.FAILED, f"{self.path} became shorter while it was sent. Run the command again.")
