"""The Modal app as it is declared: nothing is asked of Modal, no network, no account."""

import asyncio
import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import httpx
import pytest

from agents.src.errors import InvalidSkill, Misconfigured
from agents.src.services.claude_credentials import CredentialSource
from agents.src.services.claude_responder import ClaudeResponder
from agents.src.services.modal_app import LONGEST_CALL, MARGIN, call_timeout
from agents.src.services.requirements import pinned
from agents.src.skills import Skill
from agents.src.tasks import Retries
from agents.src.tasks.turns import PATIENCE
from tests.building import TOKEN

ROOT = Path(__file__).parents[1]
MAIN = ROOT / "agents" / "main.py"
PLAIN = "---\nname: plain\ndescription: Says no more than it must.\n---\nDo it.\n"
GREEDY = """---
name: greedy
description: Says all there is to say.
engine: script
run: main.py
cpu: 0.5
memory: 512
gpu: [h100:2, a10g]
timeout: 100
max-containers: 3
retries: {max-retries: 2, max-delay: 10}
apt: [ffmpeg]
pip: ["pillow>=11"]
secrets: [picture-store]
---
"""

Declare = Callable[[Path], ModuleType]


@pytest.fixture
def declare(monkeypatch: pytest.MonkeyPatch) -> Declare:
    """Imports agents/main.py afresh, with the skills of a folder."""

    def declared(skills: Path) -> ModuleType:
        monkeypatch.setenv("MODAL_CONFIG_PATH", os.devnull)
        monkeypatch.setenv("MODAL_INVOKE_SKILLS_DIR", str(skills))
        spec = importlib.util.spec_from_file_location("declared_main", MAIN)
        assert spec and spec.loader
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, "declared_main", module)
        spec.loader.exec_module(module)
        return module

    return declared


@pytest.fixture
def odd(tmp_path: Path) -> Path:
    for name, text in {"plain": PLAIN, "greedy": GREEDY}.items():
        folder = tmp_path / "skills" / name
        folder.mkdir(parents=True)
        (folder / "info.md").write_text(text)
    (tmp_path / "skills" / "greedy" / "main.py").write_text("")
    return tmp_path / "skills"


def secrets(info: object) -> set[str]:
    return {text.split("'")[1] for text in getattr(info, "secrets", ())}


def test_each_of_the_projects_skills_has_a_function_as_its_info_md_says(declare: Declare) -> None:
    main = declare(ROOT / "agents" / "skills")
    assert set(main.FUNCTIONS) == {skill.name for skill in main.CATALOGUE} >= {"planning"}
    for skill in main.CATALOGUE:
        info = main.FUNCTIONS[skill.name].info()
        assert (info.cpu, info.memory_mib) == (skill.resources.cpu, skill.resources.memory)
        assert info.timeout >= skill.timeout + MARGIN
        assert (info.max_retries or 0) == 0
        assert info.volumes["/state"].name == "modal-invoke-state"


def test_a_skill_that_says_everything_gets_everything(declare: Declare, odd: Path) -> None:
    main = declare(odd)
    info = main.FUNCTIONS["greedy"].info()
    assert (info.cpu, info.memory_mib, info.gpus) == (0.5, 512, [("H100", 2), ("A10G", 1)])
    assert info.timeout == 3 * (100 + MARGIN) + 2 * 10
    assert secrets(info) == {"modal-invoke-database", "modal-invoke-qdrant", "picture-store"}
    assert info.single_use_containers is False


def test_a_skill_of_claude_gets_its_secret_and_a_container_of_its_own(declare: Declare, odd: Path) -> None:
    info = declare(odd).FUNCTIONS["plain"].info()
    assert (info.cpu, info.memory_mib, info.gpus) == (None, None, [])
    assert secrets(info) == {"modal-invoke-database", "modal-invoke-qdrant", "anthropic"}
    assert info.single_use_containers is True
    assert info.timeout == 3600 + MARGIN


@pytest.mark.parametrize("name", ["web", "memory", "responder"])
def test_a_skill_called_like_another_function_replaces_nothing(declare: Declare, tmp_path: Path, name: str) -> None:
    folder = tmp_path / "skills" / name
    folder.mkdir(parents=True)
    (folder / "info.md").write_text(PLAIN.replace("plain", name))
    main = declare(tmp_path / "skills")
    assert (repr(main.FUNCTIONS[name]), repr(getattr(main, name))) == (f"Function(skill-{name})", f"Function({name})")


def test_the_web_app_and_the_crons_get_the_secrets_that_they_need(declare: Declare, odd: Path) -> None:
    main = declare(odd)
    web, reaper, memory = main.web.info(), main.reaper.info(), main.memory.info()
    assert secrets(web) == {"modal-invoke", "modal-invoke-database", "modal-invoke-qdrant"}
    assert secrets(reaper) == {"modal-invoke-database"}
    assert secrets(memory) == {"modal-invoke-database", "modal-invoke-qdrant"}
    assert ("* * * * *" in reaper.schedule, "*/10 * * * *" in memory.schedule) == (True, True)
    assert memory.volumes["/state"].name == "modal-invoke-state"
    assert (web.schedule, web.concurrency_info.max_inputs) == (None, 100)


def test_the_responder_has_what_it_needs_and_is_over_before_the_next_in_turn_is_asked(declare: Declare, odd: Path) -> None:
    main = declare(odd)
    responder = main.responder.info()
    assert secrets(responder) == {"anthropic", "modal-invoke-database"}
    assert ClaudeResponder(CredentialSource(odd)).patience + MARGIN <= responder.timeout < PATIENCE
    assert (responder.volumes, responder.schedule, responder.max_retries or 0) == ({}, None, 0)
    assert main.ENVIRONMENT["QUESTION_RESPONDER"] == ""


