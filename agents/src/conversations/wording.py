"""How messages are worded: kept to their length, and what is said when a task has ended."""

from agents.src.conversations.conversation import LONGEST

NOTICE = 80
"""Characters that the notice of what was left out may have."""
EXITS = {"completed": 0, "failed": 1, "cancelled": 130}
"""How a task ends → the exit code of a command that waits for it."""


def shortened(text: str, longest: int = LONGEST) -> str:
    """The text as it can be kept. One of more than `longest` characters says how many it lost."""
    text = keepable(text)
    if len(text) <= longest:
        return text
    kept = longest - NOTICE
    return f"{text[:kept]}\n\n[Shortened: {len(text) - kept:,} more characters are left out.]"


def keepable(text: str) -> str:
    """Without what no database keeps: NUL characters and halves of surrogate pairs."""
    return text.replace("\0", "").encode(errors="replace").decode()


def ending_of(caller: str, task_id: str, status: str, detail: str, summary: str) -> str:
    """The message that tells of a task's end: `detail` is why it failed, `summary` its result's."""
    told = f"@{caller} Task {task_id} {status} (exit {EXITS[status]}){as_reason(detail)}"
    return "\n\n".join(filter(None, (told, summary)))


def as_reason(detail: str) -> str:
    """`: detail.` as the end of a sentence, or only that end."""
    detail = detail.strip()
    return f": {detail if detail.endswith(('.', '!', '?', '…')) else f'{detail}.'}" if detail else "."
