"""What a caller is told who asks for what cannot be: the same words in every place."""

import pytest

from tests.stories.house import House

NOBODY = "0" * 26
CATALOGUE = (
    "advisor, apprentice, asker, hasty, listener, media-processing, nobody, novice, once, patient, planning, slow, spender"
)


OPERATIONS = "['probe', 'convert', 'trim', 'thumbnail', 'extract-audio', 'resize']"
SUBMISSIONS = {
    "a skill misspelt": (
        {"skill": "planing", "task": "x"},
        (404, "unknown-skill", 'There is no skill "planing"; did you mean planning?'),
    ),
    "a path for a skill": (
        {"skill": "../../etc", "task": "x"},
        (
            404,
            "unknown-skill",
            f'There is no skill "../../etc"; there are: {CATALOGUE}.',
        ),
    ),
    "no task": (
        {"skill": "slow"},
        (422, "invalid-request", "#/task: Field required"),
    ),
    "an unknown key": (
        {"skill": "slow", "task": "0", "extra": 1},
        (422, "invalid-request", "#/extra: Extra inputs are not permitted"),
    ),
    "too much time": (
        {"skill": "slow", "task": "0", "timeout": 121},
        (422, "invalid-request", "timeout: the skill slow may run for at most 120 seconds."),
    ),
    "an unfit argument": (
        {"skill": "media-processing", "task": "", "args": {"operation": "sing"}},
        (
            422,
            "invalid-arguments",
            f"The arguments do not fit the skill media-processing: #/args/operation: 'sing' is not one of {OPERATIONS}.",
        ),
    ),
    "a file that is not there": (
        {"skill": "slow", "task": "0", "files": [NOBODY]},
        (404, "unknown-file", "There is no file of this id, or it is not yours."),
    ),
}


@pytest.mark.parametrize("what", SUBMISSIONS)
def test_submissions(house: House, what: str) -> None:
    request, (status, kind, detail) = SUBMISSIONS[what]
    answer = house.web.post("/api/skill", json=request)
    problem = answer.json()
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "application/problem+json")
    assert (problem["status"], problem["type"], problem["detail"]) == (status, f"/problems/{kind}", detail)


@pytest.mark.parametrize(
    ("path", "status", "kind"),
    [
        (f"/api/tasks/{NOBODY}", 404, "unknown-task"),
        (f"/api/tasks/{NOBODY}/events", 404, "unknown-task"),
        (f"/api/files/{NOBODY}", 404, "unknown-file"),
        ("/api/tasks/../../etc/passwd", 404, "unknown-route"),
        ("/api/tasks?limit=0", 422, "invalid-request"),
        ("/api/cancel", 404, "unknown-route"),
    ],
)
def test_what_is_not_there(house: House, path: str, status: int, kind: str) -> None:
    answer = house.web.get(path)
    assert (answer.status_code, answer.json()["type"]) == (status, f"/problems/{kind}")


@pytest.mark.parametrize(
    ("authorization", "detail"),
    [
        ("", "Send `Authorization: Bearer <token>`."),
        ("Bearer wrong", "The token is not known here, has expired or was revoked."),
    ],
)
def test_strangers(house: House, authorization: str, detail: str) -> None:
    answer = house.web.get("/api/tasks", headers={"Authorization": authorization})
    assert (answer.status_code, answer.headers["WWW-Authenticate"], answer.json()["detail"]) == (401, "Bearer", detail)
    assert house.web.get("/api/health", headers={"Authorization": authorization}).json()["status"] == "ok"


def test_a_named_token_sees_and_may_do_what_it_was_given(house: House) -> None:
    token = house.place.agents("token", "create", "ada", "--skills", "slow").strip()
    ada = {"Authorization": f"Bearer {token}"}
    theirs = house.submit("slow", "0", prefer="wait=60")
    assert [skill["name"] for skill in house.web.get("/api/skills", headers=ada).json()["items"]] == ["slow"]
    assert house.web.get(f"/api/tasks/{theirs['id']}", headers=ada).json()["type"] == "/problems/unknown-task"
    refused = house.web.post("/api/skill", json={"skill": "planning", "task": "x"}, headers=ada)
    assert (refused.status_code, refused.json()["type"]) == (403, "/problems/skill-not-allowed")
    hers = house.web.post("/api/skill", json={"skill": "slow", "task": "0"}, headers=ada | {"Prefer": "wait=60"}).json()
    assert (hers["status"], hers["caller"]) == ("completed", "ada")
    shown = house.show(hers["id"])
    assert {name: shown[name] for name in hers if name != "warnings"} == {n: v for n, v in hers.items() if n != "warnings"}
