"""What an info.md may say; and docs/info-md.md, which says it to people."""

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.src.skills import FUNCTION_PREFIX, GPUS, Fault, Skill, known_keys, read_skill
from agents.src.tasks import Choice, ClaudeOptions, OnCrash, QuestionRules, Retries, Turn

CLAUDE = {"name": "x", "description": "Does it."}
SCRIPT = {**CLAUDE, "engine": "script", "run": "main.py"}
CLAUDE_ONLY = {"model", "effort", "allowed-tools", "max-turns", "budget-usd"}


def read(values: dict[str, Any], body: str = "Do it.") -> Skill | list[Fault]:
    return read_skill(Path("skills/x"), values, {(key,): number for number, key in enumerate(values, 2)}, body)


def skill_of(values: dict[str, Any], body: str = "Do it.") -> Skill:
    skill = read(values, body)
    assert isinstance(skill, Skill), skill
    return skill


def faults_of(values: dict[str, Any], body: str = "Do it.") -> list[str]:
    faults = read(values, body)
    assert isinstance(faults, list), faults
    return [str(fault) for fault in faults]


def base_for(key: str) -> dict[str, Any]:
    return SCRIPT if key in {"run", "asks"} else CLAUDE


def test_the_shortest_skill_leaves_every_choice_open() -> None:
    assert skill_of(CLAUDE) == Skill(name="x", description="Does it.", instruction="Do it.", folder=Path("skills/x"))


