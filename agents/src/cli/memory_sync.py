"""`agents memory push|pull|sync|status`, also as `scripts/sync_memory.py`: memory.md files and the shared memory."""

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from agents.src.bootstrap import Parts
from agents.src.cli.exits import TellingOfMemory, told
from agents.src.cli.memory_output import INDEX, held_back, outcome_document, print_status, print_steps
from agents.src.cli.memory_round import Home, Outcome, Round
from agents.src.cli.output import AsJson, note, print_json
from agents.src.cli.running import author, state_only, with_parts
from agents.src.errors import InvalidRequest
from agents.src.memory import Direction
from agents.src.services.memory_file import NAME as MEMORY
from agents.src.services.memory_folders import SkillFolder, find_skill_folders, find_undeclared
from agents.src.settings import Settings

AUTO = "auto-memory-"
"""How the name begins under which the shared memory has Claude Code's own memory of a project."""
AT_ONCE = 4
"""Skills at a time where the shared memory is on a server; the embedded one does one thing at a time anyway."""

Skills = Annotated[list[str] | None, typer.Option("--skill", metavar="NAME", help="Only this skill; repeatable.")]
Dirs = Annotated[
    list[Path] | None, typer.Option("--dir", metavar="DIR", help="A skill's folder, or a folder of such; repeatable.")
]
Auto = Annotated[bool, typer.Option("--auto-memory", help="Also Claude Code's own memory of the project you are in.")]
Dry = Annotated[bool, typer.Option("--dry-run", help="Print what would be done, one line an entry; write nothing.")]
Force = Annotated[bool, typer.Option("--force", help="Believe a side that has suddenly become empty.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="Say only what needs attention.")]
Watch = Annotated[bool, typer.Option("--watch", help="Go on: after every change of a memory.md, and every minute.")]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which memories. Without `places`, those of the usual ones that are there; without `skills`, all that lie there."""

    skills: Sequence[str] | None
    places: Sequence[Path] | None
    auto: bool

    def where(self, settings: Settings) -> list[Path]:
        usual = [Path(".claude/skills"), settings.claude_config_dir / "skills", settings.skills_dir]
        return [*self.places] if self.places else [place for place in usual if place.is_dir()]

    def homes(self, parts: Parts) -> list[Home]:
        """Raises InvalidRequest for a place or a skill that is none."""
        folders = find_skill_folders(self.where(parts.settings))
        homes = [home_of(found, parts) for found in folders]
        if self.auto:
            folder, replica = parts.memory.auto_memory(Path.cwd())
            homes.append(Home(folder / INDEX, replica))
        for skill in self.skills or ():
            check_skill(skill, [home.replica.skill for home in homes])
        return [home for home in homes if not self.skills or home.replica.skill in self.skills]


@dataclass(frozen=True, slots=True)
class Manner:
    """How it is done and told."""

    dry: bool = False
    force: bool = False
    as_json: bool = False
    quiet: bool = False


def push(
    skill: Skills = None,
    folder: Dirs = None,
    auto_memory: Auto = False,
    dry_run: Dry = False,
    force: Force = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Send what changed in memory.md files to the shared memory."""
    run(Wanted(skill, folder, auto_memory), Direction.PUSH, Manner(dry_run, force, as_json, quiet))


def pull(
    skill: Skills = None,
    folder: Dirs = None,
    auto_memory: Auto = False,
    dry_run: Dry = False,
    force: Force = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Bring what changed in the shared memory into memory.md files."""
    run(Wanted(skill, folder, auto_memory), Direction.PULL, Manner(dry_run, force, as_json, quiet))


def sync(
    skill: Skills = None,
    folder: Dirs = None,
    auto_memory: Auto = False,
    dry_run: Dry = False,
    force: Force = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
    watch: Watch = False,
) -> None:
    """Bring memory.md files and the shared memory in step.

    Where both sides changed an entry, both texts are kept, and the exit code is 1.
    """
    wanted, manner = Wanted(skill, folder, auto_memory), Manner(dry_run, force, as_json, quiet)
    if not watch:
        run(wanted, Direction.BOTH, manner)
        return
    if dry_run or force:
        raise InvalidRequest("--watch goes with neither --dry-run nor --force.")
    from agents.src.cli.memory_watch import keep_in_step  # brings watchfiles, which only this needs

    with_parts(state_only, lambda parts: keep_in_step(parts, wanted, manner))


def status(skill: Skills = None, folder: Dirs = None, auto_memory: Auto = False, as_json: AsJson = False) -> None:
    """Show what a sync would do, conflicts with both texts, and what is not shared.

    Exit code 1 where there is something to do, or a conflict stands.
    """
    outcomes = outcomes_of(Wanted(skill, folder, auto_memory), Direction.BOTH, Manner(dry=True))
    code = max((outcome.standing_code for outcome in outcomes), default=0)
    if as_json:
        print_json({"code": code, "memories": [outcome_document(outcome) for outcome in outcomes]})
    else:
        print_status(outcomes)
        tell_problems(outcomes)
        tell_nothing(outcomes)
    raise typer.Exit(code)


COMMANDS: tuple[Callable[..., None], ...] = (push, pull, sync, status)


def scripted() -> None:
    """`scripts/sync_memory.py`: those of these commands that sync."""
    script = typer.Typer(
        cls=TellingOfMemory,
        name="sync_memory.py",
        help="Bring memory.md files and the shared memory in step.",
        epilog="Exit codes: 0 in step, 1 conflicts were written, 2 wrong usage, 3 refused, 5 the shared memory is out of reach.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    for command in COMMANDS:
        script.command()(command)
    script()


def run(wanted: Wanted, direction: Direction, manner: Manner) -> None:
    outcomes = outcomes_of(wanted, direction, manner)
    tell(outcomes, manner)
    raise typer.Exit(max((outcome.code for outcome in outcomes), default=0))


def outcomes_of(wanted: Wanted, direction: Direction, manner: Manner) -> list[Outcome]:
    async def work(parts: Parts) -> list[Outcome]:
        homes = wanted.homes(parts)
        for file in [] if manner.quiet or wanted.skills else find_undeclared(wanted.where(parts.settings)):
            note(f"{file}: not shared: there is neither a SKILL.md nor an info.md beside it, so it is no skill's.")
        return await round_of(parts, direction, manner).run(homes)

    return with_parts(state_only, work)


def round_of(parts: Parts, direction: Direction, manner: Manner) -> Round:
    at_once = AT_ONCE if parts.settings.qdrant_url else 1
    return Round(parts.memory.sync(author()), parts.memory.lessons, direction, manner.dry, manner.force, at_once)


def home_of(found: SkillFolder, parts: Parts) -> Home:
    own = found.path.resolve() == (parts.settings.skills_dir / found.name).resolve()
    return Home(found.path / MEMORY, parts.memory.replica(found.path, found.name), own)


def check_skill(name: str, known: Sequence[str]) -> None:
    """Raises InvalidRequest, which suggests names that are near."""
    if name not in known:
        near = difflib.get_close_matches(name[:64], known, n=3)
        hint = f"did you mean {' or '.join(near)}?" if near else f"there are: {', '.join(sorted(set(known))) or 'none'}."
        raise InvalidRequest(f'No folder of a skill "{name[:64]}" was found; {hint} --dir says where to look.')


def tell(outcomes: Sequence[Outcome], manner: Manner) -> None:
    if manner.as_json:
        code = max((outcome.code for outcome in outcomes), default=0)
        print_json({"code": code, "memories": [outcome_document(outcome) for outcome in outcomes]})
        return
    if not manner.quiet:
        print_steps(outcomes)
        for line in held_back(outcomes):
            note(line)
        tell_waiting(outcomes)
    tell_conflicts(outcomes)
    tell_problems(outcomes)
    if not manner.quiet:
        tell_nothing(outcomes)


def tell_waiting(outcomes: Sequence[Outcome]) -> None:
    """What a push or a pull has left: who changed a line and hears nothing takes it for shared."""
    for outcome in outcomes:
        if outcome.report and (count := len(outcome.report.waiting)):
            wait = "change waits" if count == 1 else "changes wait"
            note(f"{outcome.file}: {count} {wait} for `agents memory sync`.")


def tell_conflicts(outcomes: Sequence[Outcome]) -> None:
    for outcome in outcomes:
        if outcome.report and (count := len(outcome.report.conflicts)):
            stand = "conflict stands" if count == 1 else "conflicts stand"
            note(f"{outcome.file}: {count} {stand}; `agents memory status` shows both sides.")


def tell_problems(outcomes: Sequence[Outcome]) -> None:
    for outcome in outcomes:
        if outcome.problem:
            note(f"error: {outcome.skill}: {told(outcome.problem)}")


def tell_nothing(outcomes: Sequence[Outcome]) -> None:
    """Where there is nothing else to tell: that all is well."""
    if not outcomes:
        note("No folder of a skill was found: it has a SKILL.md or an info.md. --dir names it, or the folder that it lies in.")
    elif all(outcome.report and outcome.report.in_step and not outcome.report.conflicts for outcome in outcomes):
        entries = sum(outcome.report.entries for outcome in outcomes if outcome.report)
        note(f"In step: {entries} {'entry' if entries == 1 else 'entries'}.")
