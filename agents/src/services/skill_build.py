"""Compares SKILL.md folders with a catalogue's, and builds the cloud skills from them."""

import difflib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path

from agents.src.errors import InvalidSkill
from agents.src.services import skill_folders
from agents.src.services.info_text import as_in, check_built, program_of, read_there, take_apart, told
from agents.src.services.markdown import INFO, shown
from agents.src.services.skill_folders import RECORD, Record, read_record, supporting_files, target_files
from agents.src.services.skill_md import read_skill_md
from agents.src.skills import Built, FilePlan, LocalSkill, build_info, find_region, plan_files

SHOWN_LINES = 40
"""Of a difference."""


class State(StrEnum):
    """How a local skill and a cloud skill of one name stand to each other."""

    IN_STEP = "in step"
    ONLY_LOCAL = "only local"
    DUE = "build due"
    EDITED = "edited in the cloud"
    """What the last build wrote has other words in it now."""
    HAND_WRITTEN = "hand-written in the cloud"
    """There is an info.md of this name that no build has made."""
    ONLY_CLOUD = "only cloud"
    """It was built, and its SKILL.md is in none of the folders."""
    CLOUDS_OWN = "the cloud's own"
    FAULTY = "faulty"


@dataclass(frozen=True, slots=True)
class Comparison:
    """`local` is the SKILL.md, `cloud` the folder in the catalogue; `text` is what its info.md should hold, `there` what it
    holds. `why` are sentences for `EDITED`, `HAND_WRITTEN` and `FAULTY`."""

    name: str
    state: State
    cloud: Path
    local: Path | None = None
    why: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    there: str | None = None
    text: str = ""
    files: FilePlan = field(default_factory=FilePlan)
    record: Record = field(default_factory=Record)

    def difference(self) -> str:
        """What the info.md has (+) that a build would not write (-), as a unified diff."""
        if self.local is None or self.there is None or self.there == self.text:
            return ""
        lines = [
            *difflib.unified_diff(
                self.text.splitlines(),
                self.there.splitlines(),
                f"{shown(self.local)} (built)",
                shown(self.cloud / INFO),
                n=1,
                lineterm="",
            )
        ]
        more = [f"… and {len(lines) - SHOWN_LINES} more lines"] if len(lines) > SHOWN_LINES else []
        return "\n".join([*lines[:SHOWN_LINES], *more])


def compare_all(paths: Iterable[Path], skills_dir: Path) -> list[Comparison]:
    """Every local skill in these folders beside its cloud skill. Raises InvalidRequest where there is none."""
    compared = [_compare(path, skills_dir.absolute()) for path in skill_folders.find_local(paths)]
    often = Counter(one.name for one in compared)
    return [
        replace(
            one, state=State.FAULTY, why=(f"{shown(one.local or one.cloud)}: another folder has a skill called {one.name} too",)
        )
        if often[one.name] > 1
        else one
        for one in compared
    ]


def only_cloud(compared: Iterable[Comparison], skills_dir: Path) -> Iterator[Comparison]:
    """The cloud skills that none of the local ones is called like."""
    known = {one.name for one in compared}
    for path in sorted(skills_dir.glob(f"*/{INFO}")):
        if path.parent.name not in known:
            built = find_region(path.read_text(encoding="utf-8", errors="replace")) is not None
            yield Comparison(path.parent.name, State.ONLY_CLOUD if built else State.CLOUDS_OWN, path.parent)


def due(one: Comparison) -> list[Path]:
    """The files that a build would write or remove."""
    if one.local is None or one.state == State.FAULTY:
        return []
    info = [one.cloud / INFO] if one.text != one.there else []
    record = [one.cloud / RECORD] if one.record != read_record(one.cloud) else []
    return [*info, *(one.cloud / path for path in (*one.files.copy, *one.files.remove)), *record]


def build(one: Comparison) -> None:
    """Brings a cloud skill into step; what is right already is not touched. Raises InvalidSkill where it cannot be written."""
    assert one.local is not None
    if read_there(one.cloud / INFO) != one.there:
        raise InvalidSkill(f"{shown(one.cloud / INFO)} was changed meanwhile; build once more")
    try:
        for path in one.files.remove:
            skill_folders.remove(one.cloud, path)
        for path in one.files.copy:
            skill_folders.copy(one.local.parent / path, one.cloud / path)
        if one.record != read_record(one.cloud):
            skill_folders.write(one.cloud / RECORD, one.record.to_text())
        if one.text != one.there:
            skill_folders.write(one.cloud / INFO, one.text)
    except OSError as error:
        raise InvalidSkill(f"{shown(one.cloud)} cannot be written: {error}") from None


def _compare(path: Path, skills_dir: Path) -> Comparison:
    local = read_skill_md(path)
    if isinstance(local, list):
        return Comparison(path.parent.name, State.FAULTY, skills_dir / path.parent.name, path, why=told(local, path))
    cloud, warnings = skills_dir / local.name, told(local.warnings, path)
    try:
        return replace(_decide(local, path, cloud), warnings=warnings)
    except InvalidSkill as problem:
        return Comparison(local.name, State.FAULTY, cloud, path, tuple(problem.detail.splitlines()), warnings)


def _decide(local: LocalSkill, path: Path, cloud: Path) -> Comparison:
    there, record = read_there(cloud / INFO), read_record(cloud)
    info = None if there is None else take_apart(cloud / INFO, there, record.defaults)
    built = build_info(local, info)
    in_place = path.parent.resolve() == cloud.resolve()
    source = {} if in_place else supporting_files(path.parent)
    before = {} if in_place else record.files
    files = plan_files(source, target_files(cloud, source.keys() | before.keys()), before)
    text = built.text if there is None else as_in(there, built.text)
    check_built(cloud / INFO, built, info, path.parent if program_of(built.text) in source else cloud)
    one = Comparison(
        local.name,
        State.IN_STEP,
        cloud,
        path,
        there=there,
        text=text,
        files=files,
        record=Record(defaults=dict(built.defaults), files=source),
    )
    return _judged(one, built, record)


def _judged(one: Comparison, built: Built, record: Record) -> Comparison:
    assert one.local is not None
    way = f"; move the edit into {shown(one.local.parent)}, or lose it with --force"
    why = [f"{shown(one.cloud / INFO)} {built.refused}"] if built.refused else []
    why += [f"{shown(one.cloud / path)} is not as a build has left it" for path in one.files.foreign]
    if built.hand_written:
        other = f"; give {shown(one.local)} another name, or have its text replaced with --force"
        return replace(one, state=State.HAND_WRITTEN, why=(why[0] + other,))
    if why:
        return replace(one, state=State.EDITED, why=tuple(reason + way for reason in why))
    if one.there is None:
        return replace(one, state=State.ONLY_LOCAL)
    due = one.text != one.there or one.files != FilePlan() or one.record != record
    return replace(one, state=State.DUE if due else State.IN_STEP)
