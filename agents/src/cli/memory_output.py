"""How the memory's commands answer: entries, lessons, and what a sync did."""

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from agents.src.cli.memory_round import Outcome
from agents.src.cli.output import clean, moment, note, print_aligned, print_json, print_table, print_text
from agents.src.clock import iso
from agents.src.memory import Conflict, Deed, Document, Hit, MemoryEntry, Report, Step, Taught

SIGNS = {
    Deed.ADD: "+",
    Deed.CHANGE: "~",
    Deed.DELETE: "-",
    Deed.FETCH: "<",
    Deed.DROP: "x",
    Deed.CONFLICT: "!",
    Deed.HOLD: "?",
}
UP = {Deed.ADD, Deed.CHANGE, Deed.DELETE}
DOWN = {Deed.FETCH, Deed.DROP}
INDEX = "MEMORY.md"
LINE = 100
"""Characters of a text in a list."""


def entry_document(entry: MemoryEntry) -> dict[str, Any]:
    """The entry as the HTTP interface gives it."""
    from agents.src.api.memory_views import EntryView  # brings FastAPI, which only this needs

    return EntryView.of(entry).model_dump(mode="json")


def lesson_document(taught: Taught) -> dict[str, Any]:
    from agents.src.api.memory_views import LessonView

    return LessonView.of(taught).model_dump(mode="json")


def print_entries(entries: Sequence[MemoryEntry], as_json: bool) -> None:
    if as_json:
        print_json([entry_document(entry) for entry in entries])
    elif entries:
        rows = [(entry.skill, entry.id, moment(entry.changed_at), entry.author, brief(entry.text)) for entry in entries]
        print_table(("skill", "id", "changed", "author", "text"), rows)
    else:
        note("There are no such entries.")


def print_hits(hits: Sequence[Hit], as_json: bool) -> None:
    if as_json:
        print_json([{**entry_document(hit.entry), "score": hit.score} for hit in hits])
    elif hits:
        print_table(("skill", "id", "text"), [(hit.entry.skill, hit.entry.id, brief(hit.entry.text)) for hit in hits])
    else:
        note("Nothing fits.")


def print_history(revisions: Sequence[MemoryEntry], as_json: bool) -> None:
    if as_json:
        print_json([revision_document(revision) for revision in revisions])
        return
    rows = [
        (one.rev, moment(one.changed_at), one.author, one.source, "(forgotten)" if one.dead else brief(one.text))
        for one in revisions
    ]
    print_table(("revision", "changed", "author", "source", "text"), rows)


def revision_document(entry: MemoryEntry) -> dict[str, Any]:
    kept = entry.model_dump(include={"rev", "text", "source", "author"})
    return {**kept, "forgotten": entry.dead, "changed_at": iso(entry.changed_at)}


def print_lessons(held: Sequence[Taught], as_json: bool) -> None:
    if as_json:
        print_json([lesson_document(taught) for taught in held])
    elif held:
        rows = [(str(one.number), one.skill, one.lesson.action, one.lesson.id, brief(one.lesson.text), one.note) for one in held]
        print_table(("number", "skill", "action", "id", "text", "note"), rows)
        note("Decide with `agents memory review NUMBER --accept` or `--reject`.")
    else:
        note("Nothing waits for a review.")


def brief(text: str) -> str:
    """On one line, without what could take a terminal over."""
    line = " ".join(clean(text).split())
    return line if len(line) <= LINE else f"{line[: LINE - 1]}…"


def outcome_document(outcome: Outcome) -> dict[str, Any]:
    """`error` has a type and a detail; the lists are empty then."""
    report = outcome.report or Report(outcome.skill)
    problem = outcome.problem
    return {
        "skill": outcome.skill,
        "file": str(outcome.file),
        "entries": report.entries,
        "steps": [step_document(step) for step in report.steps],
        "waiting": [step_document(step) for step in report.waiting],
        "conflicts": [conflict_document(conflict) for conflict in report.conflicts],
        "new_conflicts": [*report.new_conflicts],
        "error": {"type": type(problem).__name__, "detail": problem.detail} if problem else None,
    }


def step_document(step: Step) -> dict[str, str]:
    """Of what was held back, not the text: it may be a secret."""
    text = "" if step.deed is Deed.HOLD else step.text
    return {"deed": step.deed.value, "id": step.id, "text": text, "note": step.note}


def conflict_document(conflict: Conflict) -> dict[str, str]:
    return {"id": conflict.id, "text": conflict.text, "sibling": conflict.sibling, "other": conflict.other}


def print_steps(outcomes: Iterable[Outcome]) -> None:
    """One line for each entry that moved: `planning  + a167aa41ae7e  use argon2 …`."""
    steps = [step for outcome in outcomes if outcome.report for step in outcome.report.steps if step.deed is not Deed.HOLD]
    if steps:
        print_aligned([(step.skill, f"{SIGNS[step.deed]} {step.id}", brief(step.text)) for step in steps])


def print_status(outcomes: Sequence[Outcome]) -> None:
    """A row for each skill that has a memory; each conflict with both texts; what is held back, and why."""
    rows = [row(outcome.report, outcome.file) for outcome in outcomes if outcome.report and not outcome.is_bare]
    if rows:
        print_table(("skill", "entries", "to push", "to pull", "conflicts", "held back", "file"), rows)
    for outcome in outcomes:
        for conflict in outcome.report.conflicts if outcome.report else ():
            print_conflict(conflict)
    if lines := [*held_back(outcomes)]:
        print_text("\n" + "\n".join(lines))


def row(report: Report, file: Path) -> tuple[str, ...]:
    deeds = [step.deed for step in report.steps]
    both = deeds.count(Deed.CONFLICT)
    up, down = sum(deed in UP for deed in deeds), sum(deed in DOWN for deed in deeds)
    counts = (report.entries, up, down, both + len(report.conflicts), len(report.held))
    return (report.skill, *map(str, counts), str(file))


def print_conflict(conflict: Conflict) -> None:
    print_text(f"\n{conflict.skill} {conflict.id} was changed on both sides:")
    print_text(f"  theirs  {brief(conflict.text)}")
    print_text(f"  mine    {brief(conflict.other)}")
    print_text(
        f"  Delete one of the two lines, or: agents memory resolve {conflict.skill} {conflict.sibling} --keep mine|theirs|both"
    )


def held_back(outcomes: Iterable[Outcome]) -> Iterator[str]:
    """Where each line stands that is not shared, and why; never what it says."""
    for outcome in outcomes:
        for step in outcome.report.held if outcome.report else ():
            yield f"{place_of(outcome.file, step.text)}: not shared: {step.note}"


def place_of(file: Path, text: str) -> str:
    """`FILE:LINE`, or the file that is an entry as a whole."""
    whole = re.match(r"File: (.+)", text)
    return str(file.with_name(whole[1])) if whole and file.name == INDEX else f"{file}:{line_of(file, text)}"


def line_of(file: Path, text: str) -> int:
    """1-based; 1 where the file has changed meanwhile."""
    try:
        items = Document.parse(file.read_text(encoding="utf-8")).items
    except (OSError, ValueError):
        return 1
    return next((item.line for item in items if item.text == text), 1)
