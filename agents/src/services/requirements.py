"""Pinned requirements for images, read from the project's one list: what some packages need, without the rest."""

import re
from collections.abc import Iterable, Iterator
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

NAMED = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[([^\]]*)\])?")
EXTRA = re.compile(r"""extra\s*==\s*['"]([^'"]+)['"]""")


def pinned(file: Path, roots: Iterable[str]) -> list[str]:
    """The lines of a pinned requirements file (`name==version ; marker`) for `roots` (`name` or `name[extra]`) and all they need.

    What a package needs is asked of its installed copy. Where there is no such file, as in a container, the roots themselves.
    """
    roots = list(roots)
    if not file.is_file():
        return roots
    lines = [line.rstrip("\\").strip() for line in file.read_text().splitlines() if re.match(r"[A-Za-z0-9]", line)]
    wanted = _closure(roots)
    return [line for line in lines if _named(line)[0] in wanted]


def _closure(roots: list[str]) -> set[str]:
    seen: set[tuple[str, frozenset[str]]] = set()
    waiting = [_named(root) for root in roots]
    while waiting:
        package = waiting.pop()
        if package not in seen:
            seen.add(package)
            waiting += _needs(*package)
    return {name for name, _ in seen}


def _needs(name: str, extras: frozenset[str]) -> Iterator[tuple[str, frozenset[str]]]:
    """Markers other than extras are left to the list's own: what is not for this platform does no harm there."""
    try:
        needed = requires(name) or []
    except PackageNotFoundError:  # of another platform
        return
    for requirement in needed:
        extra = EXTRA.search(requirement)
        if extra is None or extra[1] in extras:
            yield _named(requirement)


def _named(requirement: str) -> tuple[str, frozenset[str]]:
    """`Psycopg[binary,pool]>=3` → `psycopg`, with its extras."""
    match = NAMED.match(requirement)
    if match is None:
        raise ValueError(f"not a requirement: {requirement!r}")
    extras = frozenset(extra.strip() for extra in (match[2] or "").split(",") if extra.strip())
    return re.sub(r"[-_.]+", "-", match[1]).lower(), extras
