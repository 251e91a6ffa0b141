"""A small server of the documented form, whose misbehaviour is scripted."""

import json
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

TOKEN = "stand-in-token-0123456789-0123456789"
NOW = "2026-01-31T09:30:00.000Z"
USAGE = {"input_tokens": 1200, "output_tokens": 34, "cache_read_tokens": 0, "cache_creation_tokens": 0, "cost_usd": 0.0123}

Json = dict[str, Any]


@dataclass(frozen=True)
class Fault:
    """What a route answers once instead of what it should. `cut` closes the connection without an answer."""

    status: int = 500
    problem: Json | None = None
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None
    cut: bool = False
    early: bool = False
    """Whether the answer comes before the body has been read."""
    discard: bool = False
    """Whether the request is carried out all the same, and only its answer is lost."""


UNAVAILABLE = Fault(503, {"title": "Unavailable"}, {"Retry-After": "0"})


@dataclass(frozen=True)
class Seen:
    """A request that came in."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes


@dataclass
class Plan:
    """What becomes of every task. The events' numbers are given to them; the last one is the terminal event if it `ends`."""

    events: list[tuple[str, Json]] = field(default_factory=lambda: [("progress", {"fraction": 0.5, "message": "half-way"})])
    status: str = "completed"
    text: str = "The result."
    data: Any = None
    artifacts: dict[str, bytes] = field(default_factory=dict)
    learned: list[Json] = field(default_factory=list)
    output: Json | None = None
    warnings: list[Json] = field(default_factory=list)
    error: Json | None = None
    ends: bool = True
    per_connection: int | None = None
    """So many events, and the stream is cut in the middle of the next."""


