"""What settings may say."""

from pathlib import Path

import pytest

from agents.src.errors import Misconfigured
from agents.src.settings import Settings, granted_variables, read_settings


@pytest.mark.parametrize("seconds", ["inf", "nan", "0", "-1", "86401"])
def test_a_time_limit_is_a_number_of_seconds_that_a_task_can_be_given(seconds: str) -> None:
    with pytest.raises(Misconfigured, match="TASK_TIMEOUT_SECONDS"):
        read_settings(TASK_TIMEOUT_SECONDS=seconds)


@pytest.mark.parametrize(
    ("given", "read"), [("", ""), ("off", "off"), ("Off", "off"), ("haiku", "haiku"), ("a-b.c:1[1m]", "a-b.c:1[1m]")]
)
def test_a_responder_is_a_models_name_or_off(given: str, read: str) -> None:
    assert read_settings(QUESTION_RESPONDER=given).question_responder == read


@pytest.mark.parametrize("given", ["two words", "a\nb", "x" * 201, "--model"])
def test_a_responder_that_is_no_models_name_is_refused(given: str) -> None:
    with pytest.raises(Misconfigured, match="QUESTION_RESPONDER: is no model's name: write one such as haiku, off for"):
        read_settings(QUESTION_RESPONDER=given)


def test_programs_get_no_setting_whatever_secret_it_came_with(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = {str(field.validation_alias) for field in Settings.model_fields.values()}
    assert {"QDRANT_URL", "QDRANT_API_KEY", "MEMORY_EMBEDDING_API_KEY", "DATABASE_URL"} <= settings
    for name in (*settings, "PICTURE_STORE_KEY"):
        monkeypatch.setenv(name, "something")
    granted = granted_variables()
    assert not settings & granted.keys()
    assert granted["PICTURE_STORE_KEY"] == "something"


def test_folders_to_work_in_are_those_that_are_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").mkdir()
    monkeypatch.delenv("MODAL_INVOKE_WORKDIRS", raising=False)
    assert read_settings().workdirs == ()
    for said, folders in {"": (), f"{tmp_path}::{tmp_path}/a/:": (tmp_path, tmp_path / "a")}.items():
        monkeypatch.setenv("MODAL_INVOKE_WORKDIRS", said)
        assert read_settings().workdirs == folders


@pytest.mark.parametrize(
    ("said", "fault"),
    [
        ("{0}:relative", "number 2 is not an absolute path; write it from / on, without .."),
        ("{0}/..", "number 1 is not an absolute path"),
        ("{0}/gone:{0}", "number 1 is not a folder that is there; make it, or leave it out"),
        ("{0}/file", "number 1 is not a folder that is there"),
    ],
)
def test_what_is_no_folder_is_named_without_its_value(tmp_path: Path, said: str, fault: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Misconfigured) as refused:
        read_settings(MODAL_INVOKE_WORKDIRS=said.format(tmp_path))
    assert refused.value.detail.startswith(f"MODAL_INVOKE_WORKDIRS: {fault}")
    assert str(tmp_path) not in refused.value.detail
