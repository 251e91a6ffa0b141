"""What a sync would write: the file's new text, the step of the base, the writes to be sent."""

from collections.abc import Mapping
from dataclasses import replace

from agents.src.memory import Deed, Direction, Document, Mark, MemoryEntry, Origin, State, changed, new_entry, sibling_id
from agents.src.memory.draft import Draft, Written
from agents.src.memory.identity import identified
from agents.src.memory.views import Views
from tests.rooms.memory.house import no_secrets

SKILL, WRITER = "planning", "laptop.1"
ADA, BOB = Origin("ada", "local", 1.0), Origin("bob", "cloud", 2.0)
IDS = [f"{number:012x}" for number in range(4)]
UV, ARGON, FPS = (
    new_entry(SKILL, which, text, "", BOB) for which, text in zip(IDS, ("use uv", "use argon2", "50 fps"), strict=False)
)
GENERATION = "g1"


def marked(*entries: MemoryEntry, text: str = "") -> str:
    return "".join(f"- {entry.text} <!-- m:{entry.id} -->\n" for entry in entries) + text + f"<!-- sync:{GENERATION} -->\n"


def the_views(text: str, base: list[MemoryEntry], news: list[MemoryEntry], *, heir: bool = True) -> Views:
    document = Document.parse(text)
    agreed: Mapping[str, MemoryEntry] = {entry.id: entry for entry in base}
    fresh = {entry.id: entry for entry in news}
    theirs = {**agreed, **fresh}
    known = {entry.id: entry.text for entry in (*theirs.values(), *agreed.values()) if not entry.dead}
    state = State(WRITER, 7, GENERATION, base=agreed)
    return Views(text, document, identified(document, known, SKILL), state, theirs, tuple(news), fresh, heir)


def a_draft(views: Views, direction: Direction = Direction.BOTH, origins: Mapping[Written, Origin] | None = None) -> Draft:
    return Draft(SKILL, views, direction, ADA, no_secrets, origins or {})


def deeds(draft: Draft) -> list[tuple[Deed, str]]:
    return [(step.deed, step.id) for step in draft.steps]


def test_with_nothing_to_do_nothing_is_touched() -> None:
    draft = a_draft(the_views(marked(UV, ARGON), [UV, ARGON], []))
    assert not draft.touches
    assert draft.advance.model_dump(exclude_defaults=True) == {}
    assert draft.steps == draft.waiting == []


def test_what_the_shared_memory_has_becomes_the_base_with_the_file() -> None:
    newer = changed(UV, "use uv 1", BOB)
    draft = a_draft(the_views(marked(UV), [UV], [newer, FPS]))
    assert deeds(draft) == [(Deed.FETCH, UV.id), (Deed.FETCH, FPS.id)]
    assert draft.touches
    assert draft.advance.base == {UV.id: newer, FPS.id: FPS}
    assert draft.advance.sent == ()
    assert [item.text for item in Document.parse(draft.rewrite.text("g2")).items] == ["use uv 1", "50 fps"]


def test_what_is_sent_is_no_part_of_the_base_yet_and_expects_what_was_seen() -> None:
    text = marked(UV, ARGON).replace("use uv", "use uv 1").replace("- use argon2", "<!-- -->") + "- new\n"
    draft = a_draft(the_views(text, [UV, ARGON], []))
    [edit, new, gone] = draft.advance.sent
    assert (edit.entry.text, edit.expects, edit.entry.rev) == ("use uv 1", UV.rev, changed(UV, "use uv 1", ADA).rev)
    assert (new.entry.text, new.expects) == ("new", None)
    assert (gone.entry.dead, gone.expects, gone.entry.text) == (True, ARGON.rev, "use argon2")
    assert {(one.entry.writer, one.entry.number, one.entry.of) for one in draft.advance.sent} == {(WRITER, 8, 3)}
    assert draft.advance.base == {}
    assert draft.advance.number == 8
    assert draft.touches


def test_more_writes_than_one_request_holds_are_several_pushes() -> None:
    draft = a_draft(the_views("".join(f"- fact {number}\n" for number in range(130)), [], []))
    sent = draft.advance.sent
    assert [(sent[at].entry.number, sent[at].entry.of) for at in (0, 63, 64, 127, 128, 129)] == [
        *([(8, 64)] * 2),
        *([(9, 64)] * 2),
        *([(10, 2)] * 2),
    ]
    assert draft.advance.number == 10


def test_a_tombstone_of_somebody_elses_leaves_the_file_alone() -> None:
    dead = changed(FPS, None, BOB)
    draft = a_draft(the_views(marked(UV), [UV], [dead]))
    assert draft.steps == []
    assert draft.advance.base == {FPS.id: dead}
    assert not draft.touches


