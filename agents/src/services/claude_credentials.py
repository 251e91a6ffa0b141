"""Whose account Claude Code works on: a key or token from the settings, else the login of this machine's user."""

import asyncio
import json
import sys
from asyncio.subprocess import DEVNULL, PIPE
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field, SecretStr, ValidationError

from agents.src.clock import Clock
from agents.src.errors import NoCredentials

KEYCHAIN_SERVICE = "Claude Code-credentials"
SAFETY = 60.0  # seconds that a token must still be good for

Variable = Literal["ANTHROPIC_API_KEY", "CLAUDE_CODE_OAUTH_TOKEN"]


@dataclass(frozen=True, slots=True)
class Credentials:
    """A secret, and the variable in which Claude Code expects a secret of its kind."""

    variable: Variable
    secret: SecretStr
    origin: str
    """Where it was found, in words."""


class _Login(BaseModel):
    """What Claude Code keeps of a login. `expires_at` in milliseconds since 1970. The refresh token is not even read:
    it can be used once only, and using it here would log the user out."""

    access_token: SecretStr = Field(alias="accessToken")
    expires_at: float = Field(alias="expiresAt")


class _Stored(BaseModel):
    login: _Login = Field(alias="claudeAiOauth")


@dataclass(frozen=True, slots=True)
class CredentialSource:
    """Looks in this order: `api_key`, `oauth_token`, the macOS keychain, the file in `config_dir`."""

    config_dir: Path
    api_key: SecretStr | None = None
    oauth_token: SecretStr | None = None
    keychain: bool = sys.platform == "darwin"
    clock: Clock = field(default_factory=Clock)

    async def find(self) -> Credentials:
        """Raises NoCredentials, which says what to do."""
        if self.api_key and self.api_key.get_secret_value():
            return Credentials("ANTHROPIC_API_KEY", self.api_key, "ANTHROPIC_API_KEY")
        if self.oauth_token and self.oauth_token.get_secret_value():
            return Credentials("CLAUDE_CODE_OAUTH_TOKEN", self.oauth_token, "CLAUDE_CODE_OAUTH_TOKEN")
        login = await self._login()
        if login is None:
            raise NoCredentials("no Claude credentials: run `claude` once and log in, or set ANTHROPIC_API_KEY")
        if login.expires_at / 1000 < self.clock.now() + SAFETY:
            raise NoCredentials("the Claude login has expired: run `claude` once, or set ANTHROPIC_API_KEY")
        return Credentials("CLAUDE_CODE_OAUTH_TOKEN", login.access_token, "the login of Claude Code")

    async def _login(self) -> _Login | None:
        stored = (await _from_keychain() if self.keychain else None) or _from_file(self.config_dir / ".credentials.json")
        if stored is None:
            return None
        try:
            return _Stored.model_validate(json.loads(stored)).login
        except (ValueError, ValidationError):
            return None  # logged in another way, or not at all


def _from_file(path: Path) -> str | None:
    try:
        return path.read_text()
    except OSError:
        return None


async def _from_keychain() -> str | None:
    """What macOS keeps for Claude Code; it may ask the user whether we may see it."""
    try:
        process = await asyncio.create_subprocess_exec(
            "security", "find-generic-password", "-w", "-s", KEYCHAIN_SERVICE, stdin=DEVNULL, stdout=PIPE, stderr=DEVNULL
        )
    except OSError:
        return None
    output, _ = await process.communicate()
    return output.decode().strip() if process.returncode == 0 else None
