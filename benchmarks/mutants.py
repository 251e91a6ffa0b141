"""Breaks the memory's sync in one way at a time, in a copy, and shows which tests notice.

python benchmarks/mutants.py [--only NAME]… [--histories 600]

The steps are tried first (`STEPS`), then lives in any order (`tests/rooms/memory/life.py`); each way has to be noticed by one of
the two. The exit code is 1 where one is not.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
COPIED = ("agents", "tests", "pyproject.toml")
ROOM, HOUSE = "agents/src/memory", "tests/rooms/memory/house.py"
STEPS = [f"tests/rooms/memory/test_{name}.py" for name in ("plan", "draft", "sync", "edit")] + ["tests/contracts/test_replica.py"]
LIFE = "from tests.rooms.memory.life import live; live({}, 5, 30, shrink=False)"
PATIENCE = 900.0
"""Seconds."""


@dataclass(frozen=True)
class Mutant:
    """In this file, the one place that reads `before` reads `after`."""

    name: str
    file: str
    before: str
    after: str


MUTANTS = [
    Mutant("the guard of a write is dropped", HOUSE, "if (there.rev if there else None) == write.expects:", "if True:"),
    Mutant(
        "the guard of an adoption is dropped",
        HOUSE,
        "if there is not None and there.rev == entry.rev and there.writer == DIRECT:",
        "if (there := entry):",
    ),
    Mutant(
        "tombstones are ignored", f"{ROOM}/plan.py", "return _buried(base, mine, theirs)", "return Push(entry_id, mine, theirs)"
    ),
    Mutant(
        "a deletion beats an edit there",
        f"{ROOM}/plan.py",
        "if deleted_here and unchanged_there else Take",
        "if deleted_here else Take",
    ),
    Mutant("a deletion beats an edit here", f"{ROOM}/plan.py", "return _buried(base, mine, theirs)", "return Take(theirs, mine)"),
    Mutant(
        "the last writer wins",
        f"{ROOM}/plan.py",
        "return Split(theirs, mine, sibling_id(theirs.id, mine.text), None)",
        "return Push(theirs.id, mine, theirs)",
    ),
    Mutant("ancestors are not looked at", f"{ROOM}/plan.py", "return mine.text in theirs.texts_after(", "return False and ("),
    Mutant(
        "a shared memory that has fallen back is believed",
        f"{ROOM}/plan.py",
        "if base is not None and _has_fallen_back(base, theirs):",
        "if False:",
    ),
    Mutant(
        "a shared memory that went another way counts as made from the base",
        f"{ROOM}/plan.py",
        "if base is not None and theirs.is_apart_from(base.rev):",
        "if False:",
    ),
    Mutant(
        "what is written again after a purge is deleted",
        f"{ROOM}/plan.py",
        "return not base.dead and not theirs.dead and theirs.text",
        "return theirs.text",
    ),
    Mutant(
        "first revisions come back",
        f"{ROOM}/entry.py",
        'return entry.model_copy(update={"rev": revision(by, entry.text, dead=False)})',
        "return entry",
    ),
    Mutant(
        "a file from elsewhere that goes one way first is made from the base",
        f"{ROOM}/draft.py",
        "if self.views.heir or not self.touches:",
        "if True:",
    ),
    Mutant(
        "an old copy brings back a conflict that was settled",
        f"{ROOM}/plan.py",
        "if not heir and (settled := _settled(action, theirs)):",
        "if False:",
    ),
    Mutant(
        "opposite settlements of a conflict both count",
        f"{ROOM}/plan.py",
        "    actions |= _opposed(actions, theirs)\n",
        "",
    ),
    Mutant(
        "later pushes of its own name are looked for in last revisions only",
        f"{ROOM}/views.py",
        "entry.last_push_of(state.writer) > state.number",
        "entry.writer == state.writer and entry.number > state.number",
    ),
    Mutant("a sibling comes twice", f"{ROOM}/plan.py", "if entry_id not in apart}", "}"),
    Mutant(
        "the base is not updated",
        f"{ROOM}/sync.py",
        "        await replica.advance(step, generation)\n        return Document",
        "        await replica.advance(Advance(sent=step.sent, number=step.number), generation)\n        return Document",
    ),
    Mutant(
        "the base is updated too early",
        f"{ROOM}/draft.py",
        "        self.sent.append(",
        "        self.base[entry.id] = entry\n        self.sent.append(",
    ),
    Mutant(
        "the state is written before the file",
        f"{ROOM}/sync.py",
        "        if not await replica.write(text, views.text):\n",
        "        await replica.advance(step, generation)\n        if not await replica.write(text, views.text):\n",
    ),
    Mutant(
        "what is intended is not noted",
        f"{ROOM}/sync.py",
        "        await replica.intend(Intent(generation=generation, advance=step))\n",
        "",
    ),
    Mutant("what was sent is not sent again", f"{ROOM}/views.py", "if state.outbox and not self.dry:", "if False:"),
    Mutant(
        "nobody looks whether a write has landed",
        f"{ROOM}/views.py",
        "return stands is not None and stands.descends_from(entry.rev)",
        "return True",
    ),
    Mutant(
        "half a push counts as whole",
        f"{ROOM}/entry.py",
        "return cls(number, len(last) >= last[0].of)",
        "return cls(number, True)",
    ),
    Mutant(
        "the generation is ignored: every file counts as made from the base",
        f"{ROOM}/views.py",
        "return Views(text, document, ids, state, theirs, pulled, fresh, heir or self._meant_empty(document))",
        "return Views(text, document, ids, state, theirs, pulled, fresh, True)",
    ),
    Mutant(
        "no file counts as made from the base",
        f"{ROOM}/plan.py",
        "action = decide(agreed if heir else None,",
        "action = decide(None,",
    ),
    Mutant(
        "a state that is used twice keeps its name",
        f"{ROOM}/views.py",
        "        await replica.rename(unseen=unseen)\n        return await replica.load()",
        "        return state",
    ),
    Mutant(
        "an emptied shared memory is believed",
        f"{ROOM}/views.py",
        "if count == 0 and alive > FEW and not self.force:",
        "if count < 0:",
    ),
    Mutant(
        "an emptied file is believed",
        f"{ROOM}/views.py",
        "if not document.items and alive > FEW and not self.force:",
        "if alive < 0:",
    ),
    Mutant("all is never compared", f"{ROOM}/views.py", "        if count == alive and not due:\n", "        if True:\n"),
    Mutant(
        "what is seen and not agreed on is forgotten",
        "agents/src/services/replica.py",
        "tx.many(ASIDE, [",
        "tx.many(ASIDE, [] and [",
    ),
    Mutant(
        "ids are drawn at random",
        f"{ROOM}/identity.py",
        "    found = digest(skill, text)[:LENGTH]\n",
        "    import os\n\n    found = os.urandom(6).hex()\n",
    ),
    Mutant(
        "siblings' ids are drawn at random",
        f"{ROOM}/identity.py",
        'return f"{entry}~{digest(text)[:SIBLING_LENGTH]}"',
        'import os; return f"{entry}~{os.urandom(4).hex()}"',
    ),
    Mutant(
        "a file is replaced without another look",
        "agents/src/services/replacing.py",
        '    if look(path, len(former or b"") + 1) != former:\n        return False\n',
        "",
    ),
]


def broken(mutant: Mutant, folder: Path) -> None:
    """A copy of the project in which it is so."""
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder / name)
    path = folder / mutant.file
    text = path.read_text()
    if text.count(mutant.before) != 1:
        sys.exit(f"{mutant.name}: {mutant.file} does not read so in one place any more:\n{mutant.before}")
    path.write_text(text.replace(mutant.before, mutant.after))


def noticed_by_steps(folder: Path) -> str | None:
    """The first test that fails."""
    command = ["-m", "pytest", "-x", "-p", "no:cacheprovider", "-k", "not postgres", *STEPS]
    done = run(folder, command)
    found = re.search(r"^(?:FAILED|ERROR) (?:\S*?::(\w+)|\S*?(test_\w+)\.py)", done.stdout, re.MULTILINE)
    return (found[1] or found[2]) if found else None if done.returncode == 0 else "does not run"


def noticed_by_lives(folder: Path, histories: int) -> str | None:
    """The last line of what they say."""
    if not histories:
        return None
    done = run(folder, ["-c", LIFE.format(histories)])
    if done.returncode == 0:
        return None
    errors = [line for line in done.stderr.splitlines() if re.match(r"[\w.]*(Error|Exception|Emptied)\b", line)]
    return errors[-1][:60] if errors else "fails"


def run(folder: Path, command: list[str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run([sys.executable, *command], cwd=folder, capture_output=True, text=True, timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 1, "", "TimeoutError: it goes on and on")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", default=[], help="words of a name")
    parser.add_argument("--histories", type=int, default=600, help="0: the steps alone")
    wanted = parser.parse_args()
    chosen = [mutant for mutant in MUTANTS if not wanted.only or any(words in mutant.name for words in wanted.only)]
    print(f"| what is broken | noticed by the steps | by {wanted.histories} lives | s |\n|---|---|---|---|", flush=True)
    missed = 0
    for mutant in chosen:
        started = time.perf_counter()
        with tempfile.TemporaryDirectory(prefix="modal-invoke-mutant-") as name:
            broken(mutant, Path(name))
            steps, lives = noticed_by_steps(Path(name)), noticed_by_lives(Path(name), wanted.histories)
        missed += not (steps or lives)
        print(f"| {mutant.name} | {steps or '-'} | {lives or '-'} | {time.perf_counter() - started:.0f} |", flush=True)
    print(f"\n{len(chosen) - missed} of {len(chosen)} noticed")
    sys.exit(bool(missed))


if __name__ == "__main__":
    main()
