"""What is shown of one task beside what lists of tasks show."""

from typing import Any, cast

from pydantic import BaseModel, ConfigDict, Field

from agents.src.api.views import TaskView
from agents.src.skills import Estimate, Range
from agents.src.tasks import Event, Output

WARNING = {"code": "concurrency_warning", "message": "root has 3 tasks under way at once, with this one."}
ESTIMATE: dict[str, Any] = {
    "skill": "planning",
    "tasks": 12,
    "seconds": {"lowest": 48.2, "median": 71.9, "highest": 210.4},
    "cost_usd": {"lowest": 0.05, "median": 0.07, "highest": 0.21},
    "compute_usd": {"lowest": 0.0007, "median": 0.0011, "highest": 0.0032},
}
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
    def of(cls, output: Output | None) -> "OutputView | None":
        return cls.model_construct(lines=list(output.lines), errors=list(output.told_errors)) if output else None


class WarningView(BaseModel):
    """What the caller should know. The task's events have it too."""

    code: str = Field(examples=["concurrency_warning"])
    message: str

    @classmethod
    def of(cls, warning: Event) -> "WarningView":
        return cls.model_construct(**warning.data)


class AcceptedView(TaskView):
    """A task that was accepted, and what its caller should know of that."""

    model_config = examples(warnings=[WARNING])

    warnings: list[WarningView]


class WholeTaskView(TaskView):
    """One request to a skill, and what it said."""

    model_config = examples(output=OUTPUT)

    output: OutputView | None = Field(description="Null where nothing was said, or no run is over.")


class RangeView(BaseModel):
    """The lowest, the one in the middle, and the highest."""

    lowest: float
    median: float
    highest: float

    @classmethod
    def of(cls, values: Range | None) -> "RangeView | None":
        return cls(lowest=values.lowest, median=values.median, highest=values.highest) if values else None


class EstimateView(BaseModel):
    """What tasks of the skill took that completed. All null where there is none yet."""

    model_config = ConfigDict(json_schema_extra={"examples": [ESTIMATE]})

    skill: str
    tasks: int = Field(description="How many it rests on: the last ones, 50 at most.")
    seconds: RangeView | None = Field(description="For how long a task's runs held a worker, without waiting for answers.")
    cost_usd: RangeView | None = Field(description="What the model cost.")
    compute_usd: RangeView | None = Field(description="What the worker cost; null where no price is known.")

    @classmethod
    def of(cls, skill: str, estimate: Estimate) -> "EstimateView":
        seconds, cost, compute = map(RangeView.of, (estimate.seconds, estimate.cost_usd, estimate.compute_usd))
        return cls(skill=skill, tasks=estimate.tasks, seconds=seconds, cost_usd=cost, compute_usd=compute)
