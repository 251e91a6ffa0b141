"""What a run may say to its skill's memory."""

import pytest

from agents.src.errors import InvalidMemory, LooksSecret
from agents.src.memory import Act, Lesson, Notebook, Recalled, Wish, entry_id
from agents.src.memory.learn import MOST_LESSONS

BCRYPT = Recalled(id="a167aa41ae7e", text="use bcrypt", section="Auth", rev="r1")
FPS = Recalled(id="b167aa41ae7e", text="videos are 50 fps", rev="r2")
ARGON = entry_id("planning", "use argon2")


def wary(text: str) -> str | None:
    return "a hunter's key" if "hunter2" in text else None


def a_notebook(*given: Recalled) -> Notebook:
    return Notebook("planning", given or (BCRYPT, FPS), wary)


def add(text: str, section: str = "") -> Wish:
    return Wish(text=text, section=section)


def correct(which: str, text: str, section: str = "") -> Wish:
    return Wish(Act.CORRECT, text, which, section)


def forget(which: str) -> Wish:
    return Wish(Act.FORGET, id=which)


def test_a_new_fact_gets_the_id_that_follows_from_it() -> None:
    lesson = a_notebook().take(add("  use argon2 \r\n", "## Auth and\nmore "))
    assert lesson == Lesson(action=Act.ADD, id=ARGON, text="use argon2", section="Auth and more")


def test_a_fact_that_was_given_is_corrected_over_the_revision_it_had() -> None:
    lesson = a_notebook().take(correct(BCRYPT.id, "use argon2", "Login"))
    assert lesson == Lesson(action=Act.CORRECT, id=BCRYPT.id, text="use argon2", section="Login", rev="r1")


def test_a_fact_that_was_given_is_forgotten_and_says_what_it_was() -> None:
    assert a_notebook().take(forget(FPS.id)) == Lesson(action=Act.FORGET, id=FPS.id, text=FPS.text, rev="r2")


def test_what_the_run_wrote_itself_has_no_revision_yet() -> None:
    notebook = a_notebook()
    notebook.take(add("use argon2"))
    again = notebook.take(correct(ARGON, "use argon2id"))
    assert again == Lesson(action=Act.CORRECT, id=ARGON, text="use argon2id")
    notebook.take(correct(BCRYPT.id, "use scrypt"))
    twice = notebook.take(correct(BCRYPT.id, "use yescrypt"))
    assert twice == Lesson(action=Act.CORRECT, id=BCRYPT.id, text="use yescrypt")
    assert notebook.take(forget(ARGON)) == Lesson(action=Act.FORGET, id=ARGON, text="use argon2id")


def test_an_id_that_has_become_another_fact_is_not_given_out_again() -> None:
    known = Recalled(id=ARGON, text="use argon2id", rev="r1")
    lesson = a_notebook(known).take(add("use argon2"))
    assert lesson and lesson.id == entry_id("planning", "use argon2", [ARGON]) != ARGON


def test_what_the_memory_says_already_is_no_lesson() -> None:
    notebook = a_notebook(Recalled(id=ARGON, text="use argon2", rev="r1"))
    assert notebook.take(add("use argon2")) is None
    assert notebook.take(correct(ARGON, "use argon2")) is None
    assert notebook.take(add("use salt"))
    assert notebook.take(add("use salt\n")) is None


@pytest.mark.parametrize("wish", [forget("c167aa41ae7e"), correct("c167aa41ae7e", "x"), forget(""), correct("", "x")])
def test_only_an_entry_that_the_run_knows_can_be_changed(wish: Wish) -> None:
    with pytest.raises(InvalidMemory, match=f"id: .*; there are: {BCRYPT.id}, {FPS.id}"):
        a_notebook().take(wish)
    with pytest.raises(InvalidMemory, match="was given none"):
        Notebook("planning", (), wary).take(wish)


def test_what_was_forgotten_is_known_no_longer_but_can_be_learned_again() -> None:
    notebook = a_notebook(Recalled(id=ARGON, text="use argon2", rev="r1"))
    notebook.take(forget(ARGON))
    with pytest.raises(InvalidMemory):
        notebook.take(correct(ARGON, "use argon2id"))
    lesson = notebook.take(add("use argon2"))
    assert lesson and lesson.id == ARGON


@pytest.mark.parametrize("text", ["", " \n ", "x" * 4001, "bell \a", "half \ud83d"])
def test_a_text_that_cannot_be_an_entry_is_refused(text: str) -> None:
    for wish in (add(text), correct(BCRYPT.id, text)):
        with pytest.raises(InvalidMemory, match=r"^text: "):
            a_notebook().take(wish)


@pytest.mark.parametrize("section", ["x" * 201, "bell \a", "half \ud83d"])
def test_a_section_that_cannot_be_a_heading_is_refused(section: str) -> None:
    with pytest.raises(InvalidMemory, match=r"^section: "):
        a_notebook().take(add("use argon2", section))


@pytest.mark.parametrize("wish", [add("it is hunter2"), correct(BCRYPT.id, "hunter2"), add("use argon2", "hunter2")])
def test_a_secret_is_named_and_not_repeated(wish: Wish) -> None:
    with pytest.raises(LooksSecret, match="a hunter's key") as caught:
        a_notebook().take(wish)
    assert "hunter2" not in caught.value.detail


def test_a_refusal_changes_nothing() -> None:
    notebook = a_notebook()
    for wish in (correct(BCRYPT.id, "hunter2"), correct("c167aa41ae7e", "x")):
        with pytest.raises((InvalidMemory, LooksSecret)):
            notebook.take(wish)
    lesson = notebook.take(correct(BCRYPT.id, "use argon2"))
    assert lesson and lesson.rev == "r1"


def test_a_run_that_never_stops_learning_is_stopped() -> None:
    notebook = a_notebook()
    for number in range(MOST_LESSONS):
        assert notebook.take(add(f"fact {number}"))
    with pytest.raises(InvalidMemory, match=str(MOST_LESSONS)):
        notebook.take(add("one more"))
