"""`agents memory`: what skills have learned, in the shared memory and in the memory.md files of this machine."""

import difflib
from typing import Annotated

import typer

from agents.src.bootstrap import Parts
from agents.src.cli import memory_care, memory_sync
from agents.src.cli.exits import TellingOfMemory
from agents.src.cli.memory_output import entry_document, print_entries, print_history, print_hits
from agents.src.cli.memory_sync import Wanted
from agents.src.cli.output import AsJson, note, print_json
from agents.src.cli.running import author, state_only, with_parts
from agents.src.errors import UnknownEntry, UnknownSkill
from agents.src.memory import Hit, MemoryEntry, history
from agents.src.services.memory_folders import find_skill_folders

app = typer.Typer(cls=TellingOfMemory, help="What skills have learned: look, change, bring in step.", no_args_is_help=True)
for command in (*memory_sync.COMMANDS, *memory_care.COMMANDS):
    app.command()(command)

PAGE = 200

Skill = Annotated[str, typer.Argument(metavar="SKILL", help="The skill's name.")]
OnlySkill = Annotated[str | None, typer.Option("--skill", metavar="SKILL", help="Only this skill.")]
EntryId = Annotated[str, typer.Argument(metavar="ID", help="The entry's id.")]
IfRevision = Annotated[
    str | None, typer.Option("--if-revision", metavar="REV", help="Only if this is still its revision, as `history` shows it.")
]


@app.command("list")
def list_entries(skill: OnlySkill = None, as_json: AsJson = False) -> None:
    """List the entries of the shared memory."""

    async def look(parts: Parts) -> list[MemoryEntry]:
        skills = [await known_skill(parts, skill)] if skill else None
        page = await parts.memory.store.page(skills, None, PAGE)
        found = [*page.items]
        while page.next:
            page = await parts.memory.store.page(skills, page.next, PAGE)
            found += page.items
        return sorted(found, key=lambda entry: (entry.skill, entry.created_at, entry.id))

    print_entries(with_parts(state_only, look), as_json)


@app.command()
def search(
    query: Annotated[str, typer.Argument(metavar="QUERY", help="Words, or a question.")],
    skill: OnlySkill = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, metavar="N", help="How many at most.")] = 10,
    as_json: AsJson = False,
) -> None:
    """Find the entries that fit some words best."""

    async def look(parts: Parts) -> tuple[Hit, ...]:
        skills = [await known_skill(parts, skill)] if skill else None
        return await parts.memory.store.search(query, skills, limit)

    print_hits(with_parts(state_only, look), as_json)


@app.command()
def add(
    skill: Skill,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="The fact.")],
    section: Annotated[str, typer.Option(metavar="HEADING", help="The heading in memory.md that it belongs under.")] = "",
    as_json: AsJson = False,
) -> None:
    """Teach a skill a fact.

    It comes into memory.md files with their next pull.
    """

    async def write(parts: Parts) -> tuple[MemoryEntry, bool]:
        return await parts.memory.editor("local").add(await known_skill(parts, skill), text, section, author())

    entry, new = with_parts(state_only, write)
    tell_entry(entry, "added" if new else "was there already", as_json)


@app.command()
def edit(
    skill: Skill,
    entry_id: EntryId,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What it says from now on.")],
    if_revision: IfRevision = None,
    as_json: AsJson = False,
) -> None:
    """Change what an entry says."""

    async def write(parts: Parts) -> tuple[MemoryEntry, bool]:
        before = await known_entry(parts, skill, entry_id)
        after = await parts.memory.editor("local").edit(skill, entry_id, if_revision, text, author())
        return after, after.rev != before.rev

    entry, new = with_parts(state_only, write)
    tell_entry(entry, "changed" if new else "says that already", as_json)


@app.command()
def forget(skill: Skill, entry_id: EntryId, if_revision: IfRevision = None, as_json: AsJson = False) -> None:
    """Delete an entry, everywhere."""

    async def write(parts: Parts) -> MemoryEntry:
        await known_entry(parts, skill, entry_id)
        return await parts.memory.editor("local").forget(skill, entry_id, if_revision, author())

    tell_entry(with_parts(state_only, write), "forgotten", as_json)


@app.command("history")
def show_history(skill: Skill, entry_id: EntryId, as_json: AsJson = False) -> None:
    """Show what an entry said before, also one that was forgotten."""

    async def look(parts: Parts) -> MemoryEntry:
        return await known_entry(parts, skill, entry_id)

    print_history(history(with_parts(state_only, look)), as_json)


async def known_skill(parts: Parts, name: str) -> str:
    """A skill of this machine, or one that the shared memory knows, were it by what was forgotten.

    Raises UnknownSkill, which suggests names that are near.
    """
    wanted = Wanted(None, None, auto=False)
    names = sorted({folder.name for folder in find_skill_folders(wanted.where(parts.settings))})
    if name in names or await parts.memory.store.count(name) or await parts.memory.store.revisions(name):
        return name
    near = difflib.get_close_matches(name[:64], names, n=3)
    hint = f"did you mean {' or '.join(near)}?" if near else f"on this machine there are: {', '.join(names) or 'none'}."
    raise UnknownSkill(f'There is no skill "{name[:64]}"; {hint}')


async def known_entry(parts: Parts, skill: str, entry_id: str) -> MemoryEntry:
    """An entry, also a dead one. Raises UnknownSkill, and UnknownEntry, which suggests ids that are near."""
    try:
        return await parts.memory.editor("local").get(skill, entry_id)
    except UnknownEntry as unknown:
        ids = await parts.memory.store.revisions(await known_skill(parts, skill))
        near = difflib.get_close_matches(entry_id[:64], ids, n=3)
        hint = f"Did you mean {' or '.join(near)}?" if near else f"`agents memory list --skill {skill}` shows the ids."
        raise UnknownEntry(f"{unknown.detail} {hint}") from None


def tell_entry(entry: MemoryEntry, what: str, as_json: bool) -> None:
    print_json(entry_document(entry)) if as_json else print(f"{entry.skill} {entry.id}: {what}.")
    if entry.dead and not as_json:
        note(f"`agents memory history {entry.skill} {entry.id}` still shows it.")
