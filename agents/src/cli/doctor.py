"""`agents doctor`: what is there, what is missing, how to get it, and what works without it."""

import asyncio
import json
import shutil
import sys
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import typer

from agents.src.cli.migrate import migrations_of
from agents.src.cli.output import AsJson, print_json, print_table
from agents.src.cli.running import quiet_settings
from agents.src.errors import Problem
from agents.src.services.claude_credentials import CredentialSource
from agents.src.services.claude_environment import find_claude, launcher
from agents.src.services.markdown import read_catalogue
from agents.src.settings import Settings, Surroundings

if TYPE_CHECKING:
    from agents.src.services.qdrant import Standing

OLDEST = (3, 11)
PATIENCE = 20.0
"""Seconds that a program gets to tell its version."""
EASY = 5000
"""Entries that the embedded Qdrant bears with ease."""


class State(StrEnum):
    OK = "ok"
    MISSING = "missing"
    """Not there; something works without it."""
    BROKEN = "broken"
    """Nothing works until this is mended."""


@dataclass(frozen=True, slots=True)
class Finding:
    """`found` says what is there or what is wrong; `remedy` how to get it, `without` what works meanwhile."""

    name: str
    state: State
    found: str
    remedy: str = ""
    without: str = ""


def doctor(as_json: AsJson = False) -> None:
    """Check what this needs on this machine.

    Tells what is missing, how to get it, and what works without it. Exit code 1 if not even a local run works.
    """
    findings = asyncio.run(examine(quiet_settings(), Surroundings()))
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        tell(findings)
    if any(finding.state is State.BROKEN for finding in findings):
        raise typer.Exit(1)


def tell(findings: Sequence[Finding]) -> None:
    print_table(("", "state", "found"), [(finding.name, finding.state, finding.found) for finding in findings])
    for finding in findings:
        if finding.state is not State.OK:
            print(f"\n{finding.name}: {finding.remedy}")
            if finding.without:
                print(f"  Works without it: {finding.without}")


async def examine(settings: Settings, around: Surroundings) -> list[Finding]:
    """Every finding, in the order of the table."""
    checks: list[Callable[[], Awaitable[Finding]]] = [
        python,
        lambda: skills(settings),
        lambda: database(settings),
        claude_code,
        lambda: credentials(settings),
        ffmpeg,
        lambda: qdrant(settings),
        lambda: modal(around),
        lambda: server(settings, around),
    ]
    return [await check() for check in checks]


async def python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < OLDEST:
        return Finding("Python", State.BROKEN, version, "Install Python 3.11 or newer, remove .venv and run `make setup`.")
    return Finding("Python", State.OK, version)


async def skills(settings: Settings) -> Finding:
    try:
        catalogue = read_catalogue(settings.skills_dir)
    except Problem as problem:
        remedy = "`agents skills check` tells each fault; MODAL_INVOKE_SKILLS_DIR says where skills lie."
        first, *others = problem.detail.splitlines()
        return Finding("skills", State.BROKEN, f"{first} (and {len(others)} more)" if others else first, remedy)
    return Finding("skills", State.OK, ", ".join(skill.name for skill in catalogue))


async def database(settings: Settings) -> Finding:
    remedy = "Set DATABASE_URL, or unset it to use SQLite in MODAL_INVOKE_STATE_DIR, which must be a folder you may write to."
    try:
        applied = await migrations_of(settings)
    except Problem as problem:
        return Finding("database", State.BROKEN, problem.detail, remedy)
    return Finding("database", State.OK, f"{place_of(settings)}, {len(applied)} migration{'' if len(applied) == 1 else 's'}")


def place_of(settings: Settings) -> str:
    """Which database it is, without user and password."""
    if settings.database_url is None:
        return f"SQLite in {settings.state_dir}"
    url = urlsplit(settings.database_url.get_secret_value())
    return f"PostgreSQL, {url.hostname or 'local socket'}{url.path}"


async def claude_code() -> Finding:
    remedy = "Run `make setup` again: it comes with the claude-agent-sdk package."
    without = "skills with the engine `script`"
    try:
        with TemporaryDirectory(prefix="doctor-") as folder, launcher(find_claude(), Path(folder) / "doctor", {}) as program:
            version = await output_of(str(program), "--version")
    except Problem as problem:
        return Finding("Claude Code", State.MISSING, problem.detail, remedy, without)
    if not version:
        return Finding("Claude Code", State.MISSING, "it does not run on this machine", remedy, without)
    return Finding("Claude Code", State.OK, version.partition(" (")[0])