def test_a_file_from_elsewhere_is_written_with_a_mark_of_its_own() -> None:
    assert a_draft(the_views(marked(UV), [UV], [], heir=False)).touches
    assert not a_draft(the_views("prose only\n", [], [], heir=False)).touches


def test_a_conflict_is_a_second_line_and_a_second_entry() -> None:
    theirs = changed(UV, "use poetry", BOB)
    draft = a_draft(the_views(marked(UV).replace("use uv", "use pip"), [UV], [theirs]))
    sibling = sibling_id(UV.id, "use pip")
    [step] = draft.steps
    assert (step.deed, step.id, step.text, step.note) == (Deed.CONFLICT, UV.id, "use pip", "use poetry")
    assert draft.advance.base == {UV.id: theirs}
    [sent] = draft.advance.sent
    assert (sent.entry.id, sent.entry.text, sent.expects) == (sibling, "use pip", None)
    first, second = Document.parse(draft.rewrite.text("g2")).items
    assert (first.id, first.text, second.id, second.text) == (UV.id, "use poetry", sibling, "use pip")


def test_a_conflict_that_another_replica_has_found_already_is_not_sent_again() -> None:
    theirs = changed(UV, "use poetry", BOB)
    sibling = new_entry(SKILL, sibling_id(UV.id, "use pip"), "use pip", "", BOB)
    draft = a_draft(the_views(marked(UV).replace("use uv", "use pip"), [UV], [theirs, sibling]))
    assert draft.advance.sent == ()
    assert draft.advance.base == {UV.id: theirs, sibling.id: sibling}
    assert len(Document.parse(draft.rewrite.text("g2")).items) == 2


def test_a_sibling_that_was_edited_since_stays_edited_and_one_that_was_deleted_lives_again() -> None:
    theirs, mine = changed(UV, "use poetry", BOB), marked(UV).replace("use uv", "use pip")
    sibling = new_entry(SKILL, sibling_id(UV.id, "use pip"), "use pip", "", BOB)
    edited, dead = changed(sibling, "use pip 2", BOB), changed(sibling, None, BOB)
    draft = a_draft(the_views(mine, [UV], [theirs, edited]))
    assert draft.advance.base == {UV.id: theirs, sibling.id: edited}
    assert draft.advance.sent == ()
    assert [item.text for item in Document.parse(draft.rewrite.text("g2")).items] == ["use poetry", "use pip 2"]
    draft = a_draft(the_views(mine, [UV], [theirs, dead]))
    [sent] = draft.advance.sent
    assert (sent.entry.id, sent.entry.text, sent.entry.dead, sent.expects) == (sibling.id, "use pip", False, dead.rev)
    assert [item.text for item in Document.parse(draft.rewrite.text("g2")).items] == ["use poetry", "use pip"]


def test_a_pulled_conflict_about_a_deleted_sibling_is_sent_by_the_next_sync() -> None:
    theirs, mine = changed(UV, "use poetry", BOB), marked(UV).replace("use uv", "use pip")
    dead = changed(new_entry(SKILL, sibling_id(UV.id, "use pip"), "use pip", "", BOB), None, BOB)
    draft = a_draft(the_views(mine, [UV], [theirs, dead]), Direction.PULL)
    assert draft.advance.base == {UV.id: theirs, dead.id: dead}
    after = a_draft(the_views(draft.rewrite.text(GENERATION), [theirs, dead], []))
    assert [(one.entry.id, one.entry.text, one.expects) for one in after.advance.sent] == [(dead.id, "use pip", dead.rev)]


def test_a_sibling_whose_line_was_taken_out_here_is_not_deleted_where_it_is_needed_again() -> None:
    """The entry was edited here to what its sibling says, whose line was deleted; meanwhile it was edited there too."""
    sibling = new_entry(SKILL, sibling_id(UV.id, "use pip"), "use pip", "", BOB)
    theirs, mine = changed(UV, "use poetry", BOB), marked(UV).replace("use uv", "use pip")
    draft = a_draft(the_views(mine, [UV, sibling], [theirs]))
    assert draft.advance.sent == ()
    assert [item.text for item in Document.parse(draft.rewrite.text("g2")).items] == ["use poetry", "use pip"]


def test_a_pull_leaves_what_goes_up_and_a_push_what_comes_down() -> None:
    newer = changed(ARGON, "use bcrypt", BOB)
    text = marked(UV, ARGON).replace("use uv", "use uv 1")
    pull, push = (a_draft(the_views(text, [UV, ARGON], [newer]), way) for way in (Direction.PULL, Direction.PUSH))
    assert (deeds(pull), [step.deed for step in pull.waiting]) == ([(Deed.FETCH, ARGON.id)], [Deed.CHANGE])
    assert (deeds(push), [step.deed for step in push.waiting]) == ([(Deed.CHANGE, UV.id)], [Deed.FETCH])
    assert pull.advance.sent == ()
    assert push.advance.base == {}
    assert push.advance.aside == {ARGON.id: newer}, "it is not pulled again"


