"""Where credentials are looked for, and what is said when there are none. Every path is a temporary one."""

import asyncio
import json
from pathlib import Path

import pytest
from pydantic import SecretStr

from agents.src.clock import Clock
from agents.src.errors import NoCredentials
from agents.src.services.claude_credentials import Credentials, CredentialSource

NOON = 1_800_000_000.0


class Noon(Clock):
    def now(self) -> float:
        return NOON


def find(folder: Path, api_key: str | None = None, oauth_token: str | None = None) -> Credentials:
    secret = {"api_key": api_key, "oauth_token": oauth_token}
    given = {name: SecretStr(value) for name, value in secret.items() if value is not None}
    return asyncio.run(CredentialSource(folder, keychain=False, clock=Noon(), **given).find())


def log_in(folder: Path, expires_in: float) -> None:
    login = {"accessToken": "access", "refreshToken": "refresh", "expiresAt": (NOON + expires_in) * 1000, "scopes": ["x"]}
    (folder / ".credentials.json").write_text(json.dumps({"claudeAiOauth": login}))


def test_a_key_goes_before_a_token_and_both_before_the_login(tmp_path: Path) -> None:
    log_in(tmp_path, 3600)
    found = [find(tmp_path, "key", "token"), find(tmp_path, None, "token"), find(tmp_path, "", "")]
    assert [(one.variable, one.secret.get_secret_value()) for one in found] == [
        ("ANTHROPIC_API_KEY", "key"),
        ("CLAUDE_CODE_OAUTH_TOKEN", "token"),
        ("CLAUDE_CODE_OAUTH_TOKEN", "access"),
    ]


def test_nothing_of_a_login_is_handed_on_but_its_access_token(tmp_path: Path) -> None:
    log_in(tmp_path, 3600)
    found = find(tmp_path)
    assert "refresh" not in found.secret.get_secret_value()
    assert "access" not in repr(found).replace("access'", "")


def test_a_login_that_has_expired_or_is_about_to_is_not_used(tmp_path: Path) -> None:
    for left in (-1, 30):
        log_in(tmp_path, left)
        with pytest.raises(NoCredentials, match="the Claude login has expired: run `claude` once, or set ANTHROPIC_API_KEY"):
            find(tmp_path)


@pytest.mark.parametrize("content", [None, "", "{", "[]", "{}", '{"claudeAiOauth": null}', '{"mcpOAuth": {}}'])
def test_without_any_it_says_what_to_do(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / ".credentials.json").write_text(content)
    with pytest.raises(NoCredentials, match="no Claude credentials: run `claude` once and log in, or set ANTHROPIC_API_KEY"):
        find(tmp_path)
