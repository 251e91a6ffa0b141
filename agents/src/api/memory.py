"""Routes of the memory room: what skills have learned."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from starlette.convertors import Convertor, register_url_convertor

from agents.src import errors
from agents.src.api.auth import caller_of
from agents.src.api.body import read_body
from agents.src.api.memory_views import (
    ENTRY_ID,
    LONGEST_QUERY,
    CorrectionRequest,
    EntryId,
    EntryRequest,
    EntrySkill,
    EntryView,
    HitView,
    MemoryCursor,
    OfSkill,
    RevisionView,
)
from agents.src.api.openapi import EVERYWHERE, body_of, documented, header
from agents.src.api.revisions import TAGS, checked, etag, expected, is_known
from agents.src.api.skills import visible
from agents.src.api.views import Limit, Listing
from agents.src.bootstrap import Parts
from agents.src.memory import Editor, MemoryEntry, history
from agents.src.tasks import Caller


class EntryConvertor(Convertor[str]):
    """Only an entry's id is one in a path: `/api/memory/lessons/7` is a lesson, and nothing else."""

    regex = ENTRY_ID

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("entry", EntryConvertor())
router = APIRouter(tags=["memory"])

TAGGED = {"ETag": header("The revision, for `If-Match` and `If-None-Match`.", '"5f0c2d9a7b31e846"', always=True)}
PLACE = {"Location": header("Where the entry can be looked at.", "/api/memory/planning/a167aa41ae7e", always=True)}
OF_SKILL = (errors.SkillNotAllowed, errors.UnknownSkill, errors.InvalidRequest)
WRITING = (errors.TooLarge, errors.UnsupportedMediaType, errors.InvalidMemory, errors.LooksSecret)
GUARDED = (errors.UnknownEntry, errors.RevisionMoved, errors.RevisionRequired)
FOUND: dict[int | str, dict[str, Any]] = {
    200: {"description": "The entry.", "headers": TAGGED},
    304: {"description": "The caller has this revision already.", "headers": TAGGED},
}
ADDED: dict[int | str, dict[str, Any]] = {
    200: {"model": EntryView, "description": "The memory had this fact already.", "headers": TAGGED | PLACE},
    201: {"model": EntryView, "description": "The entry is in the memory.", "headers": TAGGED | PLACE},
}
CHANGED: dict[int | str, dict[str, Any]] = {200: {"description": "The entry as it is now.", "headers": TAGGED}}
ADD = body_of(EntryRequest, fact={"skill": "planning", "text": "Use argon2, not bcrypt.", "section": "Passwords"})
CORRECT = body_of(CorrectionRequest, correction={"text": "Use argon2id, not bcrypt."})

Asking = Annotated[Caller, Depends(caller_of)]
IfMatch = Annotated[
    str | None,
    Header(
        alias="If-Match",
        description="The revision that is to be replaced, in double quotes, or `*` for any. Needed.",
        json_schema_extra={"pattern": f"^({TAGS})$"},
        examples=['"5f0c2d9a7b31e846"'],
    ),
]
IfNoneMatch = Annotated[
    str | None, Header(alias="If-None-Match", description="The revision that the caller has.", examples=['"5f0c2d9a7b31e846"'])
]
Words = Annotated[
    str, Query(min_length=1, max_length=LONGEST_QUERY, description="Words, or a whole question.", examples=["passwords"])
]
HowMany = Annotated[int, Query(ge=1, le=50, description="Entries at most.")]


def own_skill(parts: Parts, caller: Caller, skill: str) -> str:
    """The skill, if the caller may use it and it is there. Raises SkillNotAllowed, UnknownSkill."""
    caller.check_skill(skill)
    return parts.catalogue.get(skill).name


def own_skills(parts: Parts, caller: Caller, skill: str | None) -> frozenset[str]:
    """That skill, or without one all that the caller may use."""
    if skill is not None:
        return frozenset({own_skill(parts, caller, skill)})
    return frozenset(found.name for found in visible(parts, caller))


def editor_of(parts: Parts, caller: Caller, skill: str) -> Editor:
    own_skill(parts, caller, skill)
    return parts.memory.editor("http")


@router.get("/api/memory", response_description="One page of entries.", responses=documented(*OF_SKILL, *EVERYWHERE))
async def list_entries(
    request: Request, caller: Asking, skill: OfSkill = None, cursor: MemoryCursor = None, limit: Limit = 50
) -> Listing[EntryView]:
    """What the skills that this token may use have learned."""
    parts: Parts = request.app.state.parts
    page = await parts.memory.store.page(own_skills(parts, caller, skill), cursor, limit)
    return Listing(items=[EntryView.of(entry) for entry in page.items], next=page.next)


