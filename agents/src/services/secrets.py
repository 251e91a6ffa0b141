"""Whether a text looks as if it held a secret, so that it is not shared.

The patterns of detect-secrets, and some for keys that it does not know. Its detectors are used one by one and its settings, which
are one for the whole process, not at all: so any number of threads may ask. Nothing is ever sent anywhere to be verified.
"""

import re
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import pairwise
from math import log2
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from detect_secrets.plugins.base import RegexBasedDetector

NO_SECRETS = frozenset({"IPPublicDetector", "KeywordDetector", "Base64HighEntropyString", "HexHighEntropyString"})
"""Detectors for what is no secret in itself, and those whose findings have to be looked at more closely."""
IN_ADDRESSES = "Basic Auth Credentials"
"""Found in every address with a user and a password, were it `user:password@`."""
KEYS = {
    "Anthropic API key": r"\bsk-ant-[\w-]{16,}",
    "OpenAI API key": r"\bsk-(?:proj-|svcacct-|admin-)?[A-Za-z0-9_-]{32,}",
    "Modal token": r"\ba[ks]-[A-Za-z0-9]{20,}\b",
    "modal-invoke token": r"\bmi_[\w-]{32,}",
    "GitHub token": r"\bgithub_pat_\w{22,}|\bgh[oprsu]_\w{30,}",
    "GitLab token": r"\bglpat-[\w-]{16,}",
    "Slack token": r"\bxox[a-z]-[A-Za-z0-9-]{10,}|\bxapp-\d-[A-Za-z0-9-]{10,}",
    "Google API key": r"\bAIza[\w-]{35}",
    "Google OAuth token": r"\bya29\.[\w-]{20,}|\bGOCSPX-[\w-]{20,}",
    "Hugging Face token": r"\bhf_[A-Za-z0-9]{30,}",
    "npm token": r"\bnpm_[A-Za-z0-9]{36}",
    "Stripe key": r"\b[rs]k_(?:live|test)_[A-Za-z0-9]{20,}",
    "JSON Web Token": r"\beyJ[\w-]{10,}\.eyJ[\w-]{10,}",
    "private key": r"-----BEGIN [A-Z ]*PRIVATE KEY",
    "hex key": r"(?i)\b(?:api[ _-]?key|token|secret|password)[\"'`]?\W{1,4}[0-9a-f]{32,}\b",
}
OWN = {name: re.compile(pattern) for name, pattern in KEYS.items()}
WORDS = """
aes128 aes256 argon2 argon2id base32 base58 base64 base64url bcrypt changeme dummy ed25519 empty example false hidden hs256 md5
none null oauth2 optional password passwd pbkdf2 placeholder redacted required rs256 scrypt secret sha1 sha256 sha512 string
test text token true undefined unset utf8 value x509
"""
ORDINARY = frozenset(WORDS.split())
"""What stands after `password:` and the like where no password stands."""
IN_WORDS = re.compile(
    r"\b(?:password|passwd|passphrase|api[ _-]?key|secret|token)\b[^.\n]{0,40}?\bis:? [\"'`“]?([^\s\"'`”]+)", re.IGNORECASE
)
JOINTS = "-_/."
"""What names are put together with."""
REFERENCE = re.compile(r"[$<{%(\[]|[\w.]+[(\[]|\w+(\.\w+)+$|.*/")
"""A variable, a placeholder, a call, an attribute, a path: where a secret lies, not what it is."""
ADDRESS = re.compile(r"https?://[^\s?#@]+(?![^\s]*@)")
PUBLIC = re.compile(r"\bsha(?:256|384|512)[-:][A-Za-z0-9+/=]+|\bssh-\w+ AAAA[\w+/=]+")
"""Digests of packages, and keys that are meant to be seen."""
NAMED = ("key", "pass", "pwd", "secret", "contrase")
"""One of these is in every name that a pattern for assignments looks for."""
PIECE = 200
"""Characters of a line that are searched for assignments at a time."""
QUOTED = re.compile(r"([\"'`])([A-Za-z0-9+/=_-]{20,})\1")
LONG = re.compile(r"[A-Za-z0-9+/=_-]{32,}")
RANDOM_BITS = {True: 3.8, False: 4.2}
"""Bits a character, for a quoted token and for another, above which no word was meant."""
RESTLESS = 0.35
"""Share of a random token's characters that are of another kind than the one before: more than in a path or a name."""


def looks_secret(text: str) -> str | None:
    """What it looks like, in a few words that hold nothing of it; None where it may be shared.

    A line that ends in a comment `pragma: allowlist secret` is taken for harmless, as detect-secrets has it.
    """
    lines = text.split("\n")
    for number, line in enumerate(lines, 1):
        found = next(_findings(line), None)
        if found is not None and not _is_allowed(lines, number):
            return found
    return None


