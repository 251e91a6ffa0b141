"""Reads a plain sentence, without a model: the whole of it has one of these forms, or it is refused.

Nothing is skipped over: a sentence that asks for one thing more than is understood is not half carried out.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from media.formats import FORMATS, SPEECH
from media.names import Refusal, find_names
from media.request import EXAMPLES, Request, read_args

LONGEST_SENTENCE = 500  # characters

# A form is a regular expression in which each word in capitals stands for one of `PARTS`. Sentences come in small letters, with
# <in> for the name of the file and <out> for the name of one to be written.
FORMS = {
    "probe": [
        "(probe|inspect|analy[sz]e|describe|identify|examine) IT",
        "((show|give|tell|get)( me)? )?(the )?(info|information|details|metadata|properties)( about| of| on| for)? IT",
        "(show|tell) me (what is in|about) IT",
        "what(’s| is) (in|inside|inside of) IT",
        "what ((kind of )?(file|format|video|media|codec) )?is IT( in)?",
        "what does IT contain",
        "how (long|big|large) is IT",
        "(what(’s| is) )?(the )?(duration|length|resolution|format|codec|frame rate|bit ?rate|dimensions) of IT",
    ],
    "convert": [
        "(convert|transcode|change|turn|transform|re-?encode|encode|remux|export|save|make|put) (IT )?AS FORMAT",
        "(make|create|give me) FORMAT OF IT",
        "make IT FORMAT",
        "(IT )?AS FORMAT",
        "convert IT",
    ],
    "trim": [
        "CUT (IT )?from START TO END( AS FORMAT)?",
        "CUT (IT )?between START and END( AS FORMAT)?",
        "CUT IT (to )?START ?TO ?END( AS FORMAT)?",
        "(KEEP )?(from )?START ?TO ?END (of|from) IT( AS FORMAT)?",
        "CUT (IT )?from START for SPAN( AS FORMAT)?",
        "CUT SPAN (of|from) IT (from|starting (at|from)) START( AS FORMAT)?",
        "CUT IT (starting )?(from|at) START( on| onwards?| to the end)?( AS FORMAT)?",
        "CUT IT (down )?to (the first )?SPAN( AS FORMAT)?",
        "CUT IT (down )?to (the|its) last LAST( AS FORMAT)?",
        "CUT IT after SPAN( AS FORMAT)?",
        "(KEEP )?(only )?(the )?first SPAN (of|from) IT( AS FORMAT)?",
        "(KEEP )?(only )?(the )?last LAST (of|from) IT( AS FORMAT)?",
        "(make|create) FORMAT OF (the )?first SPAN (of|from) IT",
        "(make|create) FORMAT OF (the )?last LAST (of|from) IT",
        "(remove|skip|drop|delete|cut off|trim off) (the )?first SKIP (of|from) IT( AS FORMAT)?",
        "trim IT",
    ],
    "thumbnail": [
        "(GRAB )?PICTURE OF IT( AT)?( AS FORMAT)?",
        "(GRAB )?PICTURE AT (of|from|in|into) IT( AS FORMAT)?",
        "(GRAB )?PICTURE AT( AS FORMAT)?",
        "thumbnail IT( AT)?( AS FORMAT)?",
    ],
    "extract-audio": [
        "EXTRACT SOUND( OF IT)?( AS FORMAT)?",
        "EXTRACT SOUND AS FORMAT OF IT",
        "SOUND (of|from) IT( AS FORMAT)?",
    ],
    "resize": [
        "SCALE IT( down| up)?( to be| to| into)? SIZE( AS FORMAT)?",
        "SCALE (to )?SIZE( AS FORMAT)?",
        "(change|set) the (size|resolution|dimensions) of IT to SIZE( AS FORMAT)?",
        "IT (at|in|to|resized to|scaled to) SIZE( AS FORMAT)?",
        "resize IT",
    ],
}

UNIT = r"(h|hours?|hrs?|m|mins?|minutes?|s|secs?|seconds?|ms)(?![a-z])"
SPAN = rf"(\d+(:\d+)+(\.\d+)?|\d+(\.\d+)? ?{UNIT}( ?\d+(\.\d+)? ?{UNIT})*)"
TIME = rf"({SPAN}|\d+(\.\d+)?)"
PIXELS = r"( ?(px|pixels?))?"
NAMES = "|".join(sorted(map(re.escape, SPEECH), key=len, reverse=True))

PARTS = {
    "IT": "(((the|this|that|my) )?(THING )?<in>|(the|this|that|my) THING|it|this|that)",
    "THING": "(attached |uploaded )?(file|clip|video|movie|film|footage|recording|audio|sound|song|image|picture|photo|gif)",
    "FORMAT": rf"(an? )?(<out>|\.?(?P<format>{NAMES})( (file|format|video|audio|image|animation))?)",
    "START": f"(?P<start>{TIME})",
    "END": f"(?P<end>{TIME})",
    "SPAN": f"(?P<duration>{SPAN})",
    "SKIP": f"(?P<start>{SPAN})",
    "LAST": f"(?P<last>{SPAN})",
    "AT": f"(at|@) (second |time )?(?P<at>{TIME})",
    "SIZE": "((a )?(size|resolution) of )?(WIDTHXHEIGHT|PERCENT|LINES|HALF|WIDE|HIGH)",
    "WIDTHXHEIGHT": rf"(?P<width>\d+) ?(x|×|by) ?(?P<height>\d+){PIXELS}",
    "PERCENT": r"(?P<percent>\d+(\.\d+)?) ?(%|percent)( of (its|the) (original )?size)?",
    "LINES": r"(?P<lines>\d{3,4})p",
    "HALF": r"(?P<half>half)( (its|the|of its) size)?",
    "WIDE": rf"((a )?width (of )?(?P<across>\d+){PIXELS}|(?P<wide>\d+){PIXELS} wide)",
    "HIGH": rf"((a )?height (of )?(?P<down>\d+){PIXELS}|(?P<high>\d+){PIXELS} (high|tall))",
    "CUT": "(trim|cut|clip|shorten|keep|take|get|extract|give me)",
    "KEEP": "(trim|keep|take|get|extract|give me|show me)",
    "GRAB": "(make|create|take|grab|get|extract|generate|save|capture|give me|produce)( me)?",
    "PICTURE": "(an? |the |one )?(thumbnail|thumb|(still )?frame|still( image)?|screenshot|picture|image|snapshot|poster)",
    "EXTRACT": "(extract|get|take|rip|pull|save|export|grab|keep|give me)( out)?( only| just)?",
    "SOUND": "(the )?(audio|audio track|sound ?track|sound|music)",
    "SCALE": "(resize|re-?scale|scale|shrink|enlarge|down-?scale|up-?scale|reduce|make|change|bring)",
    "TO": "(to|until|till|through|-|–)",
    "AS": "(to|into|as|in)",
    "OF": "(of|from|out of|for)",
}

SIDES = {
    "width": "width",
    "wide": "width",
    "across": "width",
    "height": "height",
    "high": "height",
    "down": "height",
    "lines": "height",
}
SMALL_NUMBERS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
PLEASE = "please|kindly|hi|hello|(can|could|would|will) you|i want( you)? to|i(’d| would) like( you)? to|i need( you)? to|let’s"
THANKS = r"(,? ?(please|for me|now|thanks|thank you))*"


def read_sentence(sentence: str, names: Sequence[str]) -> Request:
    """A Request from a sentence and the names of the files that were handed over. Raises Refusal."""
    if not sentence.strip() or len(sentence) > LONGEST_SENTENCE:
        raise not_understood()
    named = find_names(sentence, names)
    for operation, words in matches(named.text):
        found = {"input": named.input, "output": named.output} if named.output else {"input": named.input}
        return read_args({"operation": operation, **found, **_values(words)}, names)
    raise not_understood()


def not_understood() -> Refusal:
    return Refusal(f"This could not be read. What can be read, for example:\n{EXAMPLES}\nFormats: {', '.join(FORMATS)}.")


def matches(text: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Each form that the text has: its operation, and the words that matter."""
    plain = _plain(text)
    for operation, patterns in COMPILED.items():
        for pattern in patterns:
            if match := pattern.fullmatch(plain):
                yield operation, {name: word for name, word in match.groupdict().items() if word}