@router.get(
    "/api/memory/search", response_description="The best first, on one page.", responses=documented(*OF_SKILL, *EVERYWHERE)
)
async def search_entries(
    request: Request, caller: Asking, q: Words, skill: OfSkill = None, limit: HowMany = 10
) -> Listing[HitView]:
    """The entries that fit some words best, of one skill or of all that this token may use."""
    parts: Parts = request.app.state.parts
    hits = await parts.memory.store.search(q, own_skills(parts, caller, skill), limit)
    return Listing(items=[HitView.of_hit(hit) for hit in hits])


@router.post(
    "/api/memory",
    status_code=201,
    responses={**ADDED, **documented(*OF_SKILL, *WRITING, *EVERYWHERE)},
    openapi_extra=ADD,
)
async def add_entry(request: Request, response: Response, caller: Asking) -> EntryView:
    """Teaches a skill a fact. The same fact is the same entry: sent again, it changes nothing."""
    parts: Parts = request.app.state.parts
    wanted = await read_body(request, EntryRequest, parts.settings.max_body_bytes)
    editor = editor_of(parts, caller, wanted.skill)
    entry, new = await editor.add(wanted.skill, wanted.text, wanted.section, caller.name)
    response.status_code = 201 if new else 200
    response.headers["Location"] = f"/api/memory/{entry.skill}/{entry.id}"
    return told(parts, response, entry, written=new)


@router.get(
    "/api/memory/{skill}/{entry_id:entry}",
    response_model=EntryView,
    responses={**FOUND, **documented(*OF_SKILL, errors.UnknownEntry, *EVERYWHERE)},
)
async def show_entry(
    request: Request,
    response: Response,
    skill: EntrySkill,
    entry_id: EntryId,
    caller: Asking,
    if_none_match: IfNoneMatch = None,
) -> Any:
    """One entry, with its revision as `ETag`."""
    parts: Parts = request.app.state.parts
    entry = await editor_of(parts, caller, skill).alive(skill, entry_id)
    if is_known(entry, if_none_match):
        return Response(status_code=304, headers={"ETag": etag(entry)})
    return told(parts, response, entry, written=False)


@router.get(
    "/api/memory/{skill}/{entry_id:entry}/history",
    response_description="Its revisions, the oldest first.",
    responses=documented(*OF_SKILL, errors.UnknownEntry, *EVERYWHERE),
)
async def show_history(request: Request, skill: EntrySkill, entry_id: EntryId, caller: Asking) -> Listing[RevisionView]:
    """What an entry said before, also one that was forgotten: its last 16 revisions and the one it is at."""
    parts: Parts = request.app.state.parts
    entry = await editor_of(parts, caller, skill).get(skill, entry_id)
    return Listing(items=[RevisionView.of(revision) for revision in history(entry)])


@router.patch(
    "/api/memory/{skill}/{entry_id:entry}",
    responses={**CHANGED, **documented(*OF_SKILL, *WRITING, *GUARDED, *EVERYWHERE)},
    openapi_extra=CORRECT,
)
async def correct_entry(
    request: Request, response: Response, skill: EntrySkill, entry_id: EntryId, caller: Asking, if_match: IfMatch = None
) -> EntryView:
    """Puts another text in place of the revision that `If-Match` names."""
    parts: Parts = request.app.state.parts
    wanted = await read_body(request, CorrectionRequest, parts.settings.max_body_bytes)
    editor, revs = editor_of(parts, caller, skill), expected(if_match)
    rev = checked(await editor.alive(skill, entry_id), revs)
    return told(parts, response, await editor.edit(skill, entry_id, rev, wanted.text, caller.name), written=True)


@router.delete(
    "/api/memory/{skill}/{entry_id:entry}",
    status_code=204,
    response_description="It is forgotten.",
    responses=documented(*OF_SKILL, *GUARDED, *EVERYWHERE),
)
async def forget_entry(request: Request, skill: EntrySkill, entry_id: EntryId, caller: Asking, if_match: IfMatch = None) -> None:
    """Deletes the revision that `If-Match` names, here and, with their next sync, in every memory.md."""
    parts: Parts = request.app.state.parts
    editor, revs = editor_of(parts, caller, skill), expected(if_match)
    rev = checked(await editor.alive(skill, entry_id), revs)
    await editor.forget(skill, entry_id, rev, caller.name)
    parts.memory.nudge(skill)


def told(parts: Parts, response: Response, entry: MemoryEntry, *, written: bool) -> EntryView:
    """The entry with its tag; if it was `written`, the server's own file is brought in step soon."""
    response.headers["ETag"] = etag(entry)
    if written:
        parts.memory.nudge(entry.skill)
    return EntryView.of(entry)
