"""The command line: mounts the commands."""

from typing import Annotated

import typer

from agents import __version__
from agents.src.cli import conversations, doctor, invoke, memory, migrate, questions, rehearse, serve, skills, tasks, token
from agents.src.cli.exits import Telling

app = typer.Typer(
    name="agents",
    cls=Telling,
    help="Run Claude Code skills: here, over HTTP, or on Modal.",
    epilog="Exit codes: 0 done, 1 failed, 2 wrong usage or configuration, 3 waits, 130 interrupted. `docs/cli.md` has the rest.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # it takes `[default: …]` for markup, and keeps the line breaks of a docstring
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(serve.serve)
app.command()(invoke.invoke)
app.add_typer(skills.app, name="skills")
app.add_typer(tasks.app, name="tasks")
app.add_typer(questions.app, name="questions")
app.add_typer(memory.app, name="memory")
app.add_typer(conversations.app, name="conversations")
app.add_typer(token.app, name="token")
app.command()(rehearse.rehearse)
app.command()(doctor.doctor)
app.command()(migrate.migrate)


def show_version(wanted: bool) -> None:
    if wanted:
        print(f"agents {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[  # its callback does the work
        bool, typer.Option("--version", callback=show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None: ...


def main() -> None:
    """The `agents` program."""
    app()