def test_every_key_reaches_the_skill() -> None:
    skill = skill_of(
        {
            **CLAUDE,
            "engine": "claude",
            "model": "sonnet[1m]",
            "effort": "xhigh",
            "allowed-tools": "Read Bash(git add *)",
            "max-turns": 9,
            "budget-usd": 2,
            "arguments": {"type": "object"},
            "timeout": 86400,
            "retries": {"max-retries": 2, "initial-delay": 0, "backoff-coefficient": 1, "max-delay": 5.5},
            "on-crash": "interrupt",
            "cpu": 2,
            "memory": 512,
            "gpu": ["h100!:2", "any"],
            "max-containers": 3,
            "apt": ["ffmpeg", "g++=4:12.2.0-3"],
            "pip": ["pillow>=11,<13", "httpx[http2]"],
            "secrets": ["my.secret_1"],
            "questions": {
                "hold": 2.5,
                "deadline": "10m",
                "ask": ["responder", "caller"],
                "choices": ["red", {"label": "blue", "description": "As the sky."}],
                "several": True,
                "free-text": False,
                "default": ["blue", "red"],
            },
        }
    )
    assert skill.claude == ClaudeOptions(
        model="sonnet[1m]", effort="xhigh", allowed_tools=("Read", "Bash(git add *)"), max_turns=9, budget_usd=2
    )
    assert skill.retries == Retries(max_retries=2, initial_delay=0, backoff_coefficient=1, max_delay=5.5)
    assert skill.on_crash is OnCrash.INTERRUPT
    assert skill.questions == QuestionRules(
        hold=2.5,
        deadline=600.0,
        ask=(Turn.RESPONDER, Turn.CALLER),
        choices=(Choice(label="red"), Choice(label="blue", description="As the sky.")),
        several=True,
        free_text=False,
        default=("blue", "red"),
    )
    assert (skill.arguments, skill.timeout) == ({"type": "object"}, 86400)
    assert skill.resources.model_dump() == {
        "cpu": 2.0,
        "memory": 512,
        "gpu": ("H100!:2", "ANY"),
        "max_containers": 3,
        "apt": ("ffmpeg", "g++=4:12.2.0-3"),
        "pip": ("pillow>=11,<13", "httpx[http2]"),
        "secrets": ("my.secret_1",),
    }


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("name", "a"), ("name", "a-1-b"), ("cpu", 0.125), ("cpu", 64), ("memory", 128), ("memory", 344064), ("timeout", 1),
        ("gpu", "A100-80GB:8"), ("gpu", "A10:4"), ("gpu", "B200+"), ("gpu", ["RTX-PRO-6000"]), ("retries", 0), ("retries", 10),
        ("pip", ["a"]), ("pip", ["torch==2.1.*"]), ("pip", ["x~=1!2.0+local", "y!=3"]), ("pip", []), ("apt", ["libgl1"]),
        ("model", "claude-opus-4-1"), ("model", "us.anthropic.claude-v1:0"), ("run", "main.py"), ("run", "render"),
        ("allowed-tools", "mcp__files__*"), ("allowed-tools", ["Bash(git log *)", "Read"]), ("allowed-tools", "Bash(a (b) c)"),
        ("budget-usd", 0.01), ("description", "d" * 1024), ("effort", "max"),
        ("arguments", {"type": "object", "required": ["a"]}),
        ("questions", {}), ("questions", {"hold": 0, "deadline": "60s"}), ("questions", {"hold": 3600, "deadline": "7d"}),
        ("questions", {"default": "Decide."}), ("questions", {"default": ["a", "b"]}), ("questions", {"free-text": False}),
        ("questions", {"default": "Other.", "choices": ["a"]}), ("questions", {"choices": [{"label": "a", "description": ""}]}),
    ],
)  # fmt: skip
def test_what_is_allowed(key: str, value: Any) -> None:
    values = {**base_for(key), key: value}
    assert isinstance(read_skill(Path("skills") / str(values["name"]), values, {}, "Do it."), Skill)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("name", "A"), ("name", "-a"), ("name", "a--b"), ("name", "a_b"), ("name", "../x"), ("name", ""), ("name", 3),
        ("description", ""), ("description", "  \n"), ("description", "d" * 1025), ("description", ["d"]),
        ("engine", "bash"), ("engine", True), ("engine", ["claude"]), ("engine", {}),
        ("cpu", "2"), ("cpu", True), ("cpu", 0), ("cpu", 0.1), ("cpu", 65), ("cpu", [1, 2]), ("cpu", float("nan")),
        ("memory", "512"), ("memory", 512.0), ("memory", [512, 1024]), ("memory", 127), ("memory", False), ("memory", 344065),
        ("gpu", "NOSUCH"), ("gpu", "H100:9"), ("gpu", "H100:0"), ("gpu", "A10:5"), ("gpu", "H100:"), ("gpu", "H100:²"),
        ("gpu", 1), ("gpu", []), ("gpu", ["T4", "t4"]), ("gpu", ["T4", None]),
        ("timeout", 0), ("timeout", 86401), ("timeout", 1.5), ("timeout", "60"), ("timeout", 10**18),
        ("max-containers", 0), ("max-containers", True), ("retries", -1), ("retries", 11), ("retries", True), ("retries", "2"),
        ("retries", {}), ("retries", {"max-retries": 1, "initial-delay": 61}), ("retries", {"max-retries": 1, "max-delay": 0}),
        ("retries", {"max-retries": 1, "backoff-coefficient": 0.5}), ("retries", {"max-retries": 1, "delay": 1}),
        ("apt", "ffmpeg"), ("apt", ["-y"]), ("apt", ["a b"]), ("apt", ["a;b"]), ("apt", ["x", "x"]), ("apt", [1]), ("apt", ["A"]),
        ("pip", ["-r x.txt"]), ("pip", ["--index-url=http://x"]), ("pip", ["a >= 1"]), ("pip", ["a>=1\n"]), ("pip", ["$(id)"]),
        ("pip", ["a@https://x/y.whl"]), ("pip", ["./a"]), ("pip", ["a=1"]), ("pip", {"a": 1}), ("pip", ["a;os_name=='nt'"]),
        ("secrets", ["a b"]), ("secrets", ["s" * 65]), ("secrets", "s"), ("on-crash", "restart"), ("on-crash", True),
        ("effort", "extreme"), ("model", "two words"), ("model", "-p"), ("model", ""), ("max-turns", 0), ("budget-usd", 0),
        ("budget-usd", "1"), ("allowed-tools", "Read, Write"), ("allowed-tools", "Bash(git"), ("allowed-tools", "Bash)("),
        ("allowed-tools", ["Read Write"]), ("allowed-tools", "Read Read"), ("allowed-tools", 1), ("allowed-tools", "--all"),
        ("asks", "yes"), ("asks", 1),
        ("run", "../main.py"), ("run", "bin/main.py"), ("run", "/bin/sh"), ("run", ".hidden"), ("run", "-x"), ("run", "a b"),
        ("arguments", {}), ("arguments", {"type": "array"}), ("arguments", {"type": "object", "properties": []}),
        ("arguments", "x"), ("arguments", [1]),
        ("questions", []), ("questions", "never"), ("questions", {"ask": []}), ("questions", {"ask": "caller"}),
        ("questions", {"ask": ["caller", "caller"]}), ("questions", {"ask": ["default"]}), ("questions", {"ask": ["Caller"]}),
        ("questions", {"hold": -1}), ("questions", {"hold": 3601}), ("questions", {"hold": "60"}), ("questions", {"hold": True}),
        ("questions", {"deadline": "59s"}), ("questions", {"deadline": "8d"}), ("questions", {"deadline": 600}),
        ("questions", {"deadline": "1w"}), ("questions", {"deadline": "1.5h"}), ("questions", {"deadline": "²m"}),
        ("questions", {"deadline": "99999999d"}), ("questions", {"deadline": None}), ("questions", {"free_text": False}),
        ("questions", {"choices": []}), ("questions", {"choices": ["a", "a"]}), ("questions", {"choices": "a"}),
        ("questions", {"choices": [{"label": ""}]}), ("questions", {"choices": [{"description": "b"}]}),
        ("questions", {"choices": [{"label": "a", "value": 1}]}), ("questions", {"choices": [str(n) for n in range(51)]}),
        ("questions", {"several": "yes"}), ("questions", {"default": ""}), ("questions", {"default": []}),
        ("questions", {"default": "c", "choices": ["a", "b"], "free-text": False}),
        ("questions", {"default": ["a", "b"], "choices": ["a", "b"]}),
        ("questions", {"default": ["a", "c"], "choices": ["a", "b"], "several": True}),
    ],
)  # fmt: skip
def test_what_is_refused(key: str, value: Any) -> None:
    for fault in faults_of({**base_for(key), key: value}):
        assert re.match(rf"info\.md:\d+: {key}", fault), fault


