"""`agents doctor`."""

import asyncio
import json
from pathlib import Path

from agents.src.services.qdrant import QdrantMemory
from agents.src.services.qdrant_local import LocalWire
from tests.cli.conftest import Agents
from tests.qdrant_double import Double, an_entry, in_the_background, put

SECRETS = {"ANTHROPIC_API_KEY": "sk-ant-secret", "MODAL_TOKEN_ID": "ak-secret", "MODAL_INVOKE_TOKEN": "root-secret-" + "x" * 32}


def findings(agents: Agents, **env: str) -> dict[str, dict[str, str]]:
    return {finding["name"]: finding for finding in json.loads(agents("doctor", "--json", **env).stdout)}


def test_an_empty_machine_can_run_skills_and_is_told_what_else_there_is(agents: Agents) -> None:
    shown = agents("doctor")
    assert shown.exit_code == 0
    found = findings(agents)
    assert {name for name, finding in found.items() if finding["state"] == "missing"} == {
        "Claude credentials",
        "Modal token",
        "server to call",
    }
    for name in ("Python", "skills", "database", "Claude Code", "ffmpeg"):
        assert found[name]["state"] == "ok", found[name]
    for finding in found.values():
        assert finding["state"] == "ok" or (finding["remedy"] and finding["without"])
        assert finding["found"] in shown.stdout
    assert "log in, or set ANTHROPIC_API_KEY" in shown.stdout


def test_what_is_set_is_found_and_never_shown(agents: Agents) -> None:
    env = {**SECRETS, "MODAL_INVOKE_URL": "http://127.0.0.1:9"}
    found = findings(agents, **env)
    assert {finding["state"] for finding in found.values()} == {"ok"}
    assert found["Claude credentials"]["found"] == "from ANTHROPIC_API_KEY"
    output = agents("doctor", **env).output
    for secret in SECRETS.values():
        assert secret not in output


def test_what_is_kept_in_files_is_found(agents: Agents, surroundings: dict[str, str]) -> None:
    Path(surroundings["MODAL_CONFIG_PATH"]).write_text("[default]\n")
    login = Path(surroundings["XDG_CONFIG_HOME"]) / "modal-invoke" / "config.json"
    login.parent.mkdir(parents=True)
    login.write_text(json.dumps({"url": "https://example.modal.run", "token": "stored-secret"}))
    found = findings(agents)
    assert found["Modal token"]["state"] == "ok"
    assert found["server to call"]["found"] == "https://example.modal.run, token set"


def test_a_broken_skill_or_database_is_exit_code_1(agents: Agents, skills_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert agents("doctor", MODAL_INVOKE_STATE_DIR=str(tmp_path / "file")).exit_code == 1
    assert findings(agents, DATABASE_URL="mysql://user:pass@host/db")["database"]["state"] == "broken"
    (skills_dir / "echo" / "info.md").write_text("nothing")
    shown = agents("doctor")
    assert shown.exit_code == 1
    assert "echo/info.md:1" in shown.stdout


def test_a_database_is_named_without_its_password(agents: Agents, postgres_url: str) -> None:
    found = findings(agents, DATABASE_URL=postgres_url)["database"]
    assert found["state"] == "ok"
    assert found["found"].startswith("PostgreSQL, ")
    assert "@" not in found["found"]


def test_an_embedded_memory_is_looked_at_and_not_made(agents: Agents, surroundings: dict[str, str]) -> None:
    folder = Path(surroundings["MODAL_INVOKE_STATE_DIR"]) / "qdrant"
    assert findings(agents)["Qdrant"]["found"] == f"embedded, in {folder}, nothing kept yet"
    assert not folder.exists()

    async def remember() -> None:
        memory = QdrantMemory(LocalWire(folder), "modal-invoke")
        await put(memory, an_entry("one"))
        await memory.close()

    asyncio.run(remember())
    assert findings(agents)["Qdrant"]["found"] == f"embedded, in {folder}, 1 entry"


def test_a_memory_on_a_server_is_named_with_its_version_and_size(agents: Agents) -> None:
    double = Double(key="a-secret-key")
    with in_the_background(double) as url:
        env = {"QDRANT_URL": url, "QDRANT_API_KEY": "a-secret-key"}
        found = findings(agents, **env)["Qdrant"]
        assert (found["state"], found["found"]) == (
            "ok",
            f"version 1.20.0 at {url}, nothing kept yet in the collection modal-invoke",
        )
        assert not double.client.collections
        assert "a-secret-key" not in agents("doctor", **env).output


def test_a_memory_that_is_configured_and_cannot_be_used_is_exit_code_1(agents: Agents) -> None:
    with in_the_background(Double(key="a-secret-key", version="1.20.0")) as url:
        wrong = {"QDRANT_URL": url, "QDRANT_API_KEY": "another"}
        assert "does not accept the key" in findings(agents, **wrong)["Qdrant"]["found"]
        assert agents("doctor", **wrong).exit_code == 1
    gone = findings(agents, QDRANT_URL=url)["Qdrant"]
    assert (gone["state"], gone["remedy"] != "") == ("broken", True)
    assert f"cannot be reached at {url}" in gone["found"]
    with in_the_background(Double(version="1.15.0")) as url:
        assert "Upgrade it to 1.17" in findings(agents, QDRANT_URL=url)["Qdrant"]["found"]
    for env in ({"QDRANT_URL": "localhost"}, {"MEMORY_EMBEDDING": "nothing"}):
        assert findings(agents, **env)["Qdrant"]["state"] == "broken"
