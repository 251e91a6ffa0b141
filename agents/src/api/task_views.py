"""What is shown of one task beside what lists of tasks show."""

from collections.abc import Iterable
from typing import Any, cast

from pydantic import BaseModel, ConfigDict, Field

from agents.src.api.views import TaskView
from agents.src.tasks import Event, Output

WARNING = {"code": "concurrency_warning", "message": "root has 3 tasks under way at once, with this one."}
OUTPUT = {"lines": ["I read the code.", "The plan has six steps."], "errors": ["File does not exist."]}


def examples(**more: Any) -> ConfigDict:
    """Those of a task, with what else is shown of it."""
    shown = cast("dict[str, list[dict[str, Any]]]", TaskView.model_config["json_schema_extra"])["examples"]
    return ConfigDict(json_schema_extra={"examples": [{**example, **more} for example in shown]})


class OutputView(BaseModel):
    """What the task's record keeps of what its runs said; the events have all of it."""

    lines: list[str] = Field(description="The last 200 lines of text and stderr, each of at most 2,000 characters.")
    errors: list[str] = Field(
        description="Lines of stderr and of failed tools, the first 1,000; a last one says how many more the events have."
    )

    @classmethod
    def of(cls, output: Output) -> "OutputView":
        return cls.model_construct(lines=list(output.lines), errors=list(output.told_errors))


class WarningView(BaseModel):
    """What the caller should know. The task's events have it too."""

    code: str = Field(examples=["concurrency_warning"])
    message: str


class AcceptedView(TaskView):
    """A task that was accepted, and what its caller should know of that."""

    model_config = examples(warnings=[WARNING])

    warnings: list[WarningView]

    @classmethod
    def with_warnings(cls, task: TaskView, warnings: Iterable[Event]) -> "AcceptedView":
        told = [WarningView.model_construct(**warning.data) for warning in warnings]
        return cls.model_construct(**dict(task), warnings=told)


class WholeTaskView(TaskView):
    """One request to a skill, and what it said."""

    model_config = examples(output=OUTPUT)

    output: OutputView | None = Field(description="Null where nothing was said, or no run is over.")

    @classmethod
    def with_output(cls, task: TaskView, output: Output | None) -> "WholeTaskView":
        return cls.model_construct(**dict(task), output=OutputView.of(output) if output else None)
