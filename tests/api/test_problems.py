"""What goes wrong is told in the same form everywhere, and tells nothing that is nobody's business."""

import asyncio
import shutil
from pathlib import Path

import pytest
from structlog.typing import EventDict

from agents.src.api.app import create_app
from agents.src.api.errors import every_problem
from agents.src.bootstrap import bootstrap
from agents.src.errors import Misconfigured, Unavailable
from agents.src.settings import Settings
from tests.api.house import CATALOGUE, SECRET_PATH, TOKEN, Failing, House, problem, served, story, submit


def leaks(text: str, house: House) -> list[str]:
    """What of the server's own can be read in an answer."""
    own = [TOKEN, SECRET_PATH, str(house.parts.settings.state_dir), "Traceback", "site-packages", ".py", "sqlite", "RuntimeError"]
    return [word for word in own if word in text]


ROUTES = [
    ("GET", "/api/tasks"),
    ("GET", "/api/status"),
    ("GET", "/api/tasks/01kagq8s5c2v8m3r7x9t4n6w0z"),
    ("GET", "/api/tasks/01kagq8s5c2v8m3r7x9t4n6w0z/events"),
    ("POST", "/api/tasks/01kagq8s5c2v8m3r7x9t4n6w0z/cancel"),
    ("GET", "/api/files/01kagq8s5c2v8m3r7x9t4n6w0z"),
    ("POST", "/api/files?name=a"),
    ("POST", "/api/skill"),
]


@pytest.mark.parametrize(("method", "path"), ROUTES)
@story(failing=True)
async def test_a_database_out_of_reach_is_503(house: House, method: str, path: str) -> None:
    breaking(house, Unavailable("The database cannot be reached."))
    answer = await house.client.request(method, path, json={"skill": "planning", "task": "work"} if method == "POST" else None)
    problem(answer, 503, "unavailable")
    assert int(answer.headers["retry-after"]) > 0
    files = house.parts.settings.state_dir / "files"
    assert not files.exists() or list(files.iterdir()) == []


@pytest.mark.parametrize(("method", "path"), ROUTES)
@story(failing=True)
async def test_an_error_of_the_server_is_an_incident(house: House, method: str, path: str, logged: list[EventDict]) -> None:
    breaking(house, RuntimeError(f"{SECRET_PATH}/{TOKEN}"))
    answer = await house.client.request(method, path, json={"skill": "planning", "task": "work"} if method == "POST" else None)
    detail = problem(answer, 500, "internal-error")["detail"]
    assert [entry["incident"] in detail for entry in logged if entry["event"] == "request_failed"] == [True]
    assert leaks(answer.text, house) == []


@story(failing=True)
async def test_a_stream_that_loses_its_database_ends_and_can_be_resumed(house: House) -> None:
    async with served(house) as client:
        url = f"/api/tasks/{await house.held()}/events"
        await house.scene.holding.wait()
        async with client.stream("GET", url) as stream:
            lines = stream.aiter_lines()
            while await anext(lines) != "event: text":
                pass
            breaking(house, Unavailable("The database cannot be reached."))
            house.parts.hub.signal(None)
            assert "completed" not in "".join([line async for line in lines])
        breaking(house, None)
        house.scene.go.set()
        assert (await client.get(url, headers={"Last-Event-ID": "3"})).text.count("event: ") == 1


def breaking(house: House, error: Exception | None) -> None:
    assert isinstance(house.parts.db, Failing)
    house.parts.db.error = error


@story()
async def test_an_engine_that_breaks_tells_nothing(house: House) -> None:
    answer = await submit(house.client, "break")
    assert answer.json()["error"]["type"] == "engine-failed"
    events = await house.client.get(f"/api/tasks/{answer.json()['id']}/events")
    assert leaks(answer.text + events.text, house) == []


@story()
async def test_what_is_gone_from_the_disk_is_not_found(house: House) -> None:
    file = (await house.client.post("/api/files?name=a.txt", content=b"a")).json()
    task = (await submit(house.client, "write note.md", "writing")).json()
    for folder in ("files", "artifacts"):
        shutil.rmtree(house.parts.settings.state_dir / folder)
    answer = await house.client.get(f"/api/files/{file['id']}")
    assert "upload it again" in problem(answer, 404, "unknown-file")["detail"]
    artifact = await house.client.get(task["result"]["artifacts"][0]["url"])
    problem(artifact, 404, "unknown-artifact")
    late = await house.client.post("/api/skill", json={"skill": "writing", "task": "work", "files": [file["id"]]})
    assert late.json()["status"] == "failed"
    assert leaks(answer.text + artifact.text + late.text, house) == []


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("GET", "/api/skill", "POST"),
        ("DELETE", "/api/tasks", "GET"),
        ("PUT", "/api/files", "POST"),
        ("GET", "/api/tasks/01kagq8s5c2v8m3r7x9t4n6w0z/cancel", "POST"),
        ("POST", "/api/health", "GET"),
    ],
)
@story()
async def test_a_method_that_is_not_known_is_told_which_are(house: House, method: str, path: str, allow: str) -> None:
    answer = await house.client.request(method, path)
    body = problem(answer, 405, "method-not-allowed")
    assert (answer.headers["allow"], body["allow"]) == (allow, allow)


@pytest.mark.parametrize(
    "path", ["/", "/api", "/api/nothing", "/api/skills/", "/api/tasks/", "/api/skills/a%2fb", "//api/health"]
)
@story()
async def test_a_path_that_is_not_known_is_not_found(house: House, path: str) -> None:
    problem(await house.client.get(f"http://house{path}"), 404, "unknown-route")


@pytest.mark.parametrize("kind", sorted(every_problem()))
@story()
async def test_every_problem_is_explained(house: House, kind: str) -> None:
    answer = await (await house.visitor(None)).get(f"/problems/{kind}")
    assert answer.json()["type"] == f"/problems/{kind}"
    assert answer.json()["title"] == every_problem()[kind].title()


@story()
async def test_an_unknown_problem_is_one(house: House) -> None:
    assert "unknown-skill" in problem(await house.client.get("/problems/nothing"), 404, "not-found")["detail"]
    assert (await house.client.get("/problems/unknown-skill")).json()["status"] == 404
    assert (await house.client.get("/problems/timed-out")).json()["status"] is None


def test_a_server_without_a_token_does_not_start(tmp_path: Path) -> None:
    parts = bootstrap(Settings(token=None, state_dir=tmp_path), catalogue=CATALOGUE, engines={})
    with pytest.raises(Misconfigured, match="MODAL_INVOKE_TOKEN is not set"):
        create_app(parts)
    asyncio.run(parts.db.close())
