"""The verb: what the info.md of a cloud skill should be, given the SKILL.md it is built from. No file is touched here.

`name`, `description`, `allowed-tools` and the text between the markers are SKILL.md's. All other keys, and the text beside the
markers, are the cloud's own and keep every byte.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from agents.src.skills.local_skill import MARKER, LocalSkill
from agents.src.skills.splice import Info, key_text, same, splice

START = re.compile(r"^<!-- skill:start(?P<said>[^\n]*)-->[ \t]*$", re.MULTILINE)
END = re.compile(r"^<!-- skill:end -->[ \t]*$", re.MULTILINE)
SAID = re.compile(r"(\w+)=(\S+)")


@dataclass(frozen=True, slots=True)
class Region:
    """What the last build wrote into the body, and what it noted in the marker. `before` and `after` stand beside it."""

    before: str
    text: str
    after: str
    sha: str = ""
    keys: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Built:
    """What the info.md should be. `keys` are those that SKILL.md has a say in now, `dropped` those in which it has none any more;
    `defaults` are to be kept for the next build. `refused` says why this must not be written over what stands there."""

    text: str
    keys: frozenset[str]
    dropped: frozenset[str]
    defaults: Mapping[str, Any]
    refused: str = ""
    hand_written: bool = False


def build_info(local: LocalSkill, info: Info | None) -> Built:
    there = info or Info()
    region = find_region(there.body)
    wanted, defaults = _wanted(local, there), _defaults(local, there)
    dropped = _dropped(local, there, region, wanted)
    front = splice(there, _texts(local, there, wanted, defaults), dropped)
    refused, hand_written = _refusal(local, there, region, wanted) if info else ("", False)
    return Built(
        text=there.opening + front + there.closing + _body(local, wanted, region),
        keys=frozenset(wanted.keys() | defaults.keys()),
        dropped=frozenset(dropped),
        defaults=defaults,
        refused=refused,
        hand_written=hand_written,
    )


def find_region(body: str) -> Region | None:
    """None where the markers are not there, or not there as one pair."""
    starts, ends = list(START.finditer(body)), list(END.finditer(body))
    if len(starts) != 1 or len(ends) != 1 or starts[0].end() > ends[0].start():
        return None
    said = dict(SAID.findall(starts[0]["said"]))
    keys = frozenset(said.get("keys", "").split(",")) - {""}
    text = body[starts[0].end() : ends[0].start()].strip("\n")
    return Region(body[: starts[0].start()], text, body[ends[0].end() :], said.get("sha", ""), keys)


def seal(keys: Mapping[str, Any], text: str) -> str:
    """What a build leaves behind to know its own work by: over what keys say, not how, since an editor may requote them."""
    said = json.dumps([sorted(keys.items()), text.replace("\r\n", "\n")], ensure_ascii=False)
    return hashlib.sha256(said.encode()).hexdigest()[:16]


def _wanted(local: LocalSkill, there: Info) -> dict[str, str]:
    engine = there.values.get("engine", getattr(local.defaults.get("engine"), "value", "claude"))
    tools = {"allowed-tools": local.allowed_tools} if local.allowed_tools and engine != "script" else {}
    return {"name": local.name, "description": local.description, **tools}


def _defaults(local: LocalSkill, there: Info) -> dict[str, Any]:
    """What the metadata says of keys that the cloud has not said anything else about."""
    return {key: default.value for key, default in local.defaults.items() if key not in there.values or _is_default(key, there)}


def _is_default(key: str, there: Info) -> bool:
    return key in there.defaults and key in there.values and same(there.values[key], there.defaults[key])


def _texts(local: LocalSkill, there: Info, wanted: Mapping[str, str], defaults: Mapping[str, Any]) -> dict[str, str]:
    """The keys that have to be written, as YAML. One that says the same already stays as it was written."""
    new = {key: key_text(key, value) for key, value in wanted.items() if there.values.get(key) != value}
    return new | {
        key: local.defaults[key].text
        for key, value in defaults.items()
        if key not in there.values or not same(there.values[key], value)
    }


def _dropped(local: LocalSkill, there: Info, region: Region | None, wanted: Mapping[str, str]) -> set[str]:
    """Keys of an earlier build that SKILL.md no longer has, and nobody has changed."""
    built = region.keys & there.values.keys() if region else set()
    return (built - wanted.keys()) | {key for key in there.defaults.keys() - local.defaults.keys() if _is_default(key, there)}


def _body(local: LocalSkill, wanted: Mapping[str, str], region: Region | None) -> str:
    before, after = (region.before, region.after) if region else ("\n", "\n")
    sha, keys = seal(wanted, local.body), ",".join(sorted(wanted))
    return f"{before}<!-- skill:start sha={sha} keys={keys} -->\n{local.body}\n<!-- skill:end -->{after}"


def _refusal(local: LocalSkill, there: Info, region: Region | None, wanted: Mapping[str, Any]) -> tuple[str, bool]:
    """Why this must not be written over, if it must not, and whether it was never built at all."""
    if region is None and MARKER.search(there.body):
        return "has damaged markers (<!-- skill:start … --> and <!-- skill:end --> must each stand there once)", False
    if region is None:
        return "was written by hand, not built from a SKILL.md", True
    if region.text == local.body and all(there.values.get(key) == value for key, value in wanted.items()):
        return "", False
    if seal({key: there.values[key] for key in region.keys & there.values.keys()}, region.text) != region.sha:
        return "was edited by hand since the last build", False
    new = [key for key in wanted.keys() - region.keys if key in there.values and there.values[key] != wanted[key]]
    return (f"has its own {', '.join(new)}, and SKILL.md has another", False) if new else ("", False)


def misplaced(before: Mapping[str, Any], after: Mapping[str, Any], built: Built) -> list[str]:
    """Keys that the new frontmatter should have and has not, or says otherwise: none, where each key begins a line of its own."""
    own = before.keys() - built.keys - built.dropped
    astray = (after.keys() ^ (own | built.keys)) | {key for key in own & after.keys() if not same(before[key], after[key])}
    return sorted(astray)


@dataclass(frozen=True, slots=True)
class FilePlan:
    """Relative paths: to copy, to take away, and those where somebody else's work stands in the way."""

    copy: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()
    foreign: tuple[str, ...] = ()


def plan_files(source: Mapping[str, str], target: Mapping[str, str], built: Mapping[str, str]) -> FilePlan:
    """From the digests of what lies at the source, of what lies in the target, and of what the last build copied there."""
    differing = [path for path, digest in source.items() if target.get(path) != digest]
    foreign = [path for path in differing if path in target and target[path] != built.get(path)]
    gone = [path for path in built.keys() - source.keys() if target.get(path) == built[path]]
    return FilePlan(tuple(differing), tuple(sorted(gone)), tuple(foreign))
