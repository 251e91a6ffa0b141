"""The English stemmer of Qdrant's BM25: Porter's second, as Snowball had it before its version 3.

Stems become the ids of stored vectors, so they must never change: not with a library's next version either.
"""

import re
from functools import lru_cache

WHOLE = {
    "skis": "ski",
    "skies": "sky",
    "dying": "die",
    "lying": "lie",
    "tying": "tie",
    "idly": "idl",
    "gently": "gentl",
    "ugly": "ugli",
    "early": "earli",
    "only": "onli",
    "singly": "singl",
}
KEPT = frozenset({"sky", "news", "howe", "atlas", "cosmos", "bias", "andes"})
KEPT_AFTER_1A = frozenset({"inning", "outing", "canning", "herring", "earring", "proceed", "exceed", "succeed"})
STEP_2 = {
    "ational": "ate",
    "tional": "tion",
    "enci": "ence",
    "anci": "ance",
    "abli": "able",
    "entli": "ent",
    "ization": "ize",
    "izer": "ize",
    "ation": "ate",
    "ator": "ate",
    "alism": "al",
    "aliti": "al",
    "alli": "al",
    "fulness": "ful",
    "ousli": "ous",
    "ousness": "ous",
    "iveness": "ive",
    "iviti": "ive",
    "biliti": "ble",
    "bli": "ble",
    "fulli": "ful",
    "lessli": "less",
}
STEP_3 = {
    "ational": "ate",
    "tional": "tion",
    "alize": "al",
    "icate": "ic",
    "iciti": "ic",
    "ical": "ic",
    "ful": "",
    "ness": "",
}
VOWEL, OTHER = "[aeiouy]", "[^aeiouy]"
REGION = re.compile(f".*?{VOWEL}{OTHER}")
SHORT = re.compile(f".*{OTHER}{VOWEL}[^aeiouywxY]|^{VOWEL}{OTHER}")
HAS_VOWEL = re.compile(VOWEL)
IN_1B = re.compile("(eedly|eed)$|(ingly|edly|ing|ed)$")
IN_2 = re.compile(f"({'|'.join(sorted(STEP_2, key=len, reverse=True))}|ogi|li)$")
IN_3 = re.compile(f"({'|'.join(sorted(STEP_3, key=len, reverse=True))}|ative)$")
IN_4 = re.compile("(ement|ance|ence|able|ible|ment|ant|ent|ism|ate|iti|ous|ive|ize|al|er|ic|ion)$")


@lru_cache(maxsize=10_000)
def stem(word: str) -> str:
    """Of a word in lower case. Words of other languages come back as they are, where no English ending fits."""
    if len(word) < 3 or word in KEPT:
        return word
    if word in WHOLE:
        return WHOLE[word]
    word = re.sub(f"({VOWEL})y", r"\1Y", re.sub("^y", "Y", word))
    first, second = _regions(word)
    word = _step_1a(word)
    if word in KEPT_AFTER_1A:
        return word
    word = re.sub(f"(?<=.{OTHER})[yY]$", "i", _step_1b(word, first))
    word = _step_3(_step_2(word, first), first, second)
    return _step_5(_step_4(word, second), first, second).lower()


def _regions(word: str) -> tuple[int, int]:
    """Where R1 and R2 begin."""
    start = re.match("gener|commun|arsen", word) or REGION.match(word)
    first = start.end() if start else len(word)
    end = REGION.match(word, first)
    return first, end.end() if end else len(word)


def _step_1a(word: str) -> str:
    if word.endswith("sses"):
        return word[:-2]
    if word.endswith(("ied", "ies")):
        return word[:-2] if len(word) > 4 else word[:-1]
    if word.endswith("s") and not word.endswith(("us", "ss")) and HAS_VOWEL.search(word, 0, len(word) - 2):
        return word[:-1]
    return word


def _step_1b(word: str, first: int) -> str:
    ending = IN_1B.search(word)
    if not ending:
        return word
    rest = word[: ending.start()]
    if ending[1]:
        return f"{rest}ee" if ending.start() >= first else word
    if not HAS_VOWEL.search(rest):
        return word
    if rest.endswith(("at", "bl", "iz")):
        return f"{rest}e"
    if re.search(r"(bb|dd|ff|gg|mm|nn|pp|rr|tt)$", rest):
        return rest[:-1]
    return f"{rest}e" if len(rest) <= first and SHORT.fullmatch(rest) else rest


def _step_2(word: str, first: int) -> str:
    ending = IN_2.search(word)
    if not ending or ending.start() < first:
        return word
    rest = word[: ending.start()]
    if ending[1] == "ogi":
        return f"{rest}og" if rest.endswith("l") else word
    if ending[1] == "li":
        return rest if rest.endswith(tuple("cdeghkmnrt")) else word
    return rest + STEP_2[ending[1]]


def _step_3(word: str, first: int, second: int) -> str:
    ending = IN_3.search(word)
    if not ending or ending.start() < first:
        return word
    if ending[1] == "ative":
        return word[: ending.start()] if ending.start() >= second else word
    return word[: ending.start()] + STEP_3[ending[1]]


def _step_4(word: str, second: int) -> str:
    ending = IN_4.search(word)
    if not ending or ending.start() < second:
        return word
    rest = word[: ending.start()]
    return word if ending[1] == "ion" and not rest.endswith(("s", "t")) else rest


def _step_5(word: str, first: int, second: int) -> str:
    last = len(word) - 1
    if word.endswith("e") and (last >= second or (last >= first and not SHORT.fullmatch(word[:-1]))):
        return word[:-1]
    return word[:-1] if word.endswith("ll") and last >= second else word