@pytest.mark.parametrize("key", sorted(key for key in known_keys("claude") if "." not in key))
def test_a_key_without_a_value_is_refused(key: str) -> None:
    [fault] = faults_of({**CLAUDE, key: None})
    assert f"{key}: is empty; write " in fault


def test_every_fault_is_told_at_once_and_in_order() -> None:
    faults = faults_of(
        {**CLAUDE, "cpu": "2", "memory": 512.0, "timeout": True, "gpu": ["T4", "X", 3], "max_turns": 1, "qqq": 1}, body=""
    )
    assert faults == [
        "info.md:1: there is no text below the frontmatter; write the instruction that Claude is to follow",
        'info.md:4: cpu: "2" is text; write a number of cores, 0.125 to 64',
        "info.md:5: memory: 512.0 is a decimal number; write whole MiB, 128 to 344064",
        "info.md:6: timeout: true is true or false; write whole seconds, 1 to 86400",
        f'info.md:7: gpu: "X" is no GPU that Modal has; write one of {", ".join(GPUS)}',
        "info.md:7: gpu: 3 is a whole number; write a GPU such as H100 or A100-80GB:2, or a list of them, the most wanted first",
        "info.md:8: max_turns: there is no such key; did you mean max-turns?",
        "info.md:9: qqq: there is no such key; docs/info-md.md lists them all",
    ]


