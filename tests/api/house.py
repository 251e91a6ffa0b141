"""The whole program around an engine of the test's own: real database, real files, real routes."""

import asyncio
import functools
import inspect
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import uvicorn
from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient, Response

from agents.src.api.app import create_app
from agents.src.bootstrap import Parts, bootstrap
from agents.src.clock import Clock
from agents.src.errors import BudgetExhausted, ProgramRefused
from agents.src.memory import Act, Lesson, entry_id
from agents.src.services.database import Db, Tx, Watcher, open_database
from agents.src.settings import Rate, read_settings
from agents.src.skills import Catalogue, Skill, Token, hashed, new_secret
from agents.src.tasks import Ask, Brief, Choice, Draft, EventType, Question, Result, Usage, Workspace
from tests.building import eventually

T = TypeVar("T")

TOKEN = "the-root-token-of-these-tests-0123456789"
OFTEN = Rate(1000, 60)
SPENT = Usage(input_tokens=5, output_tokens=3, cost_usd=0.25)
SECRET_PATH = "/srv/secret/place"
WIDTH = {
    "type": "object",
    "properties": {"width": {"type": "integer", "minimum": 1}},
    "required": ["width"],
    "additionalProperties": False,
}
CATALOGUE = Catalogue.of(
    [
        Skill(name="planning", description="Plans.", instruction="Plan.", folder=Path("/nowhere"), timeout=600),
        Skill(name="thumbnails", description="Shrinks.", instruction="Shrink.", folder=Path("/nowhere"), arguments=WIDTH),
        Skill(name="writing", description="Writes a file.", instruction="Write.", folder=Path("/nowhere"), engine="script"),
    ]
)


@dataclass
class Scene:
    """An engine that does what the prompt says, or nothing much: `hold` lasts until `go` is set."""

    uses_folder: bool = False
    goes_on: bool = False
    go: asyncio.Event = field(default_factory=asyncio.Event)
    holding: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self, brief: Brief, workspace: Workspace, ask: Ask) -> AsyncGenerator[Draft | Result, None]:
        match brief.prompt.split():
            case ["hold"]:
                yield Draft(EventType.TEXT, {"text": "holding"})
                self.holding.set()
                await self.go.wait()
            case ["say", number]:
                for count in range(int(number)):
                    yield Draft(EventType.TEXT, {"text": f"text {count}"})
            case ["learn" | "spend" | "ask" as what, *words]:
                yield await DOES[what](brief, words, ask)
            case ["break"]:
                raise RuntimeError(f"{SECRET_PATH} {TOKEN}")
            case ["refuse"]:
                raise ProgramRefused("It cannot read this.")
            case ["write", *names]:
                for name in names:
                    path = workspace.output / name
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_text(f"This is {path.name}.")
            case _ if self.uses_folder:
                (workspace.output / "plan.md").write_text("A plan.")
        yield outcome_of(brief)


def outcome_of(brief: Brief) -> Result:
    """Raises BudgetExhausted where more was spent than was left: that is noticed afterwards, as by Claude Code."""
    left = brief.claude.budget_usd
    if brief.prompt == "spend" and left is not None and left < SPENT.cost_usd:
        raise BudgetExhausted("All spent.")
    return Result(text=f"done: {brief.prompt}", data=brief.args or None)


def question_of(word: str) -> Question:
    """`colour?` has choices and takes nothing else; `colours?` takes several, and words; any other none."""
    choices = tuple(Choice(label=label) for label in ("red", "blue")) if word.startswith("colour") else ()
    return Question(text=word, choices=choices, several=word == "colours?", free_text=word != "colour?")


async def learns(brief: Brief, words: list[str], _: Ask) -> Draft:
    """What waits for a review."""
    lesson = Lesson(action=Act.ADD, id=entry_id(brief.skill, words[0]), text=words[0])
    return Draft(EventType.REMEMBERED, {**lesson.model_dump(mode="json"), "held": True})


async def spends(_: Brief, __: list[str], ___: Ask) -> Draft:
    return Draft(EventType.USAGE, {}, SPENT)


async def asks(_: Brief, words: list[str], ask: Ask) -> Draft:
    """All at once; tells what was answered."""
    answers = await asyncio.gather(*(ask(question_of(word)) for word in words))
    return Draft(EventType.TEXT, {"text": ", ".join(answer.words or answer.action for answer in answers)})


DOES: dict[str, Callable[[Brief, list[str], Ask], Awaitable[Draft]]] = {"learn": learns, "spend": spends, "ask": asks}


class Watch(Clock):
    """A clock that can be put forward."""

    ahead = 0.0

    def now(self) -> float:
        return super().now() + self.ahead


class Failing(Db):
    """A real database that can be made to fail."""

    def __init__(self, db: Db) -> None:
        self.db = db
        self.error: Exception | None = None

    async def read(self, work: Callable[[Tx], T]) -> T:
        if self.error:
            raise self.error
        return await self.db.read(work)

    async def write(self, work: Callable[[Tx], T], then: Callable[[T], None] | None = None) -> T:
        if self.error:
            raise self.error
        return await self.db.write(work, then)

    def watch(self, watcher: Watcher) -> None:
        self.db.watch(watcher)

    async def close(self) -> None:
        await self.db.close()