def test_a_responder_that_is_switched_off_is_not_deployed(declare: Declare, odd: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUESTION_RESPONDER", "off")
    main = declare(odd)
    assert (hasattr(main, "responder"), main.RESPONDER_SECRETS) == (False, [])
    assert main.ENVIRONMENT["QUESTION_RESPONDER"] == "off"


def test_a_broken_or_empty_catalogue_is_not_deployed(declare: Declare, odd: Path, tmp_path: Path) -> None:
    (odd / "plain" / "info.md").write_text(PLAIN.replace("---\nDo", "cpu: '2'\n---\nDo"))
    with pytest.raises(InvalidSkill, match=r'info\.md:4: cpu: "2" is text'):
        declare(odd)
    with pytest.raises(InvalidSkill, match="no such folder"):
        declare(tmp_path / "nothing")


def test_the_web_function_gives_the_app_that_a_local_server_has(
    declare: Declare, odd: Path, monkeypatch: pytest.MonkeyPatch, new_postgres: Callable[[], str], tmp_path: Path
) -> None:
    monkeypatch.setenv("MODAL_INVOKE_TOKEN", TOKEN)
    monkeypatch.setenv("MODAL_INVOKE_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("DATABASE_URL", new_postgres())

    async def story() -> list[str]:
        with pytest.warns(UserWarning, match="Volume"):
            app = declare(odd).web.local()
        headers = {"Authorization": f"Bearer {TOKEN}"}
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://web", headers=headers) as client,
        ):
            answer = await client.get("/api/skills")
            return [skill["name"] for skill in answer.json()["items"]]

    assert asyncio.run(story()) == ["greedy", "plain"]


def test_without_a_database_url_the_web_function_says_what_to_set(
    declare: Declare, odd: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODAL_INVOKE_TOKEN", TOKEN)
    monkeypatch.delenv("DATABASE_URL", raising=False)
    with pytest.warns(UserWarning, match="Volume"), pytest.raises(Misconfigured, match="secret modal-invoke-database"):
        declare(odd).web.local()


@pytest.mark.parametrize(
    ("timeout", "retries", "expected"),
    [
        (None, Retries(), 50 + MARGIN),
        (LONGEST_CALL - MARGIN, Retries(), LONGEST_CALL),
        (40_000, Retries(max_retries=10), LONGEST_CALL),
        (10, Retries(max_retries=1, max_delay=0.5), 2 * (10 + MARGIN) + 1),
    ],
)
def test_a_call_lasts_as_long_as_all_attempts(timeout: int | None, retries: Retries, expected: int) -> None:
    assert call_timeout(a_skill(timeout, retries), 50) == expected


def test_a_time_limit_that_modal_would_cut_short_is_refused() -> None:
    with pytest.raises(Misconfigured, match=f"timeout: {LONGEST_CALL - MARGIN} or less"):
        call_timeout(a_skill(LONGEST_CALL, Retries()), 50)


def a_skill(timeout: int | None, retries: Retries) -> Skill:
    return Skill(name="plain", description="Plain.", instruction="Do it.", folder=Path(), timeout=timeout, retries=retries)


def test_a_deploy_without_modals_token_says_so_in_one_line(tmp_path: Path) -> None:
    surroundings = {
        "HOME": str(tmp_path),
        "PATH": os.defpath,
        "MODAL_CONFIG_PATH": os.devnull,
        "MODAL_SERVER_URL": "http://127.0.0.1:9",
    }
    command = [str(Path(sys.executable).with_name("modal")), "deploy", "-m", "agents.main"]
    deploy = subprocess.run(command, cwd=ROOT, env=surroundings, capture_output=True, text=True, timeout=60, check=False)
    assert deploy.returncode == 1
    assert deploy.stderr == "Modal does not know this machine: run `modal setup`, or set MODAL_TOKEN_ID and MODAL_TOKEN_SECRET.\n"


def test_the_servers_budget_is_that_of_the_shell_that_deploys(
    declare: Declare, odd: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DAILY_BUDGET_USD", raising=False)
    assert "DAILY_BUDGET_USD" not in declare(odd).ENVIRONMENT
    monkeypatch.setenv("DAILY_BUDGET_USD", "12.50")
    assert declare(odd).ENVIRONMENT["DAILY_BUDGET_USD"] == "12.5"


def test_images_get_pinned_packages_and_only_theirs(declare: Declare, odd: Path) -> None:
    main = declare(odd)
    core, memory, web, claude = (set(names_of(roots)) for roots in (main.CORE, main.MEMORY, main.WEB, main.CLAUDE))
    assert {"psycopg-binary", "psycopg-pool", "pydantic-core", "pyyaml", "structlog"} <= core
    assert not (core | memory | web) & {"claude-agent-sdk", "imageio-ffmpeg", "mcp", "modal", "numpy", "qdrant-client"}
    assert {"detect-secrets", "filelock", "httpx", "mmh3"} <= memory
    assert {"fastapi", "starlette", "jsonschema"} <= web
    assert {"claude-agent-sdk", "mcp", "starlette", "uvicorn"} <= claude


def names_of(roots: tuple[str, ...]) -> list[str]:
    lines = pinned(ROOT / "requirements.txt", roots)
    assert all("==" in line for line in lines)
    return [line.partition("==")[0] for line in lines]


def test_where_the_list_is_missing_the_roots_stand_for_themselves(tmp_path: Path) -> None:
    assert pinned(tmp_path / "requirements.txt", ["fastapi"]) == ["fastapi"]
