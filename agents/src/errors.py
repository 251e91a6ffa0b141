"""Every error that a caller can be told about.

    Problem
    ├── NotFound
    │   ├── UnknownSkill · UnknownTask · UnknownFile · UnknownArtifact · UnknownToken · UnknownRoute
    │   ├── UnknownEntry · UnknownLesson · UnknownQuestion · UnknownConversation · UnknownWorkdir
    ├── Invalid
    │   ├── InvalidRequest · InvalidArguments · InvalidSkill · InvalidMemory · LooksSecret · KeyReused
    │   ├── InvalidAnswer · UnsupportedMediaType
    ├── Refused
    │   ├── NotAuthenticated · SkillNotAllowed · WorkdirNotAllowed · RaiseNotAllowed · StorageEmptied
    ├── Conflict
    │   ├── IllegalMove · AlreadyEnded · AlreadyAnswered · NameTaken · CannotPause · NotPaused · CannotSay
    ├── RevisionMoved · RevisionRequired
    ├── TooLarge · RateLimited · MethodNotAllowed · UnsatisfiableRange
    ├── Misconfigured · Unavailable · InternalError
    └── TaskFailed                      how a task ends when it cannot complete
        ├── TimedOut · Interrupted · QuestionExpired · InvalidQuestion · NoCredentials · CredentialsRefused
        ├── ModelOverloaded · ModelRefused · BudgetExhausted · TurnsExhausted · ProgramFailed · ProgramRefused · EngineFailed
        ├── WorkdirChanged

A class's docstring is its title; its kebab-case name is its type. `agents/src/api/errors.py` maps classes to HTTP statuses.
"""

import re
from functools import cache


class Problem(Exception):
    """Something went wrong."""

    def __init__(self, detail: str, **members: object) -> None:
        super().__init__(detail)
        self.detail = detail
        self.members = members

    @classmethod
    @cache
    def slug(cls) -> str:
        """The error's type, such as `unknown-skill`."""
        return re.sub(r"(?<!^)(?=[A-Z])", "-", cls.__name__).lower()

    @classmethod
    @cache
    def title(cls) -> str:
        return (cls.__doc__ or "").strip().splitlines()[0]


class NotFound(Problem):
    """There is no such thing."""


class UnknownSkill(NotFound):
    """The catalogue has no skill of this name."""


class UnknownTask(NotFound):
    """There is no such task, or it is somebody else's."""


class UnknownFile(NotFound):
    """There is no such file, or it is somebody else's."""


class UnknownArtifact(NotFound):
    """The task has no artifact of this name."""


class UnknownToken(NotFound):
    """There is no token of this name."""


class UnknownRoute(NotFound):
    """There is nothing at this path."""


class UnknownEntry(NotFound):
    """The memory has no entry of this id."""


class UnknownLesson(NotFound):
    """Nothing that waits for a review has this number."""


class UnknownQuestion(NotFound):
    """There is no such question, or it is somebody else's."""


class UnknownConversation(NotFound):
    """There is no such conversation, or it is somebody else's."""


class UnknownWorkdir(NotFound):
    """There is no such folder to work in."""


class Invalid(Problem):
    """The request cannot be carried out as it stands."""


class InvalidRequest(Invalid):
    """The request is not of the documented form."""


class InvalidArguments(Invalid):
    """The arguments do not fit the skill's schema."""


class InvalidSkill(Invalid):
    """A skill's info.md is not of the documented form."""


class InvalidMemory(Invalid):
    """What is to be remembered, or the file it stands in, is not of the documented form."""


class LooksSecret(Invalid):
    """What is to be remembered looks like a secret."""


class InvalidAnswer(Invalid):
    """The answer does not fit the question."""


class KeyReused(Invalid):
    """The idempotency key was used before with another request."""


class UnsupportedMediaType(Invalid):
    """The body's media type is not accepted here."""


class Refused(Problem):
    """The caller may not do this."""


class NotAuthenticated(Refused):
    """A valid bearer token is needed."""


class SkillNotAllowed(Refused):
    """The token does not allow this skill."""


class WorkdirNotAllowed(Refused):
    """Tasks may not work in this folder."""


class RaiseNotAllowed(Refused):
    """The token may not raise this budget."""


class StorageEmptied(Refused):
    """One side of a sync is suddenly empty."""


class Conflict(Problem):
    """The thing is not in a state that allows this."""


class IllegalMove(Conflict):
    """A thing cannot go from the state it is in to that one."""


class AlreadyEnded(Conflict):
    """The task has already ended."""


class AlreadyAnswered(Conflict):
    """The question no longer waits for an answer."""


class CannotPause(Conflict):
    """The task cannot be paused now."""


class NotPaused(Conflict):
    """The task is not paused."""


class CannotSay(Conflict):
    """The task takes no messages."""


class NameTaken(Conflict):
    """The name is already in use."""


class RevisionMoved(Problem):
    """The entry was changed since."""


class RevisionRequired(Problem):
    """A change must say which revision it is meant for."""


class TooLarge(Problem):
    """The body is larger than the server accepts."""


class RateLimited(Problem):
    """Too many requests."""


class MethodNotAllowed(Problem):
    """The path does not know this method."""


class UnsatisfiableRange(Problem):
    """The file does not reach that far."""


class Misconfigured(Problem):
    """The configuration is incomplete or wrong."""


class Unavailable(Problem):
    """A part that this needs cannot be reached."""


class InternalError(Problem):
    """The server failed at this; the log says more."""


class TaskFailed(Problem):
    """The task could not be completed."""

    retryable = False
    """Whether another attempt may end better."""


class TimedOut(TaskFailed):
    """The task ran into its time limit."""

    retryable = True


class Interrupted(TaskFailed):
    """The worker died in the middle of the task."""


class QuestionExpired(TaskFailed):
    """Nobody answered what the task had to know."""


class InvalidQuestion(TaskFailed):
    """The skill asks what cannot be asked."""


class WorkdirChanged(TaskFailed):
    """The folder that the task was to work in is not what it was."""


class NoCredentials(TaskFailed):
    """Claude Code cannot log in."""


class CredentialsRefused(TaskFailed):
    """The Claude credentials were refused."""


class ModelOverloaded(TaskFailed):
    """The model's service is overloaded or limits the rate."""

    retryable = True


class ModelRefused(TaskFailed):
    """The model's service refused the request."""


class BudgetExhausted(TaskFailed):
    """The budget is used up."""


class TurnsExhausted(TaskFailed):
    """The skill used all its turns."""


class ProgramFailed(TaskFailed):
    """The skill's program failed."""

    retryable = True


class ProgramRefused(TaskFailed):
    """The skill's program refused the request."""


class EngineFailed(TaskFailed):
    """The engine could not be run."""

    retryable = True