@pytest.mark.parametrize("base", [CLAUDE, SCRIPT])
def test_what_is_wrong_in_questions_is_told_by_its_own_line(base: dict[str, Any]) -> None:
    values = {**base, "questions": {"deadline": "1w", "choices": ["a", {"labl": "b"}], "ask": ["caller", "nobody"]}}
    lines = {("questions", "deadline"): 11, ("questions", "choices", 1): 13, ("questions", "choices", 1, "labl"): 14}
    faults = read_skill(Path("skills/x"), values, {**lines, ("questions", "ask", 1): 16}, "Do it.")
    assert isinstance(faults, list)
    asked = "a list of caller, human and responder, the first to be asked first"
    assert [str(fault) for fault in faults] == [
        'info.md:11: questions.deadline: "1w" is not allowed; write a time from 60s to 7d such as 10m or 2h, or never',
        "info.md:13: questions.choices.label: is missing; write 1 to 200 characters of text",
        "info.md:14: questions.choices.labl: there is no such key; did you mean questions.choices.label?",
        f'info.md:16: questions.ask: "nobody" is not allowed; write {asked}',
    ]


@pytest.mark.parametrize(
    ("deadline", "seconds"), [("60s", 60.0), ("10m", 600.0), ("2h", 7200.0), ("7d", 604800.0), ("never", None)]
)
def test_how_long_somebody_has_to_answer(deadline: str, seconds: float | None) -> None:
    assert skill_of({**CLAUDE, "questions": {"deadline": deadline}}).questions == QuestionRules(deadline=seconds)


@pytest.mark.parametrize("key", sorted(CLAUDE_ONLY))
def test_a_script_skill_has_no_keys_of_claude(key: str) -> None:
    [fault] = faults_of({**SCRIPT, key: "x"})
    assert f"{key}: belongs to the claude engine" in fault


def test_a_claude_skill_has_no_program() -> None:
    for key, value in {"run": "main.py", "asks": True}.items():
        [fault] = faults_of({**CLAUDE, key: value})
        assert f"{key}: belongs to the script engine" in fault


def test_an_unknown_engine_is_refused() -> None:
    assert faults_of({**CLAUDE, "engine": "bash"}) == ['info.md:4: engine: "bash" is not allowed; write claude or script']


@pytest.mark.parametrize(
    ("values", "hint"),
    [
        ({"max-delay": 3}, "max-delay: there is no such key; did you mean retries.max-delay?"),
        (
            {"retries": {"max-retries": 1, "max-dely": 3}},
            "retries.max-dely: there is no such key; did you mean retries.max-delay?",
        ),
        ({"max_turns": 3}, "max_turns: there is no such key; did you mean max-turns?"),
        ({"Allowed-Tools": "Read"}, "Allowed-Tools: there is no such key; did you mean allowed-tools?"),
        ({"license": "MIT"}, "license: there is no such key; docs/info-md.md lists them all"),
    ],
)
def test_an_unknown_key_is_refused_with_the_nearest_known_one(values: dict[str, Any], hint: str) -> None:
    [fault] = faults_of({**CLAUDE, **values})
    assert fault == f"info.md:4: {hint}"


def test_a_script_skill_needs_a_program_and_no_body() -> None:
    assert (skill_of(SCRIPT, body="").run, skill_of(SCRIPT).asks) == ("main.py", False)
    assert skill_of({**SCRIPT, "asks": True}).asks
    assert "run: is missing" in faults_of({**CLAUDE, "engine": "script"})[0]


def test_the_longest_name_leaves_room_for_the_prefix_of_its_function() -> None:
    for length, allowed in ((58, True), (59, False)):
        name = "a" * length
        assert isinstance(read_skill(Path(name), {**CLAUDE, "name": name}, {}, "Do it."), Skill) is allowed
        assert (len(FUNCTION_PREFIX + name) <= 64) is allowed


