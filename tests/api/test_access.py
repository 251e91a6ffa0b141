"""Who may call, what they see, and how often they may ask."""

import math

import pytest
from httpx import AsyncClient

from agents.src.api.auth import GUESSES, REMEMBERED
from agents.src.settings import Rate
from tests.api.house import TOKEN, House, problem, story, submit

PROTECTED = ["/api/skills", "/api/skills/planning", "/api/tasks", "/api/status", "/api/tasks/01kagq8s5c2v8m3r7x9t4n6w0z"]


@pytest.mark.parametrize("path", PROTECTED)
@story()
async def test_nothing_is_said_without_a_token(house: House, path: str) -> None:
    answer = await (await house.visitor(None)).get(path)
    problem(answer, 401, "not-authenticated")
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("path", ["/api/skill", "/api/files?name=a", "/api/tasks/01kagq8s5c2v8m3r7x9t4n6w0z/cancel"])
@story()
async def test_nothing_is_done_without_a_token(house: House, path: str) -> None:
    problem(await (await house.visitor(None)).post(path, content=b"{"), 401, "not-authenticated")


@pytest.mark.parametrize(
    "authorization",
    ["", "Bearer", "Bearer ", f"Basic {TOKEN}", TOKEN, f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", "Bearer ü", f"Bearer{TOKEN}"],
)
@story()
async def test_a_wrong_or_malformed_token_is_refused(house: House, authorization: str) -> None:
    stranger = await house.visitor(None)
    answer = await stranger.get("/api/tasks", headers=[(b"Authorization", authorization.encode("latin-1"))])
    problem(answer, 401, "not-authenticated")
    assert answer.headers["www-authenticate"] == "Bearer"
    assert TOKEN not in answer.text


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
@story()
async def test_the_scheme_is_known_in_any_case(house: House, scheme: str) -> None:
    stranger = await house.visitor(None)
    assert (await stranger.get("/api/tasks", headers={"Authorization": f"{scheme} {TOKEN}"})).status_code == 200


@story()
async def test_a_token_expires(house: House) -> None:
    guest = await house.guest(expires=house.clock.now() + 3600)
    assert (await guest.get("/api/tasks")).status_code == 200
    house.clock.ahead = 3601
    problem(await guest.get("/api/tasks"), 401, "not-authenticated")


@story()
async def test_a_revoked_token_is_forgotten_in_seconds(house: House) -> None:
    guest = await house.guest()
    assert (await guest.get("/api/tasks")).status_code == 200
    await house.parts.tokens.revoke("guest")
    house.clock.ahead = REMEMBERED + 1
    problem(await guest.get("/api/tasks"), 401, "not-authenticated")


@story()
async def test_guesses_are_limited_by_address(house: House) -> None:
    stranger = await house.visitor("guess", "192.0.2.1")
    for _ in range(GUESSES.limit):
        problem(await stranger.get("/api/tasks"), 401, "not-authenticated")
    answer = await stranger.get("/api/tasks")
    problem(answer, 429, "rate-limited")
    assert 1 <= int(answer.headers["retry-after"]) <= GUESSES.period
    problem(await (await house.visitor("guess", "192.0.2.2")).get("/api/tasks"), 401, "not-authenticated")
    # Whoever has a token is let in, even from behind the same address.
    assert (await (await house.visitor(TOKEN, "192.0.2.1")).get("/api/tasks")).status_code == 200
    house.clock.ahead = GUESSES.period
    problem(await stranger.get("/api/tasks"), 401, "not-authenticated")


@story()
async def test_submissions_are_limited_and_reads_are_not(house: House) -> None:
    guest = await house.guest(rate=Rate(2, 60))
    first = await submit(guest)
    assert first.headers["ratelimit-policy"] == '"default";q=2;w=60'
    assert first.headers["ratelimit"] == '"default";r=1;t=30'
    await submit(guest)
    answer = await submit(guest)
    body = problem(answer, 429, "rate-limited")
    wait = int(answer.headers["retry-after"])
    assert 1 <= wait <= 30
    assert wait == math.ceil(body["retry_after"])
    assert f"again in {wait} s" in body["detail"]
    assert answer.headers["ratelimit-policy"] == '"default";q=2;w=60'
    assert answer.headers["ratelimit"] == f'"default";r=0;t={wait}'
    for _ in range(5):
        assert (await guest.get("/api/tasks")).status_code == 200
    assert (await submit(await house.guest("another", rate=Rate(2, 60)))).status_code == 200
    house.clock.ahead = wait
    assert (await submit(guest)).status_code == 200


@story()
async def test_the_root_token_has_no_limit(house: House) -> None:
    answers = [await submit(house.client) for _ in range(70)]
    assert {answer.status_code for answer in answers} == {200}
    assert "ratelimit" not in answers[-1].headers


@story(rate="2/hour")
async def test_the_root_token_has_the_limit_that_is_configured(house: House) -> None:
    assert [(await submit(house.client)).status_code for _ in range(3)] == [200, 200, 429]


@story()
async def test_a_limited_token_uses_and_sees_its_skills_only(house: House) -> None:
    guest = await house.guest(skills={"planning"})
    assert (await submit(guest)).status_code == 200
    assert [skill["name"] for skill in (await guest.get("/api/skills")).json()["items"]] == ["planning"]
    for other in ("thumbnails", "thumbnail", "nothing"):
        refused = await submit(guest, "work", other)
        assert problem(refused, 403, "skill-not-allowed")["detail"].endswith("it allows planning.")
        assert "thumbnails" not in refused.text.replace(repr(other), "")
        hidden = await guest.get(f"/api/skills/{other}")
        assert "thumbnails" not in problem(hidden, 404, "unknown-skill")["detail"].replace(f'"{other}"', "")


async def left_by(client: AsyncClient) -> list[str]:
    """Paths of a task, its events, its artifact and a file that this caller made."""
    task = (await submit(client, "write note.txt", "writing")).json()
    file = (await client.post("/api/files?name=a.txt", content=b"a")).json()
    base = f"/api/tasks/{task['id']}"
    return [base, f"{base}/events", f"{base}/artifacts/note.txt", f"/api/files/{file['id']}"]


@story()
async def test_callers_see_their_own_and_root_sees_all(house: House) -> None:
    alice, bob = await house.guest("alice"), await house.guest("bob")
    for path in await left_by(alice):
        assert (await alice.get(path)).status_code == 200, path
        assert (await house.client.get(path)).status_code == 200, path
        foreign, absent = await bob.get(path), await bob.get(path.replace(path.split("/")[3], "0" * 26))
        assert foreign.status_code == 404, path
        # What is somebody else's is told apart in nothing from what never was.
        assert foreign.content == absent.content, path
    await submit(house.client)
    assert [len((await client.get("/api/tasks")).json()["items"]) for client in (alice, bob, house.client)] == [1, 0, 2]
    by_status = [(await client.get("/api/status")).json()["by_status"]["completed"] for client in (alice, bob, house.client)]
    assert by_status == [1, 0, 2]


@story()
async def test_root_sees_but_a_guest_cannot_touch_what_is_not_theirs(house: House) -> None:
    alice, bob = await house.guest("alice"), await house.guest("bob")
    task_id = await house.held(alice)
    problem(await bob.post(f"/api/tasks/{task_id}/cancel"), 404, "unknown-task")
    assert (await house.client.post(f"/api/tasks/{task_id}/cancel")).status_code == 202
    file_id = (await alice.post("/api/files?name=a.txt", content=b"a")).json()["id"]
    body = {"skill": "writing", "task": "work"}
    foreign = await bob.post("/api/skill", json=body | {"files": [file_id]})
    absent = await bob.post("/api/skill", json=body | {"files": ["0" * 26]})
    assert foreign.content == absent.content
    problem(foreign, 404, "unknown-file")
    assert (await house.client.post("/api/skill", json=body | {"files": [file_id]})).status_code == 200
