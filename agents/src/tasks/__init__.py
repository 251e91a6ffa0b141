"""The durable heart: tasks, their runs and their numbered events."""

from agents.src.tasks.brief import Brief, ClaudeOptions, InputFile, OnCrash, Retries
from agents.src.tasks.engine import Engine, Workspace
from agents.src.tasks.event import Draft, Event, EventType
from agents.src.tasks.task import Artifact, Failure, Frozen, Result, Status, Task, Usage

__all__ = [
    "Artifact",
    "Brief",
    "ClaudeOptions",
    "Draft",
    "Engine",
    "Event",
    "EventType",
    "Failure",
    "Frozen",
    "InputFile",
    "OnCrash",
    "Result",
    "Retries",
    "Status",
    "Task",
    "Usage",
    "Workspace",
]
