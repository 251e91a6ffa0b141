"""The URL and token of the server, from the environment or from the file that `modal-invoke login` writes."""

from __future__ import annotations

import json
import os
import re
import tempfile
from pathlib import Path
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit

from modal_invoke.stop import Exit, Stop

LOOPBACK = re.compile(r"localhost|.+\.localhost|127\.\d+\.\d+\.\d+|::1")


class Settings(NamedTuple):
    """Where the server is and what opens it. `patience`: seconds that a lost server is sought while a task is followed."""

    url: str
    token: str
    patience: float = 120.0


def file() -> Path:
    base = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(base) / "modal-invoke" / "config.json"


def read(insecure: bool) -> Settings:
    """The settings in force. The stored token is used with the stored URL only, so no other server ever gets to see it.

    Raises Stop (not authorised) where either is missing.
    """
    stored = _stored()
    url = os.environ.get("MODAL_INVOKE_URL") or stored.get("url", "")
    if not url:
        raise Stop(Exit.NOT_AUTHORISED, "No server is known yet. Run `modal-invoke login`, or set MODAL_INVOKE_URL.")
    url = checked_url(url, insecure)
    token = os.environ.get("MODAL_INVOKE_TOKEN") or (stored.get("token", "") if url == stored.get("url") else "")
    if not token:
        raise Stop(Exit.NOT_AUTHORISED, f"There is no token for {url}. Run `modal-invoke login`, or set MODAL_INVOKE_TOKEN.")
    return Settings(url, checked_token(token), _patience())


def save(settings: Settings) -> Path:
    """Writes URL and token for this user alone: at no moment half a file, or one that others can read."""
    path = file()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.parent.chmod(0o700)
    handle, draft = tempfile.mkstemp(dir=path.parent)  # made with mode 0600
    with os.fdopen(handle, "w", encoding="utf-8") as out:
        json.dump({"url": settings.url, "token": settings.token}, out)
    Path(draft).replace(path)
    return path


def forget() -> bool:
    """Removes the file; whether there was one."""
    try:
        file().unlink()
    except FileNotFoundError:
        return False
    return True


def checked_url(text: str, insecure: bool) -> str:
    """The URL without a slash at its end. Raises Stop (usage) where it is none, or would send the token in the clear."""
    parts = _split(text.strip())
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment or parts.username:
        raise Stop(Exit.USAGE, "The server's URL looks like https://example.modal.run or http://127.0.0.1:8000.")
    if parts.scheme == "http" and not is_loopback(parts.hostname) and not insecure:
        raise Stop(
            Exit.USAGE,
            f"http://{parts.netloc} would send your token unencrypted. Use https, or --insecure (MODAL_INVOKE_INSECURE=1) "
            "if the network can be trusted.",
        )
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"


def checked_token(text: str) -> str:
    token = text.strip()
    if not re.fullmatch(r"[\x21-\x7e]+", token):
        raise Stop(Exit.USAGE, "The token must be one word of ASCII characters, as the server printed it.")
    return token


def is_loopback(host: str) -> bool:
    return bool(LOOPBACK.fullmatch(host))


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port  # read for its check
    except ValueError:
        return urlsplit("")
    return parts


def _stored() -> dict[str, str]:
    try:
        content = json.loads(file().read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise Stop(Exit.USAGE, f"{file()} cannot be read ({error}). Run `modal-invoke login` again.") from None
    return content if isinstance(content, dict) else {}


def _patience() -> float:
    try:
        return float(os.environ.get("MODAL_INVOKE_PATIENCE") or Settings._field_defaults["patience"])
    except ValueError:
        raise Stop(Exit.USAGE, "MODAL_INVOKE_PATIENCE must be a number of seconds.") from None
