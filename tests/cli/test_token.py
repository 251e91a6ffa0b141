"""`agents token`."""

import json
from pathlib import Path

import pytest

from agents.src.cli.token import parse_duration
from agents.src.errors import InvalidRequest
from agents.src.settings import MINIMUM_TOKEN_LENGTH
from tests.cli.conftest import Agents


def test_generate_prints_another_good_root_token_each_time(agents: Agents) -> None:
    first, second = agents("token", "generate").stdout.strip(), agents("token", "generate").stdout.strip()
    assert first != second
    assert len(first) >= MINIMUM_TOKEN_LENGTH
    assert agents("tasks", "list", MODAL_INVOKE_TOKEN=first).exit_code == 0


def test_create_shows_the_secret_once_and_keeps_only_its_hash(agents: Agents, tmp_path: Path) -> None:
    made = agents("token", "create", "ci", "--skills", "echo", "--rate", "5/hour", "--expires", "90d")
    secret = made.stdout.strip()
    assert secret.startswith("mi_")
    assert "echo, 5/hour, until" in " ".join(made.stderr.split())
    assert secret not in agents("token", "list").output
    for file in (tmp_path / "state").iterdir():
        assert secret.encode() not in file.read_bytes()


def test_create_in_json(agents: Agents) -> None:
    made = json.loads(agents("token", "create", "ci", "--expires", "12h", "--json").stdout)
    [listed] = json.loads(agents("token", "list", "--json").stdout)
    secret = made.pop("token")
    assert secret.startswith("mi_")
    assert listed == {**made, "state": "active"}
    assert (made["skills"], made["rate"], made["revoked_at"]) == (None, "60/minute", None)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["ci", "--skills", "ecco"], 'There is no skill "ecco"; did you mean echo?'),
        (["ci", "--skills", ","], "--skills names no skill."),
        (["ci", "--rate", "fast"], "a rate looks like 60/minute"),
        (["ci", "--expires", "soon"], "a duration looks like 90d, 12h or 30m, not 'soon'"),
        (["ci", "--budget", "0"], "--budget: US dollars look like 5 or 2.50, more than 0, not '0'"),
        (["ci", "--budget", "much"], "more than 0, not 'much'"),
        (["root"], "'root' cannot be a token's name"),
        (["No Spaces"], "'No Spaces' cannot be a token's name"),
    ],
)
def test_create_refuses(agents: Agents, words: list[str], message: str) -> None:
    shown = agents("token", "create", *words)
    assert shown.exit_code in (1, 2)
    assert message in shown.stderr
    assert json.loads(agents("token", "list", "--json").stdout) == []


def test_a_name_is_taken_for_good(agents: Agents) -> None:
    assert agents("token", "create", "ci").exit_code == 0
    assert agents("token", "create", "ci").exit_code == 1
    assert agents("token", "revoke", "ci").exit_code == 0
    assert agents("token", "create", "ci").exit_code == 1


def test_revoke(agents: Agents) -> None:
    agents("token", "create", "ci")
    agents("token", "revoke", "ci")
    assert json.loads(agents("token", "list", "--json").stdout)[0]["state"] == "revoked"
    assert "revoked" in agents("token", "list").stdout
    unknown = agents("token", "revoke", "cd")
    assert (unknown.exit_code, unknown.stdout) == (1, "")
    assert "There is no token named 'cd'" in unknown.stderr


def test_tokens_can_be_looked_after_while_a_skill_is_broken(agents: Agents, skills_dir: Path) -> None:
    (skills_dir / "echo" / "info.md").write_text("nothing")
    assert agents("token", "create", "ci").exit_code == 0
    assert agents("token", "create", "cd", "--skills", "echo").exit_code == 2


def test_durations() -> None:
    assert [parse_duration(text) for text in ("30m", "12h", "90d")] == [1800, 43200, 7776000]
    for text in ("0d", "d", "1.5h", "-1d", "1w", "999999d", ""):
        with pytest.raises(InvalidRequest):
            parse_duration(text)


def test_a_token_may_have_a_budget_for_each_day(agents: Agents) -> None:
    made = agents("token", "create", "ci", "--budget", "$2.50")
    assert "60/minute, $2.50/day, without end" in " ".join(made.stderr.split())
    agents("token", "create", "cd")
    assert [token["budget_usd"] for token in json.loads(agents("token", "list", "--json").stdout)] == [None, 2.5]
    listed = agents("token", "list").stdout
    assert "$2.50/day" in listed
    assert "none" in listed
