"""Files in both directions: uploads, downloads and artifacts."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from httpx import AsyncClient, Response

from tests.api.house import House, problem, served, story, submit

CLIP = bytes(range(256)) * 40
EVIL = "../../etc/passwd"


async def upload(client: AsyncClient, content: bytes = CLIP, name: str = "clip.mov") -> dict[str, object]:
    answer = await client.post("/api/files", params={"name": name}, content=content)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def kept(house: House) -> list[Path]:
    return [path for path in (house.parts.settings.state_dir / "files").glob("*") if path.is_file()]


@story()
async def test_a_raw_body_is_kept_and_comes_back(house: House) -> None:
    file = await upload(house.client)
    digest = hashlib.sha256(CLIP).hexdigest()
    assert file == {"id": file["id"], "name": "clip.mov", "size": 10240, "media_type": "video/quicktime", "sha256": digest}
    back = await house.client.get(f"/api/files/{file['id']}")
    assert back.content == CLIP
    assert back.headers["content-type"] == "video/quicktime"
    assert back.headers["content-disposition"] == 'attachment; filename="clip.mov"'
    assert back.headers["x-content-type-options"] == "nosniff"
    assert back.headers["accept-ranges"] == "bytes"


@story()
async def test_a_form_is_kept_and_comes_back(house: House) -> None:
    form = {"file": ("clip.mov", CLIP, "text/html")}
    file = (await house.client.post("/api/files", files=form)).json()
    assert (file["name"], file["size"], file["media_type"]) == ("clip.mov", 10240, "text/html")
    assert (await house.client.get(f"/api/files/{file['id']}")).content == CLIP
    named = (await house.client.post("/api/files?name=other.mov", files=form)).json()
    assert named["name"] == "other.mov"


@story()
async def test_an_empty_file_is_a_file(house: House) -> None:
    file = await upload(house.client, b"")
    assert file["size"] == 0
    assert (await house.client.get(f"/api/files/{file['id']}")).content == b""


@pytest.mark.parametrize(
    ("declared", "kept_as"),
    [
        ("text/html; charset=utf-8", "text/html"),
        ("application/octet-stream", "video/quicktime"),
        ("application/x-www-form-urlencoded", "video/quicktime"),
        ("nonsense", "video/quicktime"),
        ("text/html\tx", "video/quicktime"),
    ],
)
@story()
async def test_a_media_type_that_says_something_is_kept(house: House, declared: str, kept_as: str) -> None:
    answer = await house.client.post("/api/files?name=clip.mov", content=CLIP, headers={"Content-Type": declared})
    assert answer.json()["media_type"] == kept_as
    back = await house.client.get(f"/api/files/{answer.json()['id']}")
    assert back.headers["content-security-policy"].startswith("sandbox")


@pytest.mark.parametrize(
    ("given", "name"),
    [
        (EVIL, "passwd"),
        ("..\\..\\windows\\system32", "system32"),
        ("..", "file"),
        ("/", "file"),
        ("a\0b.txt", "a_b.txt"),
        ("a\r\nSet-Cookie: x.txt", "a_Set-Cookie_ x.txt"),
        ('quo"te.txt', "quo_te.txt"),
        ("Übersicht 日本.txt", "Übersicht 日本.txt"),
        (".bashrc", "bashrc"),
        ("x" * 300 + ".mp4", "x" * 116 + ".mp4"),
        ("con<>|?*.txt", "con_.txt"),
    ],
)
@story()
async def test_names_are_made_safe(house: House, given: str, name: str) -> None:
    file = await upload(house.client, b"x", given)
    assert file["name"] == name
    form = await house.client.post("/api/files", files={"file": (given, b"x")})
    assert "/" not in form.json()["name"]
    back = await house.client.get(f"/api/files/{file['id']}")
    assert back.content == b"x"
    assert "\n" not in back.headers["content-disposition"]
    assert {path.parent.name for path in kept(house)} == {"files"}


@pytest.mark.parametrize("query", ["", "?name="])
@story()
async def test_a_raw_body_needs_a_name(house: House, query: str) -> None:
    body = problem(await house.client.post(f"/api/files{query}", content=CLIP), 422, "invalid-request")
    assert "?name" in body["detail"]
    assert kept(house) == []


@pytest.mark.parametrize(
    ("media_type", "body"),
    [
        ("multipart/form-data", b"x"),
        ("multipart/form-data; boundary=x", b""),
        ("multipart/form-data; boundary=x", b"nothing of the kind"),
        ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="file"\r\n\r\ntext\r\n--x--\r\n'),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name="other"; filename="a"\r\n\r\n1\r\n--x--',
        ),
        ("multipart/form-data; boundary=x; charset=nonsense", b"--x\r\nContent-Disposition: form-data\r\n\r\n1\r\n--x--\r\n"),
    ],
)
@story()
async def test_a_form_that_is_none_is_refused(house: House, media_type: str, body: bytes) -> None:
    answer = await house.client.post("/api/files", content=body, headers={"Content-Type": media_type})
    problem(answer, 422, "invalid-request")
    assert kept(house) == []


@story()
async def test_a_form_with_two_files_is_refused(house: House) -> None:
    answer = await house.client.post("/api/files", files=[("file", ("a", b"1")), ("file", ("b", b"2"))])
    problem(answer, 422, "invalid-request")
    assert kept(house) == []


async def streamed(size: int) -> AsyncIterator[bytes]:
    """A body whose length nobody declared."""
    for _ in range(size // 1024):
        yield b"x" * 1024


@story(max_file_bytes=10_000)
async def test_a_file_over_the_limit_leaves_nothing_behind(house: House) -> None:
    async with served(house) as client:
        problem(await client.post("/api/files?name=a", content=b"x" * 10_001), 413, "too-large")
        problem(await client.post("/api/files?name=a", content=streamed(1 << 20)), 413, "too-large")
        problem(await client.post("/api/files", files={"file": ("a", b"x" * 10_001)}), 413, "too-large")
        problem(await client.post("/api/files", files={"file": ("a", b"x" * (3 << 20))}), 413, "too-large")
        assert kept(house) == []
        assert (await client.post("/api/files?name=a", content=streamed(9216))).json()["size"] == 9216
        assert (await client.post("/api/files", files={"file": ("a", b"x" * 10_000)})).json()["size"] == 10_000
    assert len(kept(house)) == 2


@pytest.mark.parametrize("media_type", ["application/octet-stream", "multipart/form-data; boundary=x"])
@story()
async def test_a_sender_that_goes_away_leaves_nothing_behind(house: House, media_type: str) -> None:
    folder = house.parts.settings.state_dir / "files"
    form = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
    head = f"POST /api/files?name=a HTTP/1.1\r\nHost: house\r\nContent-Type: {media_type}\r\nContent-Length: 100000\r\n"
    async with served(house) as client:
        _, writer = await asyncio.open_connection("127.0.0.1", client.base_url.port)
        writer.write(f"{head}Authorization: {client.headers['authorization']}\r\n\r\n".encode() + form)
        await writer.drain()
        # A request on another connection, answered after the first has been read.
        assert (await client.get("/api/status")).status_code == 200
        writer.close()
        await writer.wait_closed()
        async with asyncio.timeout(10):
            while folder.exists() and any(folder.iterdir()):  # noqa: ASYNC110  # the disk announces nothing
                await asyncio.sleep(0.01)
    assert kept(house) == []


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [
        ("bytes=0-99", 0, 100),
        ("bytes=10200-", 10200, 10240),
        ("bytes=-40", 10200, 10240),
        ("bytes=0-99999", 0, 10240),
        ("BYTES=5-5", 5, 6),
    ],
)
@story()
async def test_a_part_of_a_file_can_be_asked_for(house: House, asked: str, start: int, end: int) -> None:
    file = await upload(house.client)
    part = await house.client.get(f"/api/files/{file['id']}", headers={"Range": asked})
    assert part.status_code == 206
    assert part.content == CLIP[start:end]
    assert part.headers["content-range"] == f"bytes {start}-{end - 1}/10240"


@story()
async def test_several_parts_come_as_byteranges(house: House) -> None:
    file = await upload(house.client)
    parts = await house.client.get(f"/api/files/{file['id']}", headers={"Range": "bytes=0-9, 100-109"})
    assert parts.status_code == 206
    assert parts.headers["content-type"].startswith("multipart/byteranges")
    assert CLIP[:10] in parts.content
    assert CLIP[100:110] in parts.content


@pytest.mark.parametrize(
    "asked", ["", "bytes", "bytes=", "bytes=x-y", "bytes=9-5", "lines=1-2", "bytes=-", f"bytes={'9' * 5000}-"]
)
@story()
async def test_a_range_that_is_none_is_passed_over(house: House, asked: str) -> None:
    file = await upload(house.client)
    whole = await house.client.get(f"/api/files/{file['id']}", headers={"Range": asked})
    assert (whole.status_code, whole.content) == (200, CLIP)


@pytest.mark.parametrize("asked", ["bytes=10240-", "bytes=20000-30000", "bytes=-0"])
@story()
async def test_a_range_past_the_end_is_refused(house: House, asked: str) -> None:
    file = await upload(house.client)
    answer = await house.client.get(f"/api/files/{file['id']}", headers={"Range": asked})
    assert problem(answer, 416, "unsatisfiable-range")["size"] == 10240
    assert answer.headers["content-range"] == "bytes */10240"


@story()
async def test_a_part_is_asked_for_only_if_nothing_changed(house: House) -> None:
    url = f"/api/files/{(await upload(house.client))['id']}"
    tag = (await house.client.get(url)).headers["etag"]
    assert (await house.client.get(url, headers={"Range": "bytes=0-9", "If-Range": tag})).status_code == 206
    assert (await house.client.get(url, headers={"Range": "bytes=0-9", "If-Range": '"another"'})).status_code == 200
    assert (await house.client.get(url, headers={"Range": "bytes=99999-", "If-Range": '"another"'})).status_code == 200


@story(max_file_bytes=64 << 20)
async def test_a_large_file_goes_both_ways_in_pieces(house: House) -> None:
    async with served(house) as client:
        file = (await client.post("/api/files?name=big.bin", content=streamed(32 << 20))).json()
        assert file["size"] == 32 << 20
        part = await client.get(f"/api/files/{file['id']}", headers={"Range": f"bytes={(32 << 20) - 5}-"})
        assert part.content == b"x" * 5
        size = 0
        async with client.stream("GET", f"/api/files/{file['id']}") as whole:
            async for chunk in whole.aiter_bytes():
                size += len(chunk)
        assert size == 32 << 20


@story()
async def test_files_are_handed_to_the_skill(house: House) -> None:
    ids = [(await upload(house.client, b"1", "a.txt"))["id"], (await upload(house.client, b"2", "a.txt"))["id"]]
    answer = await house.client.post("/api/skill", json={"skill": "writing", "task": "work", "files": ids})
    assert answer.json()["status"] == "completed"
    problem(
        await house.client.post("/api/skill", json={"skill": "writing", "task": "x", "files": ["0" * 26]}), 404, "unknown-file"
    )


async def artifact(house: House, name: str) -> Response:
    task = (await submit(house.client, "write note.md folder/page.html", "writing")).json()
    return await house.client.get(f"/api/tasks/{task['id']}/artifacts/{name}")


@story()
async def test_artifacts_are_listed_and_fetched(house: House) -> None:
    task = (await submit(house.client, "write note.md folder/page.html", "writing")).json()
    listed = task["result"]["artifacts"]
    assert [entry["name"] for entry in listed] == ["folder-page.html", "note.md"]
    assert [entry["size"] for entry in listed] == [18, 16]
    page = await house.client.get(listed[0]["url"])
    assert page.text == "This is page.html."
    assert page.headers["content-disposition"].startswith("attachment")
    assert page.headers["x-content-type-options"] == "nosniff"
    assert (await house.client.get(listed[1]["url"], headers={"Range": "bytes=8-"})).text == "note.md."


@pytest.mark.parametrize("name", ["other.md", "NOTE.MD", "%2e%2e", "..%5cnote.md", "note.md%00", "x" * 200])
@story()
async def test_an_artifact_is_known_by_its_own_name_only(house: House, name: str) -> None:
    assert (await artifact(house, name)).status_code == 404


@pytest.mark.parametrize("name", ["%2e%2e%2f%2e%2e%2fstate.db", "folder/page.html", ""])
@story()
async def test_a_path_is_no_artifact(house: House, name: str) -> None:
    problem(await artifact(house, name), 404, "unknown-route")


@story()
async def test_an_unknown_file_is_not_found(house: House) -> None:
    problem(await house.client.get(f"/api/files/{'0' * 26}"), 404, "unknown-file")
    problem(await house.client.get("/api/files/..%5cstate.db"), 422, "invalid-request")
