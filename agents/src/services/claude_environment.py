"""The surroundings of one Claude Code process: a home of its own, and nothing of the server's environment."""

import importlib.util
import shlex
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from agents.src.errors import EngineFailed

INHERITED = ("PATH", "LANG", "LC_ALL", "TZ", "USER", "LOGNAME", "SHELL")
FROM_SDK = ("CLAUDE_CODE_ENTRYPOINT", "CLAUDE_AGENT_SDK_VERSION", "CLAUDE_CODE_SDK_READS_SESSION_STATE", "PWD")


def find_claude() -> Path:
    """The program that the claude-agent-sdk wheel holds, else the `claude` of the PATH. Raises EngineFailed without either."""
    spec = importlib.util.find_spec("claude_agent_sdk")  # does not import it
    bundled = Path(spec.origin).with_name("_bundled") / "claude" if spec and spec.origin else None
    if bundled and bundled.is_file():
        return bundled
    if installed := shutil.which("claude"):
        return Path(installed)
    raise EngineFailed(
        "Claude Code is not installed here: install it, or reinstall the claude-agent-sdk package, which holds it."
    )


@contextmanager
def launcher(claude: Path, workspace: Path, environment: Mapping[str, str]) -> Iterator[Path]:
    """A program that starts `claude` in `environment` and in a home, beside the workspace, that is removed afterwards.

    It exists because the SDK adds all of the server's environment, with every secret in it, to what it is given.
    Raises EngineFailed where there is no `claude`.
    """
    if not claude.is_file():
        raise EngineFailed("Claude Code is not where it should be: correct the path it was given, or reinstall it.")
    with TemporaryDirectory(prefix=f"{workspace.name}.claude-", dir=workspace.parent, ignore_cleanup_errors=True) as private:
        home, temporary = Path(private, "home"), Path(private, "tmp")
        home.mkdir()
        temporary.mkdir()
        own = {
            "HOME": str(home),
            "CLAUDE_CONFIG_DIR": str(home / ".claude"),
            "TMPDIR": str(temporary),
            "TERM": "dumb",
            **environment,
        }
        program = Path(private, "claude")
        program.write_text(_script(claude, own))
        program.chmod(0o700)
        yield program


def _script(claude: Path, environment: Mapping[str, str]) -> str:
    inherited = " ".join(f'${{{name}+"{name}=${name}"}}' for name in INHERITED + FROM_SDK)
    own = " ".join(shlex.quote(f"{name}={value}") for name, value in environment.items())
    return f'#!/bin/sh\nexec env -i {inherited} {own} {shlex.quote(str(claude))} "$@"\n'
