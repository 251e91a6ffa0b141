"""`modal-invoke memory`: what skills have learned, over HTTP."""

from tests.client.driver import Client
from tests.client.stand_in import Fault, StandIn

FACT = "Use argon2, not bcrypt."


def test_add_teaches_a_fact_and_prints_its_id(client: Client, server: StandIn) -> None:
    done = client("memory", "add", "planning", FACT, "--section", "Passwords")
    [entry] = server.memory
    assert (done.code, done.out) == (0, f"{entry['id']}\n")
    assert done.err == "planning knows it now.\n"
    assert (entry["skill"], entry["text"], entry["section"]) == ("planning", FACT, "Passwords")


def test_the_same_fact_again_says_that_it_is_known(client: Client, server: StandIn) -> None:
    first, second = client("memory", "add", "planning", FACT), client("memory", "add", "planning", FACT)
    assert (second.code, second.out) == (0, first.out)
    assert second.err == "planning knew it already.\n"
    assert len(server.memory) == 1


def test_a_fact_is_read_from_standard_input_as_it_is(client: Client, server: StandIn) -> None:
    assert client("memory", "add", "planning", "-", "--json", stdin='Say "$HOME", not `~`.\nAlways.').json["skill"] == "planning"
    assert server.memory[0]["text"] == 'Say "$HOME", not `~`.\nAlways.'


def test_standard_input_in_another_encoding_is_refused_and_nothing_is_sent(client: Client, server: StandIn) -> None:
    for words in (("memory", "add", "planning", "-"), ("run", "planning", "-")):
        done = client(*words, stdin="Schöne Grüße".encode("latin-1"))
        assert (done.code, done.out) == (2, "")
        assert "Standard input is not UTF-8 (byte 4). Convert it: iconv -t UTF-8." in done.err
    assert (server.memory, server.requests("POST", "/api/")) == ([], [])


def test_an_answer_that_was_lost_does_not_teach_twice(client: Client, server: StandIn) -> None:
    server.fault("POST /api/memory", Fault(cut=True, discard=True))
    assert client("memory", "add", "planning", FACT).code == 0
    assert len(server.requests("POST", "/api/memory")) == 2
    assert len(server.memory) == 1


def test_search_shows_the_facts_that_fit(client: Client, server: StandIn) -> None:
    for skill in ("planning", "media-processing"):
        client("memory", "add", skill, FACT)
    found = client("memory", "search", "argon2")
    assert (found.code, [line.split()[0] for line in found.out.splitlines()]) == (0, ["planning", "media-processing"])
    assert found.out.splitlines()[0].endswith(FACT)
    [entry] = client("memory", "search", "argon2", "--skill", "planning", "--limit", "3", "--json").json
    assert (entry["skill"], entry["text"], entry["score"]) == ("planning", FACT, 1.0)
    assert server.requests("GET", "/api/memory/search")[-1].query == {"q": ["argon2"], "skill": ["planning"], "limit": ["3"]}


def test_search_that_finds_nothing_says_so(client: Client) -> None:
    found = client("memory", "search", "x&limit=5 ü")
    assert (found.code, found.out, found.err) == (0, "", "Nothing fits.\n")


def test_a_refusal_is_told(client: Client, server: StandIn) -> None:
    problem = {"title": "What is to be remembered looks like a secret.", "detail": "It looks like a secret (AWS key)."}
    server.fault("POST /api/memory", Fault(422, problem))
    done = client("memory", "add", "planning", "AKIA…")
    assert (done.code, done.out) == (1, "")
    assert "It looks like a secret (AWS key)." in done.err


def test_a_memory_out_of_reach_is_told_after_some_tries(client: Client, server: StandIn) -> None:
    away = Fault(503, {"title": "A part that this needs cannot be reached.", "detail": "Qdrant is away."}, {"Retry-After": "0"})
    server.fault("GET /api/memory", *[away] * 4)
    done = client("memory", "search", "x")
    assert (done.code, "Qdrant is away." in done.err) == (5, True)


def test_without_a_command_the_help_says_which_there_are(client: Client) -> None:
    done = client("memory")
    assert done.code == 2
    assert {"search", "add"} <= set(client("memory", "--help").out.split())
