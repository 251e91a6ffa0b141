"""The log, as lines on stderr."""

import json
import logging
from typing import Any

import pytest
import structlog

from agents.src.errors import Misconfigured
from agents.src.services.logs import configure_logs
from agents.src.settings import Settings, read_settings

TOKEN = "a-root-token-that-is-long-enough-to-be-one"
NAMED = "mi_VHz9QPTBo9rGpN5nR6HBNWYZRFgFJv84tDFDMYZHgGM"


def settings(**values: Any) -> Settings:
    return read_settings(**{"token": TOKEN, "log_level": "info", "log_json": False, **values})


def test_both_kinds_of_loggers_give_one_line_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(settings(log_json=True))
    structlog.get_logger("ours").info("recovered", run="7:1")
    logging.getLogger("theirs").warning("claude: %s", "hm")
    ours, theirs = (json.loads(line) for line in capsys.readouterr().err.splitlines())
    assert (ours["event"], ours["run"], ours["level"]) == ("recovered", "7:1", "info")
    assert (theirs["event"], theirs["logger"], theirs["level"]) == ("claude: hm", "theirs", "warning")
    assert ours["timestamp"].endswith("Z")


def test_plain_lines_have_keys_and_values_and_no_colours_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(settings())
    structlog.get_logger().info("recovered", run="7:1")
    line = capsys.readouterr().err
    assert "run=7:1" in line
    assert "\x1b" not in line


@pytest.mark.parametrize("log_json", [True, False])
def test_no_secret_gets_through_and_tracebacks_have_no_variables(capsys: pytest.CaptureFixture[str], log_json: bool) -> None:
    configure_logs(settings(log_json=log_json, anthropic_api_key="sk-ant-1234"))
    try:
        fail(secret_variable := "value-of-a-" + "variable")
    except ValueError:
        structlog.get_logger().exception("broke", key="sk-ant-1234", token=NAMED)
    written = capsys.readouterr().err
    assert "Traceback" in written
    assert written.count("***") == 3
    for secret in (TOKEN, NAMED, "sk-ant-1234", secret_variable):
        assert secret not in written


def fail(variable: str) -> None:
    raise ValueError(f"{TOKEN} {len(variable)}")


def test_levels(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(settings(), at_least="warning")
    structlog.get_logger().info("quiet")
    logging.getLogger("theirs").info("quiet")
    assert capsys.readouterr().err == ""
    configure_logs(settings(log_level="DEBUG"), at_least="warning")
    structlog.get_logger().debug("asked for")
    assert capsys.readouterr().err.count("asked for") == 1
    with pytest.raises(Misconfigured, match="LOG_LEVEL"):
        configure_logs(settings(log_level="loud"))
