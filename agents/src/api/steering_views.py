"""What is said to a task, as the OpenAPI document shows it."""

from typing import Annotated

from pydantic import Field

from agents.src.records import Frozen
from agents.src.skills import Text
from agents.src.tasks import LONGEST_TEXT


class SayRequest(Frozen):
    """A further message to a task that has not ended."""

    text: Annotated[Text, Field(min_length=1, max_length=LONGEST_TEXT, description="In the caller's words.")]
