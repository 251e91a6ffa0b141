"""`agents doctor`."""

import json
from pathlib import Path

from tests.cli.conftest import Agents

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
