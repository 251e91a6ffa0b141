"""`agents invoke` of a skill that asks: at a terminal, and without one."""

import os
import pty
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agents.src.cli.asking import lines, understood
from agents.src.tasks import Action, Answer, Choice, Question
from tests.cli.conftest import Agents
from tests.cli.processes import ROOT

CHOICES = Question(text="Which?", header="Colour", choices=(Choice(label="Red", description="As fire."), Choice(label="blue")))
STRICT = CHOICES.model_copy(update={"free_text": False, "default": ("blue",)})
SEVERAL = CHOICES.model_copy(update={"several": True})
WORDS = Question(text="Where to?", default=("home",))

# `agents invoke` with an engine of its own in the place of the two that there are.
PROGRAM = textwrap.dedent(
    """
    import asyncio, pathlib, sys
    from agents.src.cli.invoke import invoked, tell
    from agents.src.cli.running import quiet_settings
    from agents.src.skills import SkillRequest
    from agents.src.tasks import Choice, Question, Result
    from tests.building import parts, running

    async def work(brief, workspace, ask):
        which = Question(text="Which?", choices=(Choice(label="red"), Choice(label="blue")), free_text=False)
        first = await ask(which)
        second = await ask(Question(text="Where to?", default=("home",)))
        yield Result(text="; ".join(answer.words or answer.action for answer in (first, second)))

    async def main():
        state_dir, hold = pathlib.Path(sys.argv[1]), float(sys.argv[2])
        async with running(parts(state_dir, works={"noop": work}, alone=True, question_hold_seconds=hold)) as here:
            return await invoked(here, SkillRequest(skill="noop", task="Please."), None, quiet=False)

    quiet_settings()
    done = asyncio.run(main())
    tell(done, as_json=False)
    sys.exit(done.exit_code)
    """
)


class Terminal:
    """What a person sees, and types."""

    def __init__(self, ours: int) -> None:
        self._ours = ours
        self.seen = ""

    def until(self, words: str) -> None:
        """Reads on until these words have been seen; what came before them is done with."""
        while words not in self.seen:
            try:
                read = os.read(self._ours, 1 << 16).decode()
            except OSError:
                read = ""
            assert read, self.seen
            self.seen += read
        self.seen = self.seen.partition(words)[2]

    def type(self, text: str) -> None:
        os.write(self._ours, text.encode())


@contextmanager
def at_a_terminal(state_dir: Path, hold: float) -> Iterator[tuple["subprocess.Popen[str]", Terminal]]:
    ours, theirs = pty.openpty()
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "dumb", "COLUMNS": "200"}
    command = [sys.executable, "-c", PROGRAM, str(state_dir), str(hold)]
    with subprocess.Popen(
        command, env=environment, stdin=theirs, stdout=subprocess.PIPE, stderr=theirs, text=True, start_new_session=True
    ) as process:
        os.close(theirs)
        try:
            yield process, Terminal(ours)
        finally:
            process.kill() if process.poll() is None else None
            os.close(ours)


@pytest.mark.parametrize("hold", [60, 0])
def test_a_person_at_the_terminal_is_asked(surroundings: dict[str, str], tmp_path: Path, hold: float) -> None:
    with at_a_terminal(tmp_path / "state", hold) as (process, terminal):
        terminal.until("Which?")
        terminal.until("2  blue")
        terminal.type("green\n")
        terminal.until("takes its choices only: 'red', 'blue'")
        terminal.type("2\n")
        terminal.until("Where to?")
        terminal.until("Enter for home")
        terminal.type("\n")
        out, _ = process.communicate(timeout=30)
        assert (process.returncode, out) == (0, "blue; home\n")


def test_ctrl_d_declines(surroundings: dict[str, str], tmp_path: Path) -> None:
    with at_a_terminal(tmp_path / "state", 60) as (process, terminal):
        for question in ("Which?", "Where to?"):
            terminal.until(question)
            terminal.until("Ctrl-D to decline)")
            terminal.type("\x04")
        out, _ = process.communicate(timeout=30)
        assert (process.returncode, out) == (0, "decline; decline\n")


@pytest.mark.parametrize("hold", [60, 0])
def test_what_is_answered_elsewhere_is_asked_no_longer(agents: Agents, tmp_path: Path, hold: float) -> None:
    with at_a_terminal(tmp_path / "state", hold) as (process, terminal):
        for question, answer in (("Which?", ("--choice", "red")), ("Where to?", ("--text", "there"))):
            terminal.until(question)
            terminal.until("Ctrl-D to decline)")
            [pending] = agents("questions", "list", "--status", "pending").stdout.splitlines()[1:]
            assert agents("questions", "answer", pending.split()[0], *answer).exit_code == 0
        out, _ = process.communicate(timeout=30)
        assert (process.returncode, out) == (0, "red; there\n")


def test_without_a_terminal_the_question_waits_and_it_is_said_how_to_answer(agents: Agents, tmp_path: Path) -> None:
    command = [sys.executable, "-c", PROGRAM, str(tmp_path / "state"), "0"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    left = subprocess.run(
        command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False
    )
    assert (left.returncode, left.stdout) == (3, "")
    assert "waits: Which? [red | blue]" in left.stderr
    [pending] = agents("questions", "list").stdout.splitlines()[1:]
    assert f"agents questions answer {pending.split()[0]} --choice LABEL" in left.stderr
    answered = agents("questions", "answer", pending.split()[0], "--choice", "red")
    assert answered.exit_code == 0
    assert "goes on as soon as a server takes it up" in answered.stderr


@pytest.mark.parametrize(
    ("line", "question", "expected"),
    [
        ("1\n", CHOICES, {"choices": ("Red",)}),
        ("red\n", CHOICES, {"choices": ("Red",)}),
        ("2, 1\n", SEVERAL, {"choices": ("blue", "Red")}),
        ("2 2\n", SEVERAL, {"choices": ("blue",)}),
        ("3\n", CHOICES, {"text": "3"}),
        ("0\n", CHOICES, {"text": "0"}),
        ("² \n", CHOICES, {"text": "²"}),
        ("1 or so\n", CHOICES, {"text": "1 or so"}),
        ("1\n", WORDS, {"text": "1"}),
        ("\n", WORDS, {"text": "home"}),
        ("\n", STRICT, {"choices": ("blue",)}),
        ("  \n", CHOICES, None),
        ("", CHOICES, {"action": Action.DECLINE}),
    ],
)
def test_what_a_typed_line_means(line: str, question: Question, expected: dict[str, object] | None) -> None:
    answer = None if expected is None else Answer.model_validate({"action": Action.ACCEPT, "name": "ada", **expected})
    assert understood(line, question, "ada") == answer


def test_how_a_question_is_put() -> None:
    assert lines(CHOICES) == ["Colour: Which?", "  1  Red: As fire.", "  2  blue", "(a number or words; Ctrl-D to decline)"]
    assert lines(STRICT)[-1] == "(a number; Enter for blue; Ctrl-D to decline)"
    assert lines(SEVERAL)[-1] == "(numbers, with commas or words; Ctrl-D to decline)"
    assert lines(WORDS) == ["Where to?", "(words; Enter for home; Ctrl-D to decline)"]