def test_a_push_leaves_conflicts_for_another_time() -> None:
    theirs = changed(UV, "use poetry", BOB)
    draft = a_draft(the_views(marked(UV).replace("use uv", "use pip"), [UV], [theirs]), Direction.PUSH)
    assert [step.deed for step in draft.waiting] == [Deed.CONFLICT]
    assert draft.advance.sent == ()
    assert draft.advance.aside == {UV.id: theirs}


def test_a_pulled_conflict_is_sent_by_the_next_sync() -> None:
    theirs = changed(UV, "use poetry", BOB)
    draft = a_draft(the_views(marked(UV).replace("use uv", "use pip"), [UV], [theirs]), Direction.PULL)
    assert deeds(draft) == [(Deed.CONFLICT, UV.id)]
    assert draft.advance.sent == ()
    after = a_draft(the_views(draft.rewrite.text(GENERATION), [theirs], []))
    assert [(one.entry.id, one.entry.text) for one in after.advance.sent] == [(sibling_id(UV.id, "use pip"), "use pip")]


def test_what_must_not_be_shared_stays_in_the_file_as_it_is() -> None:
    theirs = changed(ARGON, "use bcrypt", BOB)
    text = marked(UV, ARGON).replace("use uv", "a secret").replace("use argon2", "secret 2") + f"- secret 3\n- {'x' * 4001}\n"
    draft = a_draft(the_views(text, [UV, ARGON], [theirs]))
    assert {step.deed for step in draft.steps} == {Deed.HOLD}
    assert [step.note for step in draft.steps][:3] == [
        "it says so",
        "it says so; elsewhere it was changed meanwhile",
        "it says so",
    ]
    assert draft.advance.sent == ()
    assert draft.advance.base == {}
    assert draft.advance.aside == {ARGON.id: theirs}
    assert [item.text for item in Document.parse(draft.rewrite.text("g2")).items][:3] == ["a secret", "secret 2", "secret 3"]


def test_a_heading_that_must_not_be_shared_keeps_what_is_below_it_at_home() -> None:
    draft = a_draft(the_views("## the secret is 1234\n\n- use uv\n", [], []))
    assert [(step.deed, step.text, step.note) for step in draft.steps] == [
        (Deed.HOLD, "use uv", "the heading above it: it says so")
    ]
    assert draft.advance.sent == ()


def test_who_wrote_it_can_be_said_entry_by_entry() -> None:
    carol = Origin("carol", "task:1", 9.0)
    text = marked(UV, ARGON).replace("use uv", "use uv 1").replace("use argon2", "use bcrypt")
    draft = a_draft(the_views(text, [UV, ARGON], []), origins={(UV.id, "use uv 1"): carol, (ARGON.id, "use argon2"): carol})
    assert [(one.entry.author, one.entry.source, one.entry.changed_at) for one in draft.advance.sent] == [
        ("carol", "task:1", 9.0),
        ("ada", "local", 1.0),
    ]


def test_marks_tell_how_far_others_were_seen_and_nothing_of_oneself() -> None:
    def there(number: int, text: str, writer: str, of: int = 1) -> MemoryEntry:
        stamp = {"writer": writer, "number": 3, "of": of}
        return new_entry(SKILL, IDS[number], text, "", BOB).model_copy(update=stamp)

    news = [there(0, "a", "cloud.1"), there(1, "b", "cloud.2", of=2), there(2, "c", "-"), there(3, "d", WRITER)]
    views = the_views("", [], news, heir=False)
    assert a_draft(views).advance.seen == {"cloud.1": (3, True), "cloud.2": (3, False)}
    known = replace(views.state, seen={"cloud.1": Mark(3, True), "cloud.2": Mark(3, False)})
    assert a_draft(replace(views, state=known)).advance.seen == {}


def test_what_waits_in_a_file_from_elsewhere_is_not_agreed_on_any_more() -> None:
    """Else the lines that it does not have would count as deleted, once the file is the base's."""
    dead = changed(ARGON, None, BOB)
    views = the_views(marked(UV, ARGON, text="- new\n"), [UV, dead, FPS], [], heir=False)
    pushed = a_draft(views, Direction.PUSH)
    assert [(step.deed, step.id) for step in pushed.waiting] == [(Deed.DROP, ARGON.id), (Deed.FETCH, FPS.id)]
    assert pushed.advance.base == {ARGON.id: None, FPS.id: None}
    assert pushed.advance.aside == {ARGON.id: dead, FPS.id: FPS}
    assert a_draft(views).advance.aside == {}
    assert a_draft(the_views(marked(UV), [UV, FPS], []), Direction.PULL).advance.base == {}
