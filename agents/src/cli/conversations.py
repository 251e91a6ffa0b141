"""`agents conversations`: what was said around tasks, straight from the database, with or without a server."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, Any

import typer

from agents.src.bootstrap import Parts
from agents.src.cli.output import AsJson, moment, note, print_json, print_table, print_text
from agents.src.cli.running import state_only, with_parts
from agents.src.conversations import Conversation, Message, as_json, as_markdown, whole, words_of
from agents.src.errors import InvalidRequest, UnknownConversation

app = typer.Typer(help="What was said around tasks: list, show, search, export.", no_args_is_help=True)

LINE = 100
"""Characters of a text in a list."""

Name = Annotated[str, typer.Argument(metavar="NAME", help="The conversation's name.")]
Whose = Annotated[
    str | None, typer.Option("--caller", metavar="CALLER", help="Whose it is. Needed where several callers have one of the name.")
]
OnlyOf = Annotated[str | None, typer.Option("--caller", metavar="CALLER", help="Only this caller's.")]


class Format(StrEnum):
    JSON = "json"
    MARKDOWN = "markdown"


@app.command("list")
def list_conversations(
    caller: OnlyOf = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, metavar="N", help="How many at most.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List conversations, the one that changed last first."""
    found = with_parts(state_only, lambda parts: parts.conversations.page(caller, (), None, limit)).items
    if as_json:
        print_json([document(conversation) for conversation in found])
    elif found:
        rows = [(one.name, one.caller, str(one.messages), moment(one.changed_at)) for one in found]
        print_table(("name", "caller", "messages", "changed"), rows)
    else:
        note("There are no conversations.")


@app.command()
def show(
    name: Name,
    caller: Whose = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, metavar="N", help="How many messages at most, the last ones.")] = 50,
    as_json: AsJson = False,
) -> None:
    """Show what was said, oldest first."""

    async def look(parts: Parts) -> tuple[Conversation, tuple[Message, ...]]:
        conversation = await find(parts, name, caller)
        first = max(conversation.messages - limit, 0)
        return conversation, (await parts.conversations.messages(conversation.caller, name, first, limit)).items

    conversation, messages = with_parts(state_only, look)
    if as_json:
        print_json({**document(conversation), "messages": [message_document(message) for message in messages]})
    else:
        print_messages(messages)
        if missing := conversation.messages - len(messages):
            note(f"{missing} earlier messages are not shown; --limit shows more.")


@app.command()
def search(
    query: Annotated[str, typer.Argument(metavar="WORDS", help="All of them must occur in a message, whatever their case.")],
    caller: OnlyOf = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, metavar="N", help="How many at most.")] = 20,
    as_json: AsJson = False,
) -> None:
    """Find messages, the newest first."""
    words = words_of(query)
    if not words:
        raise InvalidRequest("Say which words to search for.")
    found = with_parts(state_only, lambda parts: parts.conversations.search(caller, words, limit))
    if as_json:
        print_json([{**message_document(one), "conversation": one.conversation, "caller": one.caller} for one in found])
    elif found:
        rows = [(one.conversation, str(one.id), one.caller, moment(one.at), one.author, brief(one.text)) for one in found]
        print_table(("conversation", "id", "caller", "at", "author", "text"), rows)
    else:
        note("Nothing has all of these words.")


@app.command()
def rename(
    name: Name,
    new: Annotated[str, typer.Argument(metavar="NEW", help="The name that it has from now on.")],
    caller: Whose = None,
    as_json: AsJson = False,
) -> None:
    """Give a conversation another name."""

    async def run(parts: Parts) -> Conversation:
        return await parts.conversations.rename((await find(parts, name, caller)).caller, name, new)

    renamed = with_parts(state_only, run)
    print_json(document(renamed)) if as_json else print(f"The conversation {name!r} of {renamed.caller} is now {renamed.name!r}.")


@app.command()
def delete(name: Name, caller: Whose = None, as_json: AsJson = False) -> None:
    """Delete a conversation with its messages.

    Its tasks stay.
    """

    async def run(parts: Parts) -> Conversation:
        return await parts.conversations.delete((await find(parts, name, caller)).caller, name)

    gone = with_parts(state_only, run)
    told = f"The conversation {name!r} of {gone.caller} is deleted, with {gone.messages} messages."
    print_json(document(gone)) if as_json else print(told)


@app.command()
def export(
    name: Name,
    caller: Whose = None,
    wanted: Annotated[Format, typer.Option("--format", metavar="F", help="json, or markdown.")] = Format.MARKDOWN,
    as_object: AsJson = False,
) -> None:
    """Print a conversation as a document of its own."""

    async def look(parts: Parts) -> tuple[Conversation, tuple[Message, ...]]:
        return await whole(parts.conversations, (await find(parts, name, caller)).caller, name)

    written = as_json if as_object or wanted is Format.JSON else as_markdown
    print_text(written(*with_parts(state_only, look)).removesuffix("\n"))


async def find(parts: Parts, name: str, caller: str | None) -> Conversation:
    """The caller's, or without one the only one of that name. Raises UnknownConversation."""
    if caller is not None:
        return await parts.conversations.get(caller, name)
    found = await parts.conversations.named(name)
    if len(found) == 1:
        return found[0]
    if found:
        callers = " or ".join(f"`--caller {one.caller}`" for one in found)
        raise UnknownConversation(f"{len(found)} callers have a conversation {name!r}; say which with {callers}.")
    raise UnknownConversation(f"There is no conversation {name!r}; `agents conversations list` shows them.")


def document(conversation: Conversation) -> dict[str, Any]:
    """The conversation as the HTTP interface gives it."""
    from agents.src.api.conversation_views import ConversationView  # brings FastAPI, which only this needs

    return ConversationView.of(conversation).model_dump(mode="json")


def message_document(message: Message) -> dict[str, Any]:
    from agents.src.api.conversation_views import MessageView

    return MessageView.of(message).model_dump(mode="json")


def print_messages(messages: Sequence[Message]) -> None:
    said = [f"{moment(message.at)}  {message.author} ({message.role})\n{message.text}" for message in messages]
    print_text("\n\n".join(said))


def brief(text: str) -> str:
    """On one line."""
    line = " ".join(text.split())
    return line if len(line) <= LINE else f"{line[: LINE - 1]}…"
