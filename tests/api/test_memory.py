"""What skills have learned, over HTTP: entries, their revisions, and what waits for a review."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from httpx import AsyncClient, Response

from agents.src.memory import LessonState, Origin, Write, new_entry, sibling_id
from tests.api.house import House, opened, problem, story, submit

FACT = "Use argon2, not bcrypt."
AWAY = "http://127.0.0.1:9"


async def add(client: AsyncClient, text: str = FACT, skill: str = "planning", section: str = "") -> Response:
    return await client.post("/api/memory", json={"skill": skill, "text": text, "section": section})


async def added(client: AsyncClient, text: str = FACT, skill: str = "planning") -> tuple[str, str]:
    """The path and the tag of a new entry."""
    answer = await add(client, text, skill)
    assert answer.status_code == 201, answer.text
    return answer.headers["location"], answer.headers["etag"]


async def texts(client: AsyncClient, query: str = "") -> list[str]:
    answer = await client.get(f"/api/memory{query}")
    assert answer.status_code == 200, answer.text
    return sorted(entry["text"] for entry in answer.json()["items"])


@story()
async def test_a_fact_is_kept_and_has_an_address_and_a_revision(house: House) -> None:
    answer = await add(house.client, section="Passwords")
    entry = answer.json()
    assert answer.status_code == 201
    assert answer.headers["location"] == f"/api/memory/planning/{entry['id']}"
    assert answer.headers["etag"] == f'"{entry["rev"]}"'
    assert (entry["skill"], entry["text"], entry["section"]) == ("planning", FACT, "Passwords")
    assert (entry["author"], entry["source"], entry["sibling_of"]) == ("root", "http", None)
    again = await house.client.get(answer.headers["location"])
    assert again.json() == entry
    assert again.headers["etag"] == answer.headers["etag"]


@story()
async def test_the_same_fact_is_the_same_entry(house: House) -> None:
    first, second = await add(house.client), await add(house.client, f"  {FACT}\n")
    assert (first.status_code, second.status_code) == (201, 200)
    assert second.json() == first.json()
    assert second.headers["location"] == first.headers["location"]


@story()
async def test_the_author_is_the_caller(house: House) -> None:
    guest = await house.guest("ada")
    assert (await add(guest)).json()["author"] == "ada"


@story()
async def test_a_list_has_every_entry_once_over_its_pages(house: House) -> None:
    facts = sorted(f"Fact {number}." for number in range(7))
    for fact in facts:
        await added(house.client, fact)
    await added(house.client, "Of another skill.", "thumbnails")
    found: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = (await house.client.get(f"/api/memory?skill=planning&limit=3{cursor}")).json()
        assert len(page["items"]) <= 3
        found += [entry["text"] for entry in page["items"]]
        cursor = f"&cursor={page['next']}" if page["next"] else None
    assert sorted(found) == facts
    assert len(await texts(house.client)) == 8


@story()
async def test_a_search_has_the_best_first_and_no_more_than_asked_for(house: House) -> None:
    for fact in (FACT, "Videos of this client have 50 frames a second.", "Frames are cut at key frames."):
        await added(house.client, fact)
    await added(house.client, "Thumbnails are 640 frames wide.", "thumbnails")
    search = "/api/memory/search?q=argon2+or+bcrypt"
    [hit] = (await house.client.get(f"{search}&limit=1")).json()["items"]
    assert (hit["text"], hit["score"] > 0) == (FACT, True)
    frames = (await house.client.get("/api/memory/search?q=frames&skill=planning")).json()["items"]
    assert {entry["skill"] for entry in frames} == {"planning"}
    assert len(frames) == 2
    assert (await house.client.get("/api/memory/search?q=zebra")).json() == {"items": [], "next": None}


@story()
async def test_an_entry_that_the_caller_has_is_not_sent_again(house: House) -> None:
    path, tag = await added(house.client)
    for known in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        answer = await house.client.get(path, headers={"If-None-Match": known})
        assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", tag), known
    for unknown in ('"other"', "nonsense", ""):
        assert (await house.client.get(path, headers={"If-None-Match": unknown})).status_code == 200, unknown


@story()
async def test_a_correction_replaces_the_revision_that_was_seen(house: House) -> None:
    path, tag = await added(house.client)
    answer = await house.client.patch(path, json={"text": "Use argon2id."}, headers={"If-Match": tag})
    assert (answer.status_code, answer.json()["text"]) == (200, "Use argon2id.")
    assert answer.headers["etag"] == f'"{answer.json()["rev"]}"' != tag
    assert await texts(house.client) == ["Use argon2id."]


@pytest.mark.parametrize(("method", "body"), [("PATCH", {"text": "Other."}), ("DELETE", None)])
@story()
async def test_a_change_must_say_what_it_replaces(house: House, method: str, body: Any) -> None:
    path, tag = await added(house.client)
    problem(await house.client.request(method, path, json=body), 428, "revision-required")
    for odd in ("nonsense", '"', '"a" "b"', "*, *"):
        problem(await house.client.request(method, path, json=body, headers={"If-Match": odd}), 422, "invalid-request")
    for moved in ('"other"', f"W/{tag}", '"a", "b"'):
        told = problem(await house.client.request(method, path, json=body, headers={"If-Match": moved}), 412, "revision-moved")
        assert tag.strip('"') in told["detail"]
    assert await texts(house.client) == [FACT]
    done = await house.client.request(method, path, json=body, headers={"If-Match": f'"other", {tag}'})
    assert done.status_code == (200 if body else 204)
    problem(
        await house.client.request(method, path, json=body, headers={"If-Match": tag}),
        412 if body else 404,
        "revision-moved" if body else "unknown-entry",
    )


@story()
async def test_any_revision_will_do_where_the_caller_says_so(house: House) -> None:
    path, _ = await added(house.client)
    assert (await house.client.patch(path, json={"text": "Other."}, headers={"If-Match": "*"})).status_code == 200
    done = await house.client.delete(path, headers={"If-Match": "*"})
    assert (done.status_code, done.content) == (204, b"")


@story()
async def test_what_was_forgotten_is_gone_but_its_history_tells_of_it(house: House) -> None:
    path, _ = await added(house.client)
    await house.client.patch(path, json={"text": "Other."}, headers={"If-Match": "*"})
    await house.client.delete(path, headers={"If-Match": "*"})
    problem(await house.client.get(path), 404, "unknown-entry")
    assert await texts(house.client) == []
    revisions = (await house.client.get(f"{path}/history")).json()["items"]
    assert [(one["text"], one["forgotten"]) for one in revisions] == [(FACT, False), ("Other.", False), ("Other.", True)]
    assert len({one["rev"] for one in revisions}) == 3
    back, _ = await added(house.client)
    assert back == path


@story()
async def test_of_many_who_correct_at_once_one_does(house: House) -> None:
    path, tag = await added(house.client)
    headers = {"If-Match": tag}
    answers = await asyncio.gather(*(house.client.patch(path, json={"text": f"By {n}."}, headers=headers) for n in range(8)))
    assert sorted(answer.status_code for answer in answers) == [200] + [412] * 7
    [winner] = [answer for answer in answers if answer.status_code == 200]
    assert await texts(house.client) == [winner.json()["text"]]


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({"skill": "planning"}, "invalid-request"),
        ({"skill": "planning", "text": ""}, "invalid-request"),
        ({"skill": "planning", "text": "x" * 4001}, "invalid-request"),
        ({"skill": "planning", "text": "x", "id": "a167aa41ae7e"}, "invalid-request"),
        ({"skill": "planning", "text": " \n "}, "invalid-memory"),
        ({"skill": "planning", "text": "bell \x07"}, "invalid-memory"),
        ({"skill": "planning", "text": "The key is AKIAIOSFODNN7EXAMPLB."}, "looks-secret"),
    ],
)
@story()
async def test_what_cannot_be_kept_is_refused_and_not_kept(house: House, body: dict[str, Any], kind: str) -> None:
    told = problem(await house.client.post("/api/memory", json=body), 422, kind)
    assert "AKIA" not in told["detail"]
    path, _ = await added(house.client)
    if len(body) == 2 and "text" in body:
        correction = await house.client.patch(path, json={"text": body["text"]}, headers={"If-Match": "*"})
        problem(correction, 422, kind)
    assert await texts(house.client) == [FACT]


@story()
async def test_a_body_that_is_no_json_or_too_large_is_refused(house: House) -> None:
    client = house.client
    problem(
        await client.post("/api/memory", content=b"text", headers={"Content-Type": "text/plain"}), 415, "unsupported-media-type"
    )
    problem(await client.post("/api/memory", content=b" " * (2 << 20)), 413, "too-large")
    problem(await client.post("/api/memory", content=b"{"), 422, "invalid-request")


@story()
async def test_a_skill_that_is_not_there_is_not_found(house: House) -> None:
    told = problem(await add(house.client, skill="planing"), 404, "unknown-skill")
    assert "planning" in told["detail"]
    for path in ("?skill=planing", "/search?q=x&skill=planing", "/planing/a167aa41ae7e", "/planing/a167aa41ae7e/history"):
        problem(await house.client.get(f"/api/memory{path}"), 404, "unknown-skill")
    problem(await house.client.get("/api/memory/planning/a167aa41ae7e"), 404, "unknown-entry")
    problem(await house.client.get("/api/memory/planning/a167aa41ae7e/history"), 404, "unknown-entry")
    problem(await house.client.get("/api/memory/planning/nonsense"), 404, "unknown-route")


@story()
async def test_a_token_sees_and_changes_only_the_skills_that_it_allows(house: House) -> None:
    path, tag = await added(house.client)
    await added(house.client, "Frames.", "thumbnails")
    guest = await house.guest(skills={"thumbnails"})
    assert await texts(guest) == ["Frames."]
    assert (await guest.get("/api/memory/search?q=argon2")).json()["items"] == []
    refused = [
        add(guest),
        guest.get("/api/memory?skill=planning"),
        guest.get("/api/memory/search?q=argon2&skill=planning"),
        guest.get(path),
        guest.get(f"{path}/history"),
        guest.patch(path, json={"text": "Mine."}, headers={"If-Match": tag}),
        guest.delete(path, headers={"If-Match": tag}),
    ]
    for answer in await asyncio.gather(*refused):
        problem(answer, 403, "skill-not-allowed")
    assert await texts(house.client, "?skill=planning") == [FACT]
    nobody = await house.guest("nobody", skills={"gone"})
    assert await texts(nobody) == []


@story()
async def test_the_memory_of_a_skill_that_left_the_catalogue_is_not_shown(house: House) -> None:
    await house.parts.memory.editor("local").add("gone", "Kept all the same.", "", "ada")
    assert await texts(house.client) == []


@story()
async def test_the_other_side_of_a_conflict_has_an_address_too(house: House) -> None:
    path, _ = await added(house.client)
    main = path.rpartition("/")[2]
    sibling = new_entry("planning", sibling_id(main, "Use scrypt."), "Use scrypt.", "", Origin("ada", "local", 1.0))
    await house.parts.memory.store.write([Write(sibling, None)])
    found = (await house.client.get(f"/api/memory/planning/{sibling.id}")).json()
    assert (found["text"], found["sibling_of"]) == ("Use scrypt.", main)
    assert (await house.client.delete(f"/api/memory/planning/{sibling.id}", headers={"If-Match": "*"})).status_code == 204


@story()
async def test_every_write_nudges_and_reading_does_not(house: House) -> None:
    nudged: list[str] = []
    house.parts.memory.nudge = nudged.append
    path, _ = await added(house.client)
    await house.client.get(path)
    await add(house.client)
    assert nudged == ["planning"]
    await house.client.patch(path, json={"text": "Other."}, headers={"If-Match": "*"})
    await house.client.delete(path, headers={"If-Match": "*"})
    assert nudged == ["planning"] * 3


async def taught(house: House, text: str) -> int:
    """The number of a lesson that a task of `planning` learned, and that waits for a review."""
    answer = await submit(house.client, f"learn {text}")
    assert answer.json()["status"] == "completed", answer.text
    return (await house.parts.memory.lessons.held())[-1].number


@story()
async def test_what_waits_for_a_review_is_listed_and_decided(house: House) -> None:
    nudged: list[str] = []
    house.parts.memory.nudge = nudged.append
    first, second = await taught(house, "One."), await taught(house, "Two.")
    listed = (await house.client.get("/api/memory/lessons")).json()["items"]
    assert [(lesson["number"], lesson["text"], lesson["state"]) for lesson in listed] == [
        (first, "One.", "held"),
        (second, "Two.", "held"),
    ]
    accepted = await house.client.post(f"/api/memory/lessons/{first}", json={"action": "accept"})
    rejected = await house.client.post(f"/api/memory/lessons/{second}", json={"action": "reject"})
    assert [(answer.status_code, answer.json()["state"]) for answer in (accepted, rejected)] == [(200, "new"), (200, "rejected")]
    assert (await house.client.get("/api/memory/lessons")).json()["items"] == []
    assert [lesson.number for lesson in await house.parts.memory.lessons.waiting()] == [first]
    assert nudged == ["planning"]


@story()
async def test_a_lesson_is_decided_once_and_by_whom_it_concerns(house: House) -> None:
    number = await taught(house, "One.")
    path = f"/api/memory/lessons/{number}"
    guest = await house.guest(skills={"thumbnails"})
    assert (await guest.get("/api/memory/lessons")).json()["items"] == []
    problem(await guest.post(path, json={"action": "accept"}), 404, "unknown-lesson")
    problem(await house.client.post(path, json={"action": "maybe"}), 422, "invalid-request")
    problem(await house.client.post("/api/memory/lessons/999", json={"action": "accept"}), 404, "unknown-lesson")
    assert (await house.client.post(path, json={"action": "reject"})).status_code == 200
    problem(await house.client.post(path, json={"action": "accept"}), 409, "illegal-move")
    assert (await house.parts.memory.lessons.get(number)).state is LessonState.REJECTED


@story(qdrant_url=AWAY)
async def test_a_memory_out_of_reach_is_told_as_such(house: House) -> None:
    client = house.client
    path = "/api/memory/planning/a167aa41ae7e"
    asked = [
        client.get("/api/memory"),
        client.get("/api/memory/search?q=x"),
        client.get(path),
        client.get(f"{path}/history"),
        add(client),
        client.patch(path, json={"text": "x"}, headers={"If-Match": "*"}),
        client.delete(path, headers={"If-Match": "*"}),
    ]
    for answer in await asyncio.gather(*asked):
        assert problem(answer, 503, "unavailable")["detail"]
        assert answer.headers["retry-after"] == "5"
    assert (await client.get("/api/memory/lessons")).json() == {"items": [], "next": None}
    assert (await client.get("/api/skills")).status_code == 200


@story()
async def test_a_path_of_several_methods_tells_them_all(house: House) -> None:
    answer = await house.client.put("/api/memory/planning/a167aa41ae7e")
    assert problem(answer, 405, "method-not-allowed")["allow"] == "DELETE, GET, PATCH"
    assert (await house.client.delete("/api/memory")).headers["allow"] == "GET, POST"
    assert (await house.client.patch("/api/memory/lessons/7", json={})).headers["allow"] == "POST"


def test_a_memory_is_there_after_a_restart(tmp_path: Path) -> None:
    async def play() -> None:
        async with opened(tmp_path / "state") as house:
            await added(house.client)
        async with opened(tmp_path / "state") as house:
            assert await texts(house.client) == [FACT]

    asyncio.run(play())