def _expanded(form: str) -> str:
    while (longer := re.sub(r"\b[A-Z]{2,}\b", lambda word: PARTS[word[0]], form)) != form:
        form = longer
    return form


COMPILED = {operation: [re.compile(_expanded(form)) for form in forms] for operation, forms in FORMS.items()}


def _plain(text: str) -> str:
    """Small letters, single spaces, no courtesies; small numbers as figures."""
    text = " ".join(text.lower().replace("'", "’").split()).rstrip(" .!?")
    text = re.sub(rf"^(({PLEASE})\b,? ?)*", "", text)
    text = re.sub(rf"{THANKS}$", "", text).rstrip(" .!?,")
    text = re.sub(r"\b(first|last) (second|minute|hour)\b", r"\1 1 \2", text)
    for number, word in enumerate(SMALL_NUMBERS, 1):
        text = re.sub(rf"\b{word}(?= (second|minute|hour))", str(number), text)
    return text


def _values(words: dict[str, str]) -> dict[str, Any]:
    """The words as structured arguments."""
    values: dict[str, Any] = {name: words[name] for name in ("format", "start", "end", "duration", "at") if name in words}
    if "last" in words:
        values["start"] = "-" + words["last"]
    sizes = {SIDES[spelling]: int(word) for spelling, word in words.items() if spelling in SIDES}
    if "percent" in words or "half" in words:
        values["percent"] = float(words.get("percent", 50))
    return values | sizes