@dataclass
class House:
    """The running program and a client with the root token."""

    parts: Parts
    app: FastAPI
    scene: Scene
    clock: Watch
    stack: AsyncExitStack
    client: AsyncClient = field(init=False)

    async def __aenter__(self) -> "House":
        self.client = await self.visitor(TOKEN)
        return self

    async def __aexit__(self, *_: object) -> None: ...

    async def visitor(self, secret: str | None, address: str = "127.0.0.1") -> AsyncClient:
        """A client with this token, or none, from this address."""
        transport = ASGITransport(self.app, raise_app_exceptions=False, client=(address, 1))
        headers = {} if secret is None else {"Authorization": f"Bearer {secret}"}
        return await self.stack.enter_async_context(AsyncClient(transport=transport, base_url="http://house", headers=headers))

    async def guest(
        self,
        name: str = "guest",
        skills: set[str] | None = None,
        rate: Rate = OFTEN,
        expires: float | None = None,
        budget: float | None = None,
    ) -> AsyncClient:
        """A client with a new named token."""
        secret = new_secret()
        allowed = None if skills is None else frozenset(skills)
        await self.parts.tokens.add(Token(name, hashed(secret), allowed, rate, self.clock.now(), expires, budget_usd=budget))
        return await self.visitor(secret)

    async def held(self, client: AsyncClient | None = None) -> str:
        """The id of a task that runs until `scene.go` is set."""
        answer = await submit(client or self.client, "hold", Prefer="respond-async")
        assert answer.status_code == 202, answer.text
        return str(answer.json()["id"])

    async def asked(self, *words: str, client: AsyncClient | None = None) -> tuple[str, dict[str, str]]:
        """The id of a task that asks all of these at once, and waits; the ids of its questions, by their words."""
        client = client or self.client
        task_id = (await submit(client, " ".join(["ask", *words]), Prefer="respond-async")).json()["id"]
        found: list[dict[str, Any]] = []

        async def there() -> bool:
            found[:] = (await client.get("/api/questions", params={"task": task_id})).json()["items"]
            return len(found) == len(words)

        await eventually(there)
        return str(task_id), {question["text"]: question["id"] for question in found}

    async def ended(self, task_id: str) -> dict[str, Any]:
        """The task once its stream of events has ended."""
        await self.client.get(f"/api/tasks/{task_id}/events")
        return dict((await self.client.get(f"/api/tasks/{task_id}")).json())


async def submit(client: AsyncClient, task: str = "work", skill: str = "planning", /, **headers: str) -> Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await client.post("/api/skill", json={"skill": skill, "task": task}, headers=named)


def problem(answer: Response, status: int, kind: str) -> dict[str, Any]:
    """The problem that an answer must be."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert (body["type"], body["status"]) == (f"/problems/{kind}", status)
    assert body["title"]
    assert body["detail"]
    return body


@asynccontextmanager
async def opened(
    state_dir: Path, failing: bool = False, catalogue: Catalogue = CATALOGUE, **settings: Any
) -> AsyncIterator[House]:
    """The program until the block ends; with a database that can be made to fail, if `failing`."""
    scene, clock = Scene(), Watch()
    engines = {"claude": scene, "script": Scene(uses_folder=True)}
    configured = read_settings(**{"token": TOKEN, "state_dir": state_dir} | settings)
    db = Failing(open_database(None, state_dir)) if failing else None
    parts = bootstrap(configured, clock=clock, catalogue=catalogue, engines=engines, db=db)
    app = create_app(parts)
    async with (
        app.router.lifespan_context(app),
        AsyncExitStack() as stack,
        House(parts, app, scene, clock, stack) as house,
    ):
        yield house
        if db:
            db.error = None


@asynccontextmanager
async def served(house: House) -> AsyncIterator[AsyncClient]:
    """A client on a real connection to a real server, for what needs one: live streams, and senders that go away."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(house.app, lifespan="off", log_config=None))
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        async with AsyncClient(base_url=url, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=30) as client:
            yield client
        house.parts.hub.close()
        server.should_exit = True
        await serving


def story(**settings: Any) -> Callable[[Callable[..., Awaitable[None]]], Callable[..., None]]:
    """Makes an async test of a `House` into a plain one; the settings are the server's."""

    def decorate(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
        @functools.wraps(test)
        def run(tmp_path: Path, **values: Any) -> None:
            async def play() -> None:
                async with opened(tmp_path / "state", **settings) as house:
                    await test(house, **values)

            asyncio.run(play())

        wanted = list(inspect.signature(test).parameters.values())[1:]
        fixture = inspect.Parameter("tmp_path", inspect.Parameter.POSITIONAL_OR_KEYWORD)
        run.__signature__ = inspect.Signature([fixture, *wanted])  # type: ignore[attr-defined]  # what pytest reads
        return run

    return decorate