def _is_allowed(lines: list[str], number: int) -> bool:
    from detect_secrets.filters.allowlist import is_line_allowlisted
    from detect_secrets.util.code_snippet import get_code_snippet

    return is_line_allowlisted("", lines[number - 1], get_code_snippet(lines, number))


def _findings(line: str) -> Iterator[str]:
    yield from (name for name, pattern in OWN.items() if pattern.search(line))
    for detector in (detector for pattern, detector in _patterns() if pattern.search(line)):
        values = detector.analyze_string(line)
        if any(_is_real(value) if detector.secret_type == IN_ADDRESSES else True for value in values):
            yield detector.secret_type
    if any(_is_given(value) for value in _assigned(line)) or any(_is_said(value) for value in IN_WORDS.findall(line)):
        yield "password or key"
    plain = PUBLIC.sub(" ", ADDRESS.sub(" ", line))
    if any(_is_random(value, quoted=True) for _, value in QUOTED.findall(plain)):
        yield "random string in quotes"
    if any(_is_random(value, quoted=False) for value in LONG.findall(plain)):
        yield "long random string"


@cache
def _patterns() -> "tuple[tuple[re.Pattern[str], RegexBasedDetector], ...]":
    """Of detectors that look for the shape of one kind of key. They keep no state.

    A detector finds nothing where none of its patterns does, and to ask these is half the work.
    """
    from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class

    found: Iterable[type[RegexBasedDetector]] = get_mapping_from_secret_type_to_class().values()
    detectors = [detector() for detector in found if detector.__name__ not in NO_SECRETS]
    return tuple((pattern, detector) for detector in detectors for pattern in detector.denylist)


def _assigned(line: str) -> Iterator[tuple[str, bool]]:
    """Values that are given to something called a password or a key, each with whether it was said in quotes or after `=`."""
    plain = line.casefold()
    if not any(stem in plain for stem in NAMED):
        return
    from detect_secrets.plugins.keyword import (
        CONFIG_DENYLIST_REGEX_TO_GROUP,
        FOLLOWED_BY_COLON_REGEX,
        FOLLOWED_BY_QUOTES_AND_SEMICOLON_REGEX,
        QUOTES_REQUIRED_DENYLIST_REGEX_TO_GROUP,
    )

    patterns = QUOTES_REQUIRED_DENYLIST_REGEX_TO_GROUP | CONFIG_DENYLIST_REGEX_TO_GROUP
    patterns.pop(FOLLOWED_BY_QUOTES_AND_SEMICOLON_REGEX)  # for statements of C, and slower than all others together
    for part in _parts(line):
        for pattern, group in patterns.items():
            for match in pattern.finditer(part):
                yield match[group], pattern is not FOLLOWED_BY_COLON_REGEX


def _parts(line: str) -> Iterator[str]:
    """The line in pieces that overlap: these patterns take time by the third power of what repeats a word such as `pwd`."""
    yield from (line[start : start + PIECE] for start in range(0, max(len(line) - PIECE // 2, 1), PIECE // 2))


def _is_real(value: str) -> bool:
    """Whether it may be the thing itself, and not what stands for it."""
    return value.lower() not in ORDINARY and not REFERENCE.match(value) and any(map(str.isalnum, value))


def _is_given(assigned: tuple[str, bool]) -> bool:
    value, certain = assigned
    words = value.split()
    word = words[0].strip(".,;:!?)") if words else ""
    if not _is_real(word) or len(word) < 6:
        return False
    return (certain and len(words) == 1) or _is_mixed(word)


def _is_mixed(word: str) -> bool:
    return any(map(str.isdigit, word)) and any(map(str.isalpha, word))


def _is_said(word: str) -> bool:
    """`the password is …`: prose, so that the word has to look like nothing else."""
    plain = word.strip(".,;:!?()")
    return (
        len(plain) >= 6
        and _is_real(plain)
        and _is_mixed(plain)
        and len({_kind(letter) for letter in plain if letter not in JOINTS}) > 2
    )


def _is_random(token: str, *, quoted: bool) -> bool:
    """Letters of both cases and digits without a pattern. A digest in hexadecimal digits is none, nor is a UUID or an id."""
    kinds = [_kind(letter) for letter in token]
    if not {"lower", "upper", "digit"} <= set(kinds):
        return False
    changes = sum(one != other for one, other in pairwise(kinds)) / len(kinds)
    return changes > RESTLESS and _bits(token) > RANDOM_BITS[quoted]


def _kind(letter: str) -> str:
    return "digit" if letter.isdigit() else "upper" if letter.isupper() else "lower" if letter.islower() else "other"


def _bits(token: str) -> float:
    """Entropy in bits a character."""
    shares = [token.count(letter) / len(token) for letter in set(token)]
    return -sum(share * log2(share) for share in shares)