class StandIn:
    """The server's state; `url` once it serves. Requests are in `seen`; `fault()` queues a misbehaviour for a route."""

    def __init__(self) -> None:
        self.url = ""
        self.plan = Plan()
        self.seen: list[Seen] = []
        self.tasks: dict[str, Json] = {}
        self.files: dict[str, bytes] = {}
        self.memory: list[Json] = []
        self.questions: dict[str, Json] = {}
        self.inbox: list[Json] = []
        self.told: list[str] = []
        self.estimate: Json = {}
        self.keys: dict[str, str] = {}
        self.digest: str | None = None
        self.followed = threading.Event()
        self.changed = threading.Condition()
        self.closing = False
        self._faults: dict[str, deque[Fault]] = {}

    def fault(self, route: str, *faults: Fault) -> None:
        """`route` is a method and the beginning of a path: `POST /api/skill`."""
        self._faults.setdefault(route, deque()).extend(faults)

    def next_fault(self, method: str, path: str) -> Fault | None:
        for route, faults in self._faults.items():
            if f"{method} {path}".startswith(route) and faults:
                return faults.popleft()
        return None

    def requests(self, method: str, path: str) -> list[Seen]:
        return [seen for seen in self.seen if seen.method == method and seen.path.startswith(path)]

    def submit(self, body: Json, key: str) -> Json:
        if key not in self.keys:
            self.keys[key] = f"task{len(self.tasks) + 1:022}"
            self.tasks[self.keys[key]] = self._task(self.keys[key], body)
        return self.tasks[self.keys[key]]

    def _task(self, task_id: str, body: Json) -> Json:
        return {
            "id": task_id, "skill": body["skill"], "task": body["task"], "args": body.get("args", {}), "status": "running",
            "result": None, "error": None, "usage": USAGE, "caller": "root", "attempt": 1, "priority": body.get("priority", 0),
            "metadata": {}, "created_at": NOW, "started_at": NOW, "finished_at": None, "warnings": self.plan.warnings,
            "paused": False,
        }  # fmt: skip

    def settle(self, task: Json) -> None:
        """The task as the plan says it ends."""
        plan = self.plan
        task.update(status=plan.status, error=plan.error, finished_at=NOW, output=plan.output)
        if plan.status == "completed":
            url = f"/api/tasks/{task['id']}/artifacts/"
            artifacts = [
                {"name": name, "size": len(content), "media_type": "text/plain", "url": url + name}
                for name, content in plan.artifacts.items()
            ]
            task["result"] = {"text": plan.text, "data": plan.data, "artifacts": artifacts, "remembered": plan.learned}

    def cancel(self, task: Json) -> None:
        with self.changed:
            task["status"] = "cancelled"
            self.changed.notify_all()

    def steer(self, task: Json, verb: str) -> tuple[int, Json]:
        with self.changed:
            if verb == "pause":
                task.update(status="input_required", paused=True)
            elif verb == "resume" and not task["paused"]:
                return 409, {"title": "The task is not paused.", "detail": "Nobody has paused it."}
            elif verb == "resume":
                task.update(status="running", paused=False)
            self.changed.notify_all()
        return 202, task

    def ask(self, task: Json, question: Json) -> Json:
        """A question of a task, as the server shows it."""
        question_id = f"question{len(self.questions) + 1:018}"
        whole = {
            "header": "",
            "choices": [],
            "several": False,
            "free_text": True,
            "default": [],
            "budget": None,
            "due_at": None,
            **question,
        }
        about = {
            "task_id": task["id"],
            "skill": task["skill"],
            "caller": "root",
            "to": "caller",
            "asked_at": NOW,
            "closed_at": None,
        }
        self.questions[question_id] = {"id": question_id, **about, **whole, "state": "pending", "answer": None}
        return self.questions[question_id]

    def in_full(self, question: Json) -> Json:
        task = self.tasks[question["task_id"]]
        return {**question, "task": {name: task[name] for name in ("id", "skill", "task", "status")}, "events": []}

    def answer(self, question: Json, answer: Json) -> tuple[int, Json]:
        if question["state"] != "pending":
            return 409, {"title": "The question no longer waits for an answer.", "detail": "It was answered already."}
        if set(answer.get("choices", [])) - {choice["label"] for choice in question["choices"]}:
            return 422, {"title": "The answer does not fit the question.", "detail": "There is no such choice."}
        with self.changed:
            question.update(state="answered", answer={"text": "", "choices": [], "by": "caller", **answer})
            self.tasks[question["task_id"]]["status"] = "running"
            self.changed.notify_all()
        return 200, question

    def log(self, task: Json) -> Iterator[tuple[int, str, Json]]:
        """The task's events, the terminal one included; waits for a cancel where the plan does not end."""
        events = [("submitted", {}), ("started", {"attempt": 1}), *self.plan.events]
        for seq, (kind, data) in enumerate(events, 1):
            if kind == "question_asked" and not any(asked["task_id"] == task["id"] for asked in self.questions.values()):
                self.ask(task, data)
                task["status"] = "input_required"
            if kind == "paused" and not self.requests("POST", f"/api/tasks/{task['id']}/resume"):
                self.steer(task, "pause")
            yield seq, kind, data
            with self.changed:
                self.changed.wait_for(lambda: self.closing or task["status"] != "input_required")
        if not self.plan.ends:
            self.followed.set()
            with self.changed:
                self.changed.wait_for(lambda: self.closing or task["status"] == "cancelled")
            if self.closing:
                return
        else:
            self.settle(task)
        yield len(events) + 1, task["status"], {}


