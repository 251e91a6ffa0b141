"""`agents memory resolve|review|purge|reindex`: what a person does now and then, so that a memory stays good."""

from collections.abc import Callable, Sequence
from typing import Annotated

import typer

from agents.src.bootstrap import Parts
from agents.src.cli.memory_output import print_lessons
from agents.src.cli.memory_round import IN_STEP, Home
from agents.src.cli.memory_sync import AUTO, Dirs, Manner, Wanted, outcomes_of, tell
from agents.src.cli.output import AsJson, print_json
from agents.src.cli.running import state_only, with_parts, with_skills
from agents.src.cli.token import parse_duration
from agents.src.errors import InvalidRequest, Unavailable, UnknownEntry
from agents.src.memory import Direction, Keep, Taught, judge, resolved

TRIES = 5
"""Times that a file is written anew because an editor wrote it meanwhile."""


def resolve(
    skill: Annotated[str, typer.Argument(metavar="SKILL", help="The skill's name.")],
    entry_id: Annotated[str, typer.Argument(metavar="ID", help="The entry in conflict, or its other side.")],
    keep: Annotated[Keep, typer.Option(metavar="mine|theirs|both", help="The text that stays; `status` shows both.")],
    folder: Dirs = None,
    as_json: AsJson = False,
) -> None:
    """Settle a conflict in memory.md, then sync."""
    wanted = Wanted([skill], folder, auto=skill.startswith(AUTO))

    async def settle(parts: Parts) -> None:
        missing = [await settled(home, entry_id, keep) for home in wanted.homes(parts)]
        if all(missing):
            raise missing[0] or AssertionError

    with_parts(state_only, settle)
    outcomes = outcomes_of(wanted, Direction.BOTH, Manner())
    tell(outcomes, Manner(as_json=as_json))
    raise typer.Exit(max((outcome.code for outcome in outcomes), default=IN_STEP))


async def settled(home: Home, entry_id: str, keep: Keep) -> UnknownEntry | None:
    """What is wrong where the conflict does not stand in this file."""
    async with home.replica.locked():
        for _ in range(TRIES):
            text = await home.replica.read()
            try:
                after = resolved(text or "", home.replica.skill, entry_id, keep)
            except UnknownEntry as unknown:
                return unknown
            if await home.replica.write(after, text):
                return None
    raise Unavailable(f"{home.file} is being written again and again; run this once more.")


def review(
    number: Annotated[int | None, typer.Argument(metavar="NUMBER", help="Which one; without, all that wait are shown.")] = None,
    accept: Annotated[bool, typer.Option("--accept", help="It goes into the memory.")] = False,
    reject: Annotated[bool, typer.Option("--reject", help="It does not.")] = False,
    as_json: AsJson = False,
) -> None:
    """Look at what tasks learned and a person has to accept, and decide."""
    if (number is None) == (accept or reject) or (accept and reject):
        raise InvalidRequest("Give a NUMBER and one of --accept and --reject, or none of them to see what waits.")

    async def decide(parts: Parts) -> Sequence[Taught]:
        if number is None:
            return await parts.memory.lessons.held()
        taught = await judge(parts.memory.lessons, number, accept=accept)
        if accept:
            parts.memory.nudge(taught.skill)
        return [taught]

    found = with_parts(with_skills if accept else state_only, decide)  # where it is accepted, it is taken in before the end
    if number is None or as_json:
        print_lessons(found, as_json)
    else:
        print(f"Lesson {number} is {'accepted and goes into the memory' if accept else 'rejected'}.")


def purge(
    older_than: Annotated[str, typer.Option(metavar="AGE", help="How long ago they were deleted: 90d, 12h or 30m.")] = "90d",
    as_json: AsJson = False,
) -> None:
    """Remove the marks of entries that were deleted long ago.

    A memory.md that has not been synced for so long may bring such an entry back.
    """
    age = parse_duration(older_than, "--older-than")
    removed = with_parts(state_only, lambda parts: parts.memory.store.purge(parts.clock.now() - age))
    print_json({"removed": removed}) if as_json else print(f"Removed {removed} {'mark' if removed == 1 else 'marks'}.")


def reindex(as_json: AsJson = False) -> None:
    """Make the vectors of entries anew that another model made, or none."""
    changed = with_parts(state_only, lambda parts: parts.memory.store.reindex())
    print_json({"reindexed": changed}) if as_json else print(f"Made the vectors of {changed} entries anew.")


COMMANDS: tuple[Callable[..., None], ...] = (resolve, review, purge, reindex)
