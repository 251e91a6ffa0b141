"""The noun: what its caller wants of a run that is under way."""

from dataclasses import dataclass

from agents.src.tasks.event import Event, EventType


@dataclass(frozen=True, slots=True)
class Wishes:
    """As they stand. `said`: how many messages there are by now."""

    cancel: bool = False
    pause: bool = False
    said: int = 0


def wishes_of(event: Event) -> Wishes | None:
    """Those that the event tells of; None where it tells of none."""
    match event.type:
        case EventType.CANCEL_REQUESTED:
            return Wishes(cancel=True)
        case EventType.PAUSE_REQUESTED:
            return Wishes(pause=True)
        case EventType.SAID:
            return Wishes(said=event.data["number"])
        case _:
            return None
