"""Which file is meant. Never a guess: where several could be, the request is refused."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass


class Refusal(Exception):
    """Why the request cannot be carried out, for the one who made it."""


@dataclass(frozen=True)
class Named:
    """A sentence with `<in>` and `<out>` for the file that it names and the file that it wants written; either may be None."""

    text: str
    input: str | None
    output: str | None


QUOTED = r"\"(?P<q1>[^\"]+)\"|“(?P<q2>[^”]+)”|„(?P<q3>[^“”]+)[“”]|«(?P<q4>[^»]+)»|`(?P<q5>[^`]+)`|(?<!\w)'(?P<q6>[^']+)'(?!\w)"
LIKE_A_NAME = r"(?P<bare>\S*[/\\]\S*|[^\s\"“”«»`]*[^\s\"“”«»`.]\.(?:[a-z][a-z0-9]{1,4}|3gp|3g2)(?!\w))"
BEFORE_OUTPUT = re.compile(r"\b(to|into|as)( (a )?(file )?(called|named))?\s*$", re.IGNORECASE)


def the_file(name: object, names: Sequence[str]) -> str:
    """The one that is meant among those that were handed over. Raises Refusal."""
    if not names:
        raise Refusal("No file was handed over with the task: send one along.")
    if name is None and len(names) == 1:
        return names[0]
    if name is None:
        raise Refusal(f"Say which of the files is meant: {', '.join(names)}.")
    matches = [known for known in names if known == name] or [known for known in names if known.lower() == str(name).lower()]
    if len(matches) != 1:
        raise Refusal(f"{name} is not among the files that were handed over: {', '.join(names)}.")
    return matches[0]


def find_names(sentence: str, names: Sequence[str]) -> Named:
    """Finds the names that were handed over, and what else looks like a name. Raises Refusal where two files are meant."""
    sentence = unicodedata.normalize("NFC", sentence)  # as the names are
    found = list(_pattern(names).finditer(sentence))
    mentions = [match for match in found if _is_name(match)]
    output = next((match for match in mentions if _is_output(match, mentions, names)), None)
    inputs = list(dict.fromkeys(the_file(_name(match), names) for match in mentions if match is not output))
    if len(inputs) > 1:
        raise Refusal(f"One file at a time, please; this names {' and '.join(inputs)}.")
    text, end = "", 0
    for match in found:
        word = "<out>" if match is output else "<in>" if match in mentions else _name(match)
        text += sentence[end : match.start()] + word
        end = match.end()
    return Named(text + sentence[end:], inputs[0] if inputs else None, _name(output) if output else None)


def _pattern(names: Sequence[str]) -> re.Pattern[str]:
    """What was handed over, the longest names first; else quoted words; else what looks like a name."""
    known = "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))
    alternatives = [rf"(?<![\w./\\-])(?P<known>{known})(?![\w/\\-]|\.\w)"] if names else []
    return re.compile("|".join([QUOTED, *alternatives, LIKE_A_NAME]), re.IGNORECASE)


def _name(match: re.Match[str]) -> str:
    return next(word for word in match.groupdict().values() if word is not None)


def _is_name(match: re.Match[str]) -> bool:
    """People quote formats, too."""
    return "." in _name(match) or "/" in _name(match) or bool(match.groupdict().get("known"))


def _is_output(match: re.Match[str], mentions: list[re.Match[str]], names: Sequence[str]) -> bool:
    """`to NAME`, unless that is the only file that can be meant."""
    wanted = BEFORE_OUTPUT.search(match.string[: match.start()])
    is_known = _name(match).lower() in {name.lower() for name in names}
    return bool(wanted) and (not is_known or mentions[0] is not match)
