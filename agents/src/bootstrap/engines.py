"""Wires the engines."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from agents.src.errors import EngineFailed
from agents.src.services.database import Db
from agents.src.settings import OFF, Settings
from agents.src.skills import Catalogue
from agents.src.tasks import Engine, Responder

if TYPE_CHECKING:
    from agents.src.services.claude_credentials import CredentialSource


def default_engines(
    settings: Settings, catalogue: Catalogue, db: Db, granted: Mapping[str, str] | None = None
) -> dict[str, Engine]:
    """`granted`: variables that the skills' programs and tools get."""
    # Imported here: the web container runs no engine, and would wait a tenth of a second for them.
    from agents.src.services.script import ScriptEngine

    return {"claude": claude_engine(settings, db, granted or {}), "script": ScriptEngine(folders(catalogue), granted)}


def claude_engine(settings: Settings, db: Db, granted: Mapping[str, str]) -> Engine:
    from agents.src.services.claude_code import ClaudeEngine
    from agents.src.services.rehearsal import read_script
    from agents.src.services.transcript_store import SqlTranscriptStore

    rehearsal = read_script(settings.rehearsal) if settings.rehearsal else None
    url, transcripts = settings.anthropic_base_url, SqlTranscriptStore(db)
    return ClaudeEngine(credentials_of(settings), url, rehearsal, environment=granted, transcripts=transcripts)


def default_responder(settings: Settings) -> Responder | None:
    """None where there is to be none. In a rehearsal no model is asked."""
    if settings.question_responder == OFF or settings.rehearsal:
        return None
    from agents.src.services.claude_responder import ClaudeResponder

    return ClaudeResponder(credentials_of(settings), settings.anthropic_base_url, settings.question_responder or None)


def credentials_of(settings: Settings) -> "CredentialSource":
    from agents.src.services.claude_credentials import CredentialSource

    return CredentialSource(settings.claude_config_dir, settings.anthropic_api_key, settings.claude_code_oauth_token)


def folders(catalogue: Catalogue) -> Callable[[str], Path]:
    """Where a skill's program lies. What is given raises EngineFailed for a skill that is gone since the task was accepted."""

    def folder_of(name: str) -> Path:
        if name not in catalogue:
            raise EngineFailed(f"The skill {name} is no longer in the catalogue; put it back, or submit to another.")
        return catalogue.get(name).folder

    return folder_of
