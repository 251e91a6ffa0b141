"""`agents serve`: the HTTP server with a worker in it."""

import ipaddress
import os
import socket
import sys
from pathlib import Path
from typing import Annotated

import typer
from pydantic import SecretStr
from rich.prompt import Confirm

from agents.src.bootstrap import bootstrap
from agents.src.cli.output import note, stderr
from agents.src.cli.running import author
from agents.src.errors import Misconfigured
from agents.src.services.logs import configure_logs
from agents.src.settings import MINIMUM_TOKEN_LENGTH, Settings, read_settings
from agents.src.skills import new_secret

TOKEN_FILE = "token"  # noqa: S105  # a file's name
NO_TOKEN = "MODAL_INVOKE_TOKEN is not set, and the server runs with a token only."  # noqa: S105
HOW = "Set it (`agents token generate` makes one)"


def serve(
    host: Annotated[str, typer.Option(metavar="ADDRESS", help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, metavar="N", help="The port; 0 takes a free one.")] = 8000,
    make_token: Annotated[
        bool, typer.Option("--make-token", help="Without MODAL_INVOKE_TOKEN: keep a token in the state directory, for you alone.")
    ] = False,
) -> None:
    """Serve skills over HTTP and run their tasks.

    Prints `Listening on URL` once it answers. Ctrl-C or SIGTERM stops it: tasks that are running then go back to the queue, and
    the next start takes them up.
    """
    settings = read_settings()
    configure_logs(settings)
    settings = with_token(settings, host, make_token)
    with listen(host, port) as listener:
        from agents.src.api.server import serve_parts  # brings FastAPI, which no other command needs

        parts = bootstrap(settings, author=author())
        serve_parts(parts, listener, tell_ready, log_requests=settings.log_level.lower() == "debug")


def tell_ready(url: str) -> None:
    """For people, and for scripts that wait for this line."""
    print(f"Listening on {url}", flush=True)


def with_token(settings: Settings, host: str, make: bool) -> Settings:
    """The settings with a root token: theirs, or on loopback one that is made. Raises Misconfigured."""
    if settings.token:
        return settings
    if not is_loopback(host):
        raise Misconfigured(f"{NO_TOKEN} {HOW}. One is made only where nobody else can connect, on 127.0.0.1.")
    if make:
        token, path = kept_token(settings.state_dir)
        note(f"The token is in {path}")
    elif sys.stdin.isatty() and sys.stderr.isatty() and Confirm.ask(f"{NO_TOKEN} Make one?", console=stderr(), default=True):
        token = new_secret()
        note(f"In the terminal from which you call (this is shown once):\n\n  export MODAL_INVOKE_TOKEN={token}\n")
    else:
        raise Misconfigured(f"{NO_TOKEN} {HOW}, or use --make-token.")
    return settings.model_copy(update={"token": SecretStr(token)})


def kept_token(folder: Path) -> tuple[str, Path]:
    """The token in the folder's token file, which is made if need be and readable by its owner only. Raises Misconfigured."""
    path = folder / TOKEN_FILE
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_once(path, new_secret())
        token = path.read_text().strip()
        others = path.stat().st_mode & 0o077
    except OSError as error:
        raise Misconfigured(f"The token file {path} cannot be made or read ({error.strerror}).") from None
    if others:
        raise Misconfigured(f"Others may read {path}. Delete it, so that a new token is made.")
    if len(token) < MINIMUM_TOKEN_LENGTH:
        raise Misconfigured(f"{path} holds no token. Delete it, so that one is made.")
    return token, path


def write_once(path: Path, text: str) -> None:
    """Under a name of its own first, so that nobody ever reads half a token; the file that was there first stays."""
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(f"{text}\n")
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()


def is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def listen(host: str, port: int) -> socket.socket:
    """A listening socket. Raises Misconfigured where the address cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        reason = (
            os.strerror(error.errno) if error.errno and error.errno > 0 else "no such address"
        )  # strerror repeats the address
        raise Misconfigured(f"Cannot listen on {host}, port {port} ({reason}). Choose others with --host and --port.") from None
