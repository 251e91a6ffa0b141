"""The deployed app's responder, as far as it goes without Modal: who calls it, and what a call does."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from agents.src.bootstrap import cloud
from agents.src.bootstrap.engines import default_responder
from agents.src.bootstrap.program import escalation_over
from agents.src.clock import Clock
from agents.src.errors import Misconfigured, UnknownQuestion
from agents.src.services.budget_store import SqlBudgets
from agents.src.services.claude_responder import ClaudeResponder
from agents.src.services.database import open_database
from agents.src.services.modal_responder import ModalResponder
from agents.src.services.question_store import SqlQuestionStore
from agents.src.services.rehearsal import Rehearsal, Script
from agents.src.services.task_store import SqlTaskStore
from agents.src.settings import OFF
from agents.src.tasks import Answering, Asked, Claim, Hub, QuestionRules, QuestionState, Turn
from tests.building import a_brief, a_settings, a_task, new_id
from tests.services.test_claude_responder import WHICH, accepted, decision

CAREFUL = WHICH.model_copy(update={"default": ("SQLite",)})


@pytest.fixture(autouse=True)
def _no_modal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of this machine's account: Modal refuses whoever asks, before anything is sent."""
    monkeypatch.setenv("MODAL_CONFIG_PATH", os.devnull)
    monkeypatch.delenv("MODAL_TOKEN_ID", raising=False)


class Database:
    """One that several containers share, and a question in it, of a task that a run holds."""

    def __init__(self, url: str, state_dir: Path) -> None:
        claude = {"question_responder": "haiku", "anthropic_api_key": "sk-the-real-one", "claude_config_dir": state_dir}
        self.settings = a_settings(state_dir, database_url=url, **claude)
        self.db, self.hub, self.clock = open_database(url, state_dir), Hub(), Clock()
        self.tasks = SqlTaskStore(self.db, self.hub, self.clock)
        self.questions = SqlQuestionStore(self.db, self.hub, self.clock)

    async def ask(self) -> Asked:
        claim = Claim("somebody", self.clock.now() + 60)
        run = (await self.tasks.add(a_task(id=new_id(), created_at=self.clock.now()), a_brief(), claim=claim)).run
        assert run
        return await self.questions.ask(run, "k", CAREFUL, QuestionRules(ask=(Turn.RESPONDER,)))

    async def called(self, asked: Asked) -> None:
        """Makes it the responder's turn, and no more, as where another process has called for it."""
        budgets = SqlBudgets(self.db, self.hub, self.clock, None)
        escalation = escalation_over(Answering(self.questions, None), self.tasks, self.hub, self.clock, Called(), budgets)
        await escalation.once()
        assert (await self.questions.get(asked.id)).whose_turn is Turn.RESPONDER


class Called(ModalResponder):
    """Takes it that the call was made."""

    async def respond(self, *_: object) -> None: ...


def test_a_call_has_the_model_answer_and_a_second_one_does_nothing(new_postgres: Callable[[], str], state_dir: Path) -> None:
    script = Script.model_validate({"name": "trial.yaml", "replies": [decision(choices=["Postgres"])]})

    async def story() -> None:
        here = Database(new_postgres(), state_dir)
        async with Rehearsal(script) as service:
            settings = here.settings.model_copy(update={"anthropic_base_url": service.url})
            asked = await here.ask()
            await cloud.respond(settings, asked.id)  # before its turn
            assert service.requests == []
            await here.called(asked)
            for _ in range(2):
                await cloud.respond(settings, asked.id)
            assert (await here.questions.get(asked.id)).answer == accepted(choices=("Postgres",))
            assert len(service.requests) == 1
            assert (await here.tasks.get(asked.task_id)).usage.output_tokens == 20
        await here.db.close()

    asyncio.run(story())


def test_a_call_that_has_no_model_to_ask_has_the_next_in_turn_asked(new_postgres: Callable[[], str], state_dir: Path) -> None:
    async def story() -> None:
        here = Database(new_postgres(), state_dir)
        asked = await here.ask()
        await here.called(asked)
        await cloud.respond(here.settings.model_copy(update={"rehearsal": state_dir / "trial.yaml"}), asked.id)
        answered = await here.questions.get(asked.id)
        assert answered.answer and (answered.state, answered.answer.by) == (QuestionState.ANSWERED, Turn.DEFAULT)
        with pytest.raises(UnknownQuestion):
            await cloud.respond(here.settings, new_id())
        await here.db.close()

    asyncio.run(story())


def test_a_call_without_a_database_says_what_is_missing(state_dir: Path) -> None:
    with pytest.raises(Misconfigured, match="DATABASE_URL"):
        asyncio.run(cloud.respond(a_settings(state_dir), new_id()))


def test_where_modal_takes_no_call_the_next_in_turn_is_asked(new_postgres: Callable[[], str], state_dir: Path) -> None:
    async def story() -> None:
        here = Database(new_postgres(), state_dir)
        asked = await here.ask()
        with capture_logs() as log:
            await cloud.reap(here.settings)
        answered = await here.questions.get(asked.id)
        assert answered.answer and answered.answer.by is Turn.DEFAULT
        assert ["Modal did not take the request" in line["detail"] for line in log if line["event"] == "responder_failed"] == [
            True
        ]
        await here.db.close()

    asyncio.run(story())


def test_who_answers_is_a_matter_of_the_settings(state_dir: Path) -> None:
    on = a_settings(state_dir, question_responder="")
    chosen = default_responder(on)
    assert isinstance(chosen, ClaudeResponder) and chosen.model is None
    named = default_responder(on.model_copy(update={"question_responder": "haiku"}))
    assert isinstance(named, ClaudeResponder) and named.model == "haiku"
    assert isinstance(cloud.called_responder(on), ModalResponder)
    off = on.model_copy(update={"question_responder": OFF})
    assert (default_responder(off), cloud.called_responder(off)) == (None, None)
    assert default_responder(on.model_copy(update={"rehearsal": state_dir / "trial.yaml"})) is None