class Handler(BaseHTTPRequestHandler):
    """One connection of the stand-in."""

    protocol_version = "HTTP/1.1"
    stand_in: StandIn

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class names it so
        """The tests read requests, not lines."""

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_CONNECT(self) -> None:
        """As a proxy that lets nobody through."""
        self.stand_in.seen.append(Seen("CONNECT", self.path, {}, {k.lower(): v for k, v in self.headers.items()}, b""))
        self._send(403, b"")

    def _serve(self) -> None:
        split = urlsplit(self.path)
        path = unquote(split.path)
        fault = self.stand_in.next_fault(self.command, path)
        early = fault is not None and fault.early
        body = b"" if early else self.rfile.read(int(self.headers.get("Content-Length") or 0))
        seen = Seen(self.command, path, parse_qs(split.query), {k.lower(): v for k, v in self.headers.items()}, body)
        self.stand_in.seen.append(seen)
        if fault is None or fault.discard:
            self._answer(seen, silent=fault is not None)
        if fault is not None:
            self._misbehave(fault)

    def _misbehave(self, fault: Fault) -> None:
        self.close_connection = True
        if not fault.cut:
            body = fault.body if fault.body is not None else json.dumps(fault.problem or {}).encode()
            self._send(fault.status, body, fault.headers)

    def _answer(self, seen: Seen, *, silent: bool) -> None:
        if seen.headers.get("authorization") != f"Bearer {TOKEN}":
            problem = {"title": "A valid bearer token is needed.", "detail": "The token is unknown."}
            return self._send(401, json.dumps(problem).encode())
        match seen.path.removeprefix("/api/").split("/"):
            case ["tasks", task_id, "events"]:
                return self._stream(self.stand_in.tasks[task_id], int(seen.headers.get("last-event-id", 0)))
            case ["inbox", "events"]:
                return self._announce()
            case ["tasks", _, "artifacts", *name]:
                return self._artifact("/".join(name))
            case parts:
                status, document = self._room(seen, parts)
                return None if silent else self._send(status, json.dumps(document).encode())

    def _room(self, seen: Seen, parts: list[str]) -> tuple[int, Json]:
        if parts[0] == "memory":
            return self._memory(seen)
        if parts[-1] in ("pause", "resume", "messages"):
            return self.stand_in.steer(self.stand_in.tasks[parts[1]], parts[-1])
        return self._asked(seen, parts) if parts[0] in ("questions", "inbox") else self._document(seen, parts)

    def _document(self, seen: Seen, parts: list[str]) -> tuple[int, Json]:
        server = self.stand_in
        match [seen.method, *parts]:
            case ["GET", "status"]:
                return 200, {"version": "0.1.0", "running": 0, "queued": 0}
            case ["GET", "skills"]:
                return 200, {"items": [{"name": "planning", "description": "Makes a plan."}], "next": None}
            case ["GET", "skills", "planning", "estimate"]:
                return 200, {"skill": "planning", "tasks": 0} | self.stand_in.estimate
            case ["GET", "tasks"]:
                return 200, self._page(seen.query)
            case ["GET", "tasks", task_id] if task_id in server.tasks:
                return 200, server.tasks[task_id]
            case ["POST", "tasks", task_id, "cancel"] if server.tasks[task_id]["status"] == "running":
                server.cancel(server.tasks[task_id])
                return 202, server.tasks[task_id]
            case ["POST", "tasks", _, "cancel"]:
                return 409, {"title": "The task has already ended.", "detail": "It is completed."}
            case ["POST", "skill"]:
                return 202, server.submit(json.loads(seen.body), seen.headers["idempotency-key"])
            case ["POST", "files"]:
                return 201, self._file(seen)
            case _:
                return 404, {"title": "There is nothing at this path."}

    def _asked(self, seen: Seen, parts: list[str]) -> tuple[int, Json]:
        server = self.stand_in
        match [seen.method, *parts]:
            case ["GET", "questions"]:
                wanted = seen.query.get("task"), seen.query.get("status")
                found = [asked for asked in reversed(server.questions.values()) if fits(asked, *wanted)]
                return 200, {"items": found, "next": None}
            case ["GET", "questions", question_id] if question_id in server.questions:
                return 200, server.in_full(server.questions[question_id])
            case ["POST", "questions", question_id, "answer"] if question_id in server.questions:
                return server.answer(server.questions[question_id], json.loads(seen.body))
            case ["GET", "inbox"]:
                server.told += [] if "peek" in seen.query else [entry["id"] for entry in server.inbox]
                return 200, {"items": server.inbox, "next": None}
            case ["POST", "inbox", "seen"]:
                return 200, {"seen": len(json.loads(seen.body)["ids"])}
            case _:
                return 404, {"title": "There is nothing at this path."}

    def _memory(self, seen: Seen) -> tuple[int, Json]:
        if seen.method == "GET":
            return 200, {"items": self._found(seen.query), "next": None}
        return self._learn(json.loads(seen.body))

    def _found(self, query: dict[str, list[str]]) -> list[Json]:
        fitting = [entry for entry in self.stand_in.memory if query["q"][0] in entry["text"]]
        return [{**entry, "score": 1.0} for entry in fitting if [entry["skill"]] == query.get("skill", [entry["skill"]])]

    def _learn(self, body: Json) -> tuple[int, Json]:
        known = [entry for entry in self.stand_in.memory if (entry["skill"], entry["text"]) == (body["skill"], body["text"])]
        if not known:
            self.stand_in.memory.append({**body, "id": sha256(body["text"].encode()).hexdigest()[:12]})
        return (200, known[0]) if known else (201, self.stand_in.memory[-1])

    def _page(self, query: dict[str, list[str]]) -> Json:
        start, limit = int(query.get("cursor", ["0"])[0]), int(query["limit"][0])
        rows = [
            task for task in reversed(self.stand_in.tasks.values()) if task["status"] in query.get("status", [task["status"]])
        ]
        return {"items": rows[start : start + limit], "next": str(start + limit) if start + limit < len(rows) else None}

    def _file(self, seen: Seen) -> Json:
        file_id = f"file{len(self.stand_in.files) + 1}"
        self.stand_in.files[file_id] = seen.body
        digest = sha256(seen.body).hexdigest()
        name = seen.query["name"][0]
        return {"id": file_id, "name": name, "size": len(seen.body), "media_type": "text/plain", "sha256": digest}

    def _artifact(self, name: str) -> None:
        digest = {"Repr-Digest": f"sha-256=:{self.stand_in.digest}:"} if self.stand_in.digest else {}
        self._send(200, self.stand_in.plan.artifacts[name], digest)

    def _announce(self) -> None:
        """Every entry of the inbox; then the connection is lost, once there is more."""
        self._begin_stream()
        for entry in self.stand_in.inbox:
            self._chunk(f"data: {json.dumps(entry)}\n\n")
        with self.stand_in.changed:
            self.stand_in.changed.wait_for(lambda: self.stand_in.closing or "more" in self.stand_in.told)
        self.close_connection = True

    def _begin_stream(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self._chunk(": ping\n\n")

    def _stream(self, task: Json, after: int) -> None:
        self._begin_stream()
        sent = 0
        for seq, kind, data in self.stand_in.log(task):
            if seq <= after:
                continue
            event = json.dumps({"seq": seq, "type": kind, "at": NOW, "data": data})
            frame = f"id: {seq}\nevent: {kind}\ndata: {event}\n\n"
            if sent == self.stand_in.plan.per_connection:
                self._chunk(frame[: len(frame) // 2])
                self.close_connection = True
                return
            self._chunk(frame)
            sent += 1
        self.wfile.write(b"0\r\n\r\n")

    def _chunk(self, text: str) -> None:
        content = text.encode()
        self.wfile.write(b"%x\r\n%s\r\n" % (len(content), content))

    def _send(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if "Content-Length" not in (headers or {}):
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def fits(asked: Json, task: list[str] | None, status: list[str] | None) -> bool:
    return [asked["task_id"]] == (task or [asked["task_id"]]) and [asked["state"]] == (status or [asked["state"]])


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away in the middle is part of what is tried here."""


@contextmanager
def serving() -> Iterator[StandIn]:
    stand_in = StandIn()
    server = _Server(("127.0.0.1", 0), type("Bound", (Handler,), {"stand_in": stand_in}))
    stand_in.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield stand_in
    finally:
        with stand_in.changed:
            stand_in.closing = True
            stand_in.changed.notify_all()
        server.shutdown()
        server.server_close()
        thread.join()