@pytest.mark.parametrize(
    ("schema", "place", "why"),
    [
        ({"properties": {"w": {"type": "strng"}}}, "arguments.properties.w.type", "'strng' is not one of"),
        ({"properties": {"w": {"pattern": "["}}}, "arguments.properties.w.pattern", "'[' is not a 'regex'"),
        ({"properties": {"w": {"$ref": "#/$defs/no"}}}, "arguments.properties.w.$ref", "there is no '#/$defs/no'"),
        (
            {"properties": {"w": {"$ref": "http://127.0.0.1/w"}}},
            "arguments.properties.w.$ref",
            "there is no 'http://127.0.0.1/w'",
        ),
        ({"$id": "http://127.0.0.1/x"}, "arguments.$id", "leave $id out"),
    ],
)
def test_a_schema_that_could_not_be_used_is_refused(schema: dict[str, Any], place: str, why: str) -> None:
    [fault] = faults_of({**CLAUDE, "arguments": {"type": "object", **schema}})
    assert f"info.md:4: {place}: " in fault
    assert why in fault


def test_a_schema_may_refer_to_itself() -> None:
    tree = {
        "type": "object",
        "properties": {"left": {"$ref": "#"}, "size": {"$ref": "#/$defs/size"}},
        "$defs": {"size": {"type": "integer"}},
    }
    assert skill_of({**CLAUDE, "arguments": tree}).arguments == tree


def test_a_schema_can_be_taken_on_trust() -> None:
    wrong = {**CLAUDE, "arguments": {"type": "array"}}
    assert isinstance(read_skill(Path("x"), wrong, {}, "Do it.", deep=False), Skill)


scalars = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12) | st.sampled_from(["x", "H100:2", "main.py"])
)
anything = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3), max_leaves=8
)
schemas = st.fixed_dictionaries(
    {"type": st.just("object")},
    optional=dict.fromkeys(("properties", "required", "$ref", "$defs", "allOf", "$dynamicRef", "$anchor", "$id"), anything),
)


@settings(deadline=None, max_examples=150)
@given(
    st.dictionaries(st.sampled_from(sorted({*known_keys("claude"), *known_keys("script"), "colour"})), anything, max_size=6),
    st.fixed_dictionaries(
        {}, optional={"arguments": schemas, "engine": st.sampled_from(["claude", "script"]), "name": st.just("x")}
    ),
    st.sampled_from(["", "Do it."]),
)
def test_any_mapping_gives_a_skill_or_faults(values: dict[str, Any], likely: dict[str, Any], body: str) -> None:
    result = read(values | likely, body)
    assert isinstance(result, Skill) or (result and all(fault.message and str(fault).isprintable() for fault in result))


PAGE = (Path(__file__).parents[2] / "docs" / "info-md.md").read_text()


def rows(heading: str) -> dict[str, str]:
    """The keys in the table below a heading, each with what the page says is allowed."""
    section = PAGE.split(f"## {heading}\n")[1].split("\n## ")[0]
    return dict(re.findall(r"^\| `([\w.-]+)` \| (.+?) \| ", section, re.MULTILINE))


def test_the_page_names_every_key_and_no_other_and_what_is_allowed() -> None:
    every, claude = rows("Keys of every skill"), rows("Keys of the `claude` engine")
    script = rows("Keys of the `script` engine")
    retries = {f"retries.{key}": allowed for key, allowed in rows("Keys of `retries`").items()}
    below = retries | {f"questions.{key}": allowed for key, allowed in rows("Keys of `questions`").items()}
    assert every | claude | below == known_keys("claude")
    assert every | script | below == known_keys("script")


def test_the_page_names_every_gpu() -> None:
    [paragraph] = [text for text in PAGE.split("\n\n") if text.startswith("**`gpu`**")]
    assert {word for word in re.findall(r"`([A-Z0-9+!-]+)`", paragraph) if word != "GB"} == set(GPUS)
