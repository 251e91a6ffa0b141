"""What is said to one Claude Code process, and what of it counts as heard."""

import asyncio
from typing import Any

from claude_agent_sdk import ResultMessage

from agents.src.services.claude_speech import Speech


def a_result(*heard: str, is_error: bool = False) -> ResultMessage:
    turn: dict[str, Any] = {"duration_ms": 1, "duration_api_ms": 1, "num_turns": 1, "session_id": "s"}
    return ResultMessage(subtype="success", is_error=is_error, user_message_uuids=list(heard), **turn)


async def sent(speech: Speech, number: int) -> dict[str, str]:
    """The next messages, by their ids."""
    messages, found = speech.messages(), {}
    for _ in range(number):
        message = await anext(messages)
        found[message["uuid"]] = message["message"]["content"]
    return found


def test_it_is_over_when_all_was_taken_in_and_not_before() -> None:
    async def story() -> None:
        speech = Speech("one")
        speech.say("two")
        one, two = await sent(speech, 2)
        speech.hear(a_result(one))
        assert not speech.is_heard
        speech.hear(a_result(two))
        assert speech.is_heard
        assert [message async for message in speech.messages()] == []

    asyncio.run(story())


def test_after_an_error_it_is_over_whatever_was_not_heard() -> None:
    async def story() -> None:
        speech = Speech("one", held_back=("two",))
        await sent(speech, 1)
        speech.hear(a_result(is_error=True))
        speech.say("three")
        assert [message async for message in speech.messages()] == []
        assert speech.unheard_by([]) == ("one", "three", "two")

    asyncio.run(story())


def test_what_the_transcript_has_was_heard_in_the_turn_that_was_cut_short() -> None:
    async def story() -> None:
        speech = Speech("one")
        for text in ("two", "three"):
            speech.say(text)
        one, two, _ = await sent(speech, 3)
        transcript: list[dict[str, Any]] = [
            {"type": "user", "uuid": one},
            {"type": "attachment", "uuid": "x", "attachment": {"source_uuid": two}},
        ]
        assert speech.unheard_by(transcript) == ("three",)

    asyncio.run(story())


def test_what_is_held_back_is_said_once_the_conversation_goes_on() -> None:
    async def story() -> None:
        speech = Speech(held_back=("one", "two"))
        assert speech.is_silent and not speech.is_heard
        speech.release()
        speech.release()
        assert list((await sent(speech, 2)).values()) == ["one", "two"]

    asyncio.run(story())
