"""The durable heart: tasks, their runs, their numbered events, and what they ask."""

from agents.src.tasks.answering import Answering
from agents.src.tasks.asking import Ask, Asking, Parked, unanswered
from agents.src.tasks.brief import Brief, ClaudeOptions, InputFile, OnCrash, Retries
from agents.src.tasks.caller import ROOT, Caller
from agents.src.tasks.engine import Engine, Workspace, Workspaces
from agents.src.tasks.escalation import Escalation, Nobody, Reach, Responder
from agents.src.tasks.event import Draft, Event, EventType, remembered
from agents.src.tasks.execution import Execution, Stop, Tools
from agents.src.tasks.files import FileInfo, FileStore, distinct, safe_name
from agents.src.tasks.hub import Following, Hub
from agents.src.tasks.question import (
    LONGEST_TEXT,
    MOST_CHOICES,
    Action,
    Answer,
    Asked,
    Choice,
    Question,
    QuestionRules,
    QuestionState,
    Turn,
)
from agents.src.tasks.questions import QuestionFilter, QuestionPage, QuestionStore
from agents.src.tasks.reaper import Reaper, call_of, worker_of
from agents.src.tasks.recovery import Recovery
from agents.src.tasks.run import Claim, Ending, Run, cancelled, failed, parked
from agents.src.tasks.runner import Calls, Runner
from agents.src.tasks.solo import Solo
from agents.src.tasks.store import Added, Claimed, Key, LeaseLost, Page, TaskFilter, TaskStore, Totals, Waiting
from agents.src.tasks.tail import ended_within, tail, until_ended
from agents.src.tasks.task import Artifact, Callback, Failure, Inbox, Result, Status, Task, Usage
from agents.src.tasks.turns import PassOn, first_turn
from agents.src.tasks.underway import Underway
from agents.src.tasks.worker import Worker

__all__ = [
    "LONGEST_TEXT",
    "MOST_CHOICES",
    "ROOT",
    "Action",
    "Added",
    "Answer",
    "Answering",
    "Artifact",
    "Ask",
    "Asked",
    "Asking",
    "Brief",
    "Callback",
    "Caller",
    "Calls",
    "Choice",
    "Claim",
    "Claimed",
    "ClaudeOptions",
    "Draft",
    "Ending",
    "Engine",
    "Escalation",
    "Event",
    "EventType",
    "Execution",
    "Failure",
    "FileInfo",
    "FileStore",
    "Following",
    "Hub",
    "Inbox",
    "InputFile",
    "Key",
    "LeaseLost",
    "Nobody",
    "OnCrash",
    "Page",
    "Parked",
    "PassOn",
    "Question",
    "QuestionFilter",
    "QuestionPage",
    "QuestionRules",
    "QuestionState",
    "QuestionStore",
    "Reach",
    "Reaper",
    "Recovery",
    "Responder",
    "Result",
    "Retries",
    "Run",
    "Runner",
    "Solo",
    "Status",
    "Stop",
    "Task",
    "TaskFilter",
    "TaskStore",
    "Tools",
    "Totals",
    "Turn",
    "Underway",
    "Usage",
    "Waiting",
    "Worker",
    "Workspace",
    "Workspaces",
    "call_of",
    "cancelled",
    "distinct",
    "ended_within",
    "failed",
    "first_turn",
    "parked",
    "remembered",
    "safe_name",
    "tail",
    "unanswered",
    "until_ended",
    "worker_of",
]
