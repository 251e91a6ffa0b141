"""What the deployed app is called, what it needs from the workspace, and how long its calls may take."""

import math
from collections.abc import Sequence

from agents.src.errors import Misconfigured
from agents.src.skills import Skill

APP = "modal-invoke"
VOLUME = "modal-invoke-state"
KEEPER = "memory"
"""The Function that keeps the memory."""
KEEP_SECONDS = 300
"""That one round of it may take."""
RESPONDER = "responder"
"""The Function that answers in the place of people."""
RESPOND_SECONDS = 240
"""That one answer of it may take: what a responder may itself, and the seconds around that. Less than `turns.PATIENCE`."""
WEB_SECRET, DATABASE_SECRET, CLAUDE_SECRET = "modal-invoke", "modal-invoke-database", "anthropic"
QDRANT_SECRET = "modal-invoke-qdrant"  # noqa: S105  # a secret's name
REQUIRED_KEYS: dict[str, list[str]] = {
    WEB_SECRET: ["MODAL_INVOKE_TOKEN"],
    DATABASE_SECRET: ["DATABASE_URL"],
    QDRANT_SECRET: ["QDRANT_URL"],
    CLAUDE_SECRET: [],
}
"""Either of two keys will do for Claude, which Modal cannot check; a task says so if both are missing."""
COMMANDS = {
    WEB_SECRET: 'modal secret create modal-invoke MODAL_INVOKE_TOKEN="$(agents token generate)"',
    DATABASE_SECRET: "modal secret create modal-invoke-database DATABASE_URL=postgresql://…",
    QDRANT_SECRET: "modal secret create modal-invoke-qdrant QDRANT_URL=https://… QDRANT_API_KEY=…",
    CLAUDE_SECRET: "modal secret create anthropic ANTHROPIC_API_KEY=… (or CLAUDE_CODE_OAUTH_TOKEN=…)",
}

LONGEST_CALL = 86_400
"""Seconds: Modal's own limit."""
MARGIN = 120
"""Seconds of each attempt beside its work: fetching the files, ending processes, keeping artifacts, writing how it ended."""


def call_timeout(skill: Skill, default: float) -> int:
    """Seconds for one call, in which a container makes all the attempts of a task: our own limits end each of them first.

    Raises Misconfigured where not even one attempt fits.
    """
    attempt = math.ceil(skill.timeout or default) + MARGIN
    if attempt > LONGEST_CALL:
        raise Misconfigured(
            f"The skill {skill.name} may run for {attempt - MARGIN} seconds, more than Modal's longest call has room for. "
            f"Write timeout: {LONGEST_CALL - MARGIN} or less in its info.md, or lower TASK_TIMEOUT_SECONDS."
        )
    retries = skill.retries.max_retries
    return min(attempt + retries * (attempt + math.ceil(skill.retries.max_delay)), LONGEST_CALL)


def missing_secrets(names: Sequence[str]) -> list[str]:
    """Asks Modal for the secrets: a sentence for each that is missing or lacks a key, with the command that makes it.

    Where Modal cannot be asked, one sentence that says why.
    """
    import modal

    try:
        return [sentence for name in names if (sentence := _missing(name))]
    except modal.exception.AuthError:
        return ["Modal does not know this machine: run `modal setup`, or set MODAL_TOKEN_ID and MODAL_TOKEN_SECRET."]
    except modal.exception.ConnectionError:
        return ["Modal cannot be reached. Check the network, then deploy again."]


def _missing(name: str) -> str | None:
    import modal

    keys = REQUIRED_KEYS.get(name, [])
    try:
        modal.Secret.from_name(name, required_keys=keys).hydrate()
    except modal.exception.NotFoundError:
        what = f" with {' and '.join(keys)} in it" if keys else ""
        command = COMMANDS.get(name, f"modal secret create {name} NAME=value")
        return f"Modal has no secret {name}{what}. Make it: {command}"
    return None
