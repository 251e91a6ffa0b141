"""What settings may say."""

import pytest

from agents.src.errors import Misconfigured
from agents.src.settings import read_settings


@pytest.mark.parametrize("seconds", ["inf", "nan", "0", "-1", "86401"])
def test_a_time_limit_is_a_number_of_seconds_that_a_task_can_be_given(seconds: str) -> None:
    with pytest.raises(Misconfigured, match="TASK_TIMEOUT_SECONDS"):
        read_settings(TASK_TIMEOUT_SECONDS=seconds)
