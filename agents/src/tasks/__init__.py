"""The durable heart: tasks, their runs, their numbered events, and what they ask."""

from agents.src.tasks.addresses import special, special_host
from agents.src.tasks.answering import Answering
from agents.src.tasks.asking import Ask, Asking, Nobody, Parked, unanswered
from agents.src.tasks.brief import Brief, ClaudeOptions, InputFile, OnCrash, Retries
from agents.src.tasks.budget import LEAST, Budget, Whose, amount_of, day_of, dollars
from agents.src.tasks.budgets import Budgets, Today
from agents.src.tasks.callbacks import ByCallback, Callbacks
from agents.src.tasks.caller import ROOT, Caller
from agents.src.tasks.crowd import MOST_COUNTED, UNREMARKABLE, Ahead, Places, warning_of
from agents.src.tasks.engine import Engine, Workspace, Workspaces
from agents.src.tasks.escalation import Escalation, Reach
from agents.src.tasks.event import Draft, Event, EventType, remembered
from agents.src.tasks.execution import Execution, Stop, Tools
from agents.src.tasks.files import FileInfo, FileStore, distinct, safe_name
from agents.src.tasks.hub import Following, Hub
from agents.src.tasks.inbox import Entry, EntryKind, InboxStore, arrivals
from agents.src.tasks.notice import Notice, NoticeKind, NoticeState, notice_of
from agents.src.tasks.outbox import AddressRefused, OutboxStore, Post
from agents.src.tasks.output import Output
from agents.src.tasks.question import (
    LONGEST_DEADLINE,
    LONGEST_TEXT,
    MOST_CHOICES,
    SHORTEST_DEADLINE,
    STOP,
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
from agents.src.tasks.responder import Responder, Response
from agents.src.tasks.run import Claim, Ending, Run, cancelled, failed, parked
from agents.src.tasks.runner import Calls, Runner, get_going
from agents.src.tasks.schedule import Reply, Verdict, seconds_of, verdict
from agents.src.tasks.solo import Solo
from agents.src.tasks.steering import Steering, SteeringStore, check_pause, check_resume, check_say
from agents.src.tasks.store import Added, Claimed, Key, LeaseLost, Page, TaskFilter, TaskStore, Totals, Waiting
from agents.src.tasks.tail import ended_within, tail, until_ended
from agents.src.tasks.task import Artifact, Callback, Failure, Inbox, Result, Status, Task, Usage
from agents.src.tasks.telling import body_of, summary_of, summary_of_result, told_of_question, told_of_task
from agents.src.tasks.tidying import Tidying
from agents.src.tasks.turns import Expire, PassOn, TakeDefault, first_turn, next_step
from agents.src.tasks.underway import Underway
from agents.src.tasks.wishes import Wishes
from agents.src.tasks.workdirs import Workdirs
from agents.src.tasks.worker import Worker

__all__ = [
    "LEAST",
    "LONGEST_DEADLINE",
    "LONGEST_TEXT",
    "MOST_CHOICES",
    "MOST_COUNTED",
    "ROOT",
    "SHORTEST_DEADLINE",
    "STOP",
    "UNREMARKABLE",
    "Action",
    "Added",
    "AddressRefused",
    "Ahead",
    "Answer",
    "Answering",
    "Artifact",
    "Ask",
    "Asked",
    "Asking",
    "Brief",
    "Budget",
    "Budgets",
    "ByCallback",
    "Callback",
    "Callbacks",
    "Caller",
    "Calls",
    "Choice",
    "Claim",
    "Claimed",
    "ClaudeOptions",
    "Draft",
    "Ending",
    "Engine",
    "Entry",
    "EntryKind",
    "Escalation",
    "Event",
    "EventType",
    "Execution",
    "Expire",
    "Failure",
    "FileInfo",
    "FileStore",
    "Following",
    "Hub",
    "Inbox",
    "InboxStore",
    "InputFile",
    "Key",
    "LeaseLost",
    "Nobody",
    "Notice",
    "NoticeKind",
    "NoticeState",
    "OnCrash",
    "OutboxStore",
    "Output",
    "Page",
    "Parked",
    "PassOn",
    "Places",
    "Post",
    "Question",
    "QuestionFilter",
    "QuestionPage",
    "QuestionRules",
    "QuestionState",
    "QuestionStore",
    "Reach",
    "Reaper",
    "Recovery",
    "Reply",
    "Responder",
    "Response",
    "Result",
    "Retries",
    "Run",
    "Runner",
    "Solo",
    "Status",
    "Steering",
    "SteeringStore",
    "Stop",
    "TakeDefault",
    "Task",
    "TaskFilter",
    "TaskStore",
    "Tidying",
    "Today",
    "Tools",
    "Totals",
    "Turn",
    "Underway",
    "Usage",
    "Verdict",
    "Waiting",
    "Whose",
    "Wishes",
    "Workdirs",
    "Worker",
    "Workspace",
    "Workspaces",
    "amount_of",
    "arrivals",
    "body_of",
    "call_of",
    "cancelled",
    "check_pause",
    "check_resume",
    "check_say",
    "day_of",
    "distinct",
    "dollars",
    "ended_within",
    "failed",
    "first_turn",
    "get_going",
    "next_step",
    "notice_of",
    "parked",
    "remembered",
    "safe_name",
    "seconds_of",
    "special",
    "special_host",
    "summary_of",
    "summary_of_result",
    "tail",
    "told_of_question",
    "told_of_task",
    "unanswered",
    "until_ended",
    "verdict",
    "warning_of",
    "worker_of",
]
