"""What was said around tasks: conversations, their messages, and what a run is given of them."""

from agents.src.conversations.conversation import LONGEST, NAME, Conversation, Message, Role, Said, check_name, inbox_of
from agents.src.conversations.export import as_json, as_markdown, whole
from agents.src.conversations.search import LONGEST_QUERY, folded, words_of
from agents.src.conversations.store import ConversationPage, ConversationStore, MessagePage
from agents.src.conversations.summary import LONGEST_SUMMARY, cut, first_paragraph
from agents.src.conversations.window import LAST, window
from agents.src.conversations.wording import ending_of, shortened

__all__ = [
    "LAST",
    "LONGEST",
    "LONGEST_QUERY",
    "LONGEST_SUMMARY",
    "NAME",
    "Conversation",
    "ConversationPage",
    "ConversationStore",
    "Message",
    "MessagePage",
    "Role",
    "Said",
    "as_json",
    "as_markdown",
    "check_name",
    "cut",
    "ending_of",
    "first_paragraph",
    "folded",
    "inbox_of",
    "shortened",
    "whole",
    "window",
    "words_of",
]