async def credentials(settings: Settings) -> Finding:
    source = CredentialSource(settings.claude_config_dir, settings.anthropic_api_key, settings.claude_code_oauth_token)
    try:
        found = await source.find()
    except Problem as problem:
        remedy = "Run `claude` once and log in, or set ANTHROPIC_API_KEY or CLAUDE_CODE_OAUTH_TOKEN."
        without = "skills with the engine `script`; every skill as a rehearsal (`agents rehearse`)"
        reason = problem.detail.partition(":")[0]  # what follows it is the remedy
        return Finding("Claude credentials", State.MISSING, reason, remedy, without)
    return Finding("Claude credentials", State.OK, f"from {found.origin}")


async def ffmpeg() -> Finding:
    program = shutil.which("ffmpeg") or bundled_ffmpeg()
    version = await output_of(program, "-version") if program else ""
    if not version:
        remedy = "Run `make setup` again (the imageio-ffmpeg package brings it), or install ffmpeg."
        return Finding("ffmpeg", State.MISSING, "not found", remedy, "every skill but media-processing")
    return Finding("ffmpeg", State.OK, version.removeprefix("ffmpeg version ").split(" ")[0])


def bundled_ffmpeg() -> str | None:
    try:
        from imageio_ffmpeg import get_ffmpeg_exe

        return str(get_ffmpeg_exe())
    except (ImportError, RuntimeError):  # not installed, or a wheel without a program for this machine
        return None


async def qdrant(settings: Settings) -> Finding:
    """Looks only: nothing is made there. Configured and not to be used is an error, for nothing would be remembered."""
    try:
        standing = await standing_of(settings)
    except Problem as problem:
        remedy = "Set QDRANT_URL and QDRANT_API_KEY right, or unset them to keep the memory in MODAL_INVOKE_STATE_DIR."
        return Finding("Qdrant", State.BROKEN, problem.detail, remedy)
    count = standing.entries or 0
    kept = "nothing kept yet" if standing.entries is None else f"{count} entr{'y' if count == 1 else 'ies'}"
    if settings.qdrant_url is not None:
        found = f"version {standing.version} at {standing.place}, {kept} in the collection {standing.collection}"
        return Finding("Qdrant", State.OK, found)
    slow = ": so many are slow to search without a server; set QDRANT_URL" if count > EASY else ""
    return Finding("Qdrant", State.OK, f"embedded, in {standing.place}, {kept}{slow}")


async def standing_of(settings: Settings) -> "Standing":
    from agents.src.services.qdrant import open_memory  # brings what reads Qdrant's answers

    memory = open_memory(settings)
    try:
        return await memory.standing()
    finally:
        await memory.close()


async def modal(around: Surroundings) -> Finding:
    if around.modal_token_id is not None:
        return Finding("Modal token", State.OK, "from MODAL_TOKEN_ID")
    if around.modal_config.is_file():
        return Finding("Modal token", State.OK, f"from {around.modal_config}")
    remedy = "Run `.venv/bin/modal setup`, or set MODAL_TOKEN_ID and MODAL_TOKEN_SECRET."
    return Finding("Modal token", State.MISSING, "not found", remedy, "everything but deploying")


async def server(settings: Settings, around: Surroundings) -> Finding:
    """What the client `modal-invoke` would call."""
    stored = stored_url(around.config_home / "modal-invoke" / "config.json")
    url, token = around.url or stored, settings.token or stored
    if url and token:
        return Finding("server to call", State.OK, f"{url}, token set")
    found = "MODAL_INVOKE_TOKEN is not set" if url else "MODAL_INVOKE_URL is not set"
    remedy = "Start one with `agents serve`, or deploy one; then run `modal-invoke login`."
    return Finding("server to call", State.MISSING, found, remedy, "`agents invoke`, which needs no server")


def stored_url(file: Path) -> str | None:
    """The URL that `modal-invoke login` stored."""
    try:
        content = json.loads(file.read_text())
    except (OSError, ValueError):
        return None
    return str(content["url"]) if isinstance(content, dict) and content.get("url") else None


async def output_of(*command: str) -> str:
    """The first line of what a program prints; empty where it cannot be run, fails or takes too long."""
    try:
        process = await asyncio.create_subprocess_exec(*command, stdin=DEVNULL, stdout=PIPE, stderr=DEVNULL)
    except OSError:
        return ""
    try:
        async with asyncio.timeout(PATIENCE):
            output, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        return ""
    return output.decode(errors="replace").partition("\n")[0].strip() if process.returncode == 0 else ""
