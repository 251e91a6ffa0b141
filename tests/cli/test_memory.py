"""`agents memory`: single entries of the shared memory, and what waits for a review."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from agents.src.memory import Origin, Write, changed
from agents.src.services.qdrant import open_memory
from tests.building import a_settings
from tests.cli.conftest import Agents
from tests.cli.memories import skill_folder

FACT = "Use argon2, not bcrypt."
INFO = """---
name: learner
description: Learns what it is told.
engine: script
run: learn.py
review: true
---
Learn it.
"""
PROGRAM = """import json, sys
given = json.load(sys.stdin)
for text in given["task"].split("; "):
    print(json.dumps({"type": "remember", "text": text}))
print(json.dumps({"type": "result", "text": "learned"}))
"""


@pytest.fixture(autouse=True)
def planning(tmp_path: Path) -> Path:
    return skill_folder(tmp_path / ".claude" / "skills")


def add(agents: Agents, text: str = FACT, *words: str) -> dict[str, Any]:
    entry: dict[str, Any] = json.loads(agents("memory", "add", "planning", text, "--json", *words).stdout)
    return entry


def test_an_entry_is_added_listed_and_found(agents: Agents) -> None:
    added = agents("memory", "add", "planning", FACT, "--section", "Passwords")
    [entry] = json.loads(agents("memory", "list", "--json").stdout)
    assert (added.exit_code, added.stdout) == (0, f"planning {entry['id']}: added.\n")
    assert (entry["text"], entry["section"], entry["source"]) == (FACT, "Passwords", "local")
    header, row = agents("memory", "list", "--skill", "planning").stdout.splitlines()
    assert header.split() == ["skill", "id", "changed", "author", "text"]
    assert row.startswith(f"planning  {entry['id']}  ")
    assert row.endswith(FACT)
    assert agents("memory", "search", "which hash, bcrypt?").stdout.splitlines()[1] == f"planning  {entry['id']}  {FACT}"
    [hit] = json.loads(agents("memory", "search", "bcrypt", "--limit", "1", "--json").stdout)
    assert {**entry, "score": hit["score"]} == hit


def test_the_same_fact_is_there_already(agents: Agents) -> None:
    add(agents)
    again = agents("memory", "add", "planning", FACT)
    assert (again.exit_code, again.stdout.endswith(": was there already.\n")) == (0, True)


def test_a_list_is_of_all_entries_however_many(agents: Agents, planning: Path) -> None:
    (planning / "memory.md").write_text("".join(f"- Fact {number}.\n" for number in range(450)))
    agents("memory", "push")
    assert len(json.loads(agents("memory", "list", "--json").stdout)) == 450


def test_nothing_to_show_says_so(agents: Agents) -> None:
    for words, said in ((("list",), "There are no such entries.\n"), (("search", "x"), "Nothing fits.\n")):
        shown = agents("memory", *words)
        assert (shown.exit_code, shown.stdout, shown.stderr) == (0, "", said)
    assert json.loads(agents("memory", "list", "--json").stdout) == []


def test_an_entry_is_changed_and_forgotten_and_has_a_history(agents: Agents) -> None:
    entry = add(agents)
    changed = agents("memory", "edit", "planning", entry["id"], "Use argon2id.", "--if-revision", entry["rev"])
    assert (changed.exit_code, changed.stdout) == (0, f"planning {entry['id']}: changed.\n")
    gone = agents("memory", "forget", "planning", entry["id"])
    assert (gone.exit_code, gone.stdout) == (0, f"planning {entry['id']}: forgotten.\n")
    assert json.loads(agents("memory", "list", "--json").stdout) == []
    past = json.loads(agents("memory", "history", "planning", entry["id"], "--json").stdout)
    assert [(one["text"], one["forgotten"]) for one in past] == [
        (FACT, False),
        ("Use argon2id.", False),
        ("Use argon2id.", True),
    ]
    rows = agents("memory", "history", "planning", entry["id"]).stdout.splitlines()
    assert rows[1].startswith(f"{entry['rev']}  ")
    assert rows[3].endswith("(forgotten)")


def test_an_edit_that_changes_nothing_says_so(agents: Agents) -> None:
    entry = add(agents)
    same = agents("memory", "edit", "planning", entry["id"], FACT)
    assert (same.exit_code, same.stdout) == (0, f"planning {entry['id']}: says that already.\n")
    assert json.loads(agents("memory", "list", "--json").stdout) == [entry]


@pytest.mark.parametrize("words", [("edit", "Other."), ("forget",)])
def test_a_revision_that_has_moved_is_not_overwritten(agents: Agents, words: tuple[str, ...]) -> None:
    entry = add(agents)
    command, *text = words
    refused = agents("memory", command, "planning", entry["id"], *text, "--if-revision", "0123456789abcdef")
    assert refused.exit_code == 1
    assert f"is at revision {entry['rev']} now" in refused.stderr
    assert [one["text"] for one in json.loads(agents("memory", "list", "--json").stdout)] == [FACT]


def test_names_that_are_wrong_are_answered_with_those_that_are_near(agents: Agents) -> None:
    entry = add(agents)
    for words in (("list", "--skill", "planing"), ("search", "x", "--skill", "planing"), ("add", "planing", "x")):
        wrong = agents("memory", *words)
        assert (wrong.exit_code, wrong.stdout) == (1, "")
        assert 'There is no skill "planing"; did you mean planning?' in wrong.stderr
    near = entry["id"][:-1] + ("0" if entry["id"][-1] != "0" else "1")
    for words in (("edit", "planning", near, "x"), ("forget", "planning", near), ("history", "planning", near)):
        wrong = agents("memory", *words)
        assert wrong.exit_code == 1
        assert f"Did you mean {entry['id']}?" in wrong.stderr
    assert "shows the ids" in agents("memory", "history", "planning", "zzz").stderr


def test_a_skill_of_the_shared_memory_needs_no_folder_here(agents: Agents, planning: Path) -> None:
    add(agents)
    (planning / "SKILL.md").unlink()
    assert agents("memory", "add", "planning", "More.").exit_code == 0


def test_a_skill_of_which_all_was_forgotten_is_still_known(agents: Agents, planning: Path) -> None:
    entry = add(agents)
    agents("memory", "forget", "planning", entry["id"])
    (planning / "SKILL.md").unlink()
    for words, said in ((("list",), "There are no such entries.\n"), (("search", "x"), "Nothing fits.\n")):
        shown = agents("memory", *words, "--skill", "planning")
        assert (shown.exit_code, shown.stderr) == (0, said)


@pytest.mark.parametrize(
    ("text", "said"), [("  ", "text: "), ("bell \x07", "text: "), ("AKIAIOSFODNN7EXAMPLB", "looks like a secret")]
)
def test_what_cannot_be_kept_is_refused(agents: Agents, text: str, said: str) -> None:
    refused = agents("memory", "add", "planning", text)
    assert (refused.exit_code, said in refused.stderr, "AKIA" in refused.stderr) == (2, True, False)
    assert json.loads(agents("memory", "list", "--json").stdout) == []


def test_what_waits_for_a_review_is_shown_and_decided(agents: Agents, skills_dir: Path) -> None:
    folder = skills_dir / "learner"
    folder.mkdir()
    (folder / "info.md").write_text(INFO)
    (folder / "learn.py").write_text(PROGRAM)
    assert agents("memory", "review").stderr == "Nothing waits for a review.\n"
    assert agents("invoke", "learner", "One.; Two.").exit_code == 0
    first, second = json.loads(agents("memory", "review", "--json").stdout)
    assert [(one["skill"], one["text"], one["state"]) for one in (first, second)] == [
        ("learner", "One.", "held"),
        ("learner", "Two.", "held"),
    ]
    header, row, _ = agents("memory", "review").stdout.splitlines()
    assert header.split() == ["number", "skill", "action", "id", "text", "note"]
    assert row.split()[:3] == [str(first["number"]), "learner", "add"]
    accepted = agents("memory", "review", str(first["number"]), "--accept")
    assert (accepted.exit_code, "accepted" in accepted.stdout) == (0, True)
    assert [(one["skill"], one["text"]) for one in json.loads(agents("memory", "list", "--json").stdout)] == [("learner", "One.")]
    assert "- One." in (folder / "memory.md").read_text()
    [rejected] = json.loads(agents("memory", "review", str(second["number"]), "--reject", "--json").stdout)
    assert rejected["state"] == "rejected"
    assert json.loads(agents("memory", "review", "--json").stdout) == []
    twice = agents("memory", "review", str(second["number"]), "--accept")
    assert (twice.exit_code, "is rejected, not held" in twice.stderr) == (1, True)
    assert agents("memory", "review", "999", "--accept").exit_code == 1


@pytest.mark.parametrize("words", [("1",), ("--accept",), ("1", "--accept", "--reject")])
def test_a_review_needs_a_number_and_one_word(agents: Agents, words: tuple[str, ...]) -> None:
    wrong = agents("memory", "review", *words)
    assert (wrong.exit_code, "Give a NUMBER and one of --accept and --reject" in wrong.stderr) == (2, True)


def test_old_marks_of_deleted_entries_are_removed(agents: Agents, surroundings: dict[str, str]) -> None:
    long_ago, recent = add(agents, "One."), add(agents, "Two.")
    agents("memory", "forget", "planning", recent["id"])
    asyncio.run(forgotten_in_1970(Path(surroundings["MODAL_INVOKE_STATE_DIR"]), long_ago["id"]))
    assert agents("memory", "purge", "--older-than", "12h").stdout == "Removed 1 mark.\n"
    assert json.loads(agents("memory", "purge", "--json").stdout) == {"removed": 0}
    assert agents("memory", "history", "planning", long_ago["id"]).exit_code == 1
    assert agents("memory", "history", "planning", recent["id"]).exit_code == 0
    wrong = agents("memory", "purge", "--older-than", "soon")
    assert (wrong.exit_code, "--older-than: a duration looks like 90d" in wrong.stderr) == (2, True)


async def forgotten_in_1970(state_dir: Path, entry_id: str) -> None:
    store = open_memory(a_settings(state_dir, qdrant_url=None))
    entry = (await store.get("planning", [entry_id]))[entry_id]
    await store.write([Write(changed(entry, None, Origin("ada", "local", 1.0)), entry.rev)])
    await store.close()


def test_vectors_that_are_right_are_left_alone(agents: Agents) -> None:
    add(agents)
    assert json.loads(agents("memory", "reindex", "--json").stdout) == {"reindexed": 0}
    assert agents("memory", "reindex").stdout == "Made the vectors of 0 entries anew.\n"
