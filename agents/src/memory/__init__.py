"""What skills have learned: entries, the shared memory they meet in, and the files they come home to."""

from agents.src.memory.admission import Inspect
from agents.src.memory.document import Addition, Document, normalised
from agents.src.memory.edit import Editor, history
from agents.src.memory.entry import DIRECT, Mark, MemoryEntry, Origin, Past, changed, new_entry
from agents.src.memory.identity import digest, entry_id, identified, sibling_id
from agents.src.memory.keeper import Keeper
from agents.src.memory.keeping import Keeping, KeepRound
from agents.src.memory.learn import Notebook, Wish, learned
from agents.src.memory.lesson import ACCEPTED, Act, Lesson, LessonState, LessonStore, Recalled, Taught, judge
from agents.src.memory.recall import Recall, Recollection
from agents.src.memory.replica import Advance, Intent, Replica, Sent, State
from agents.src.memory.report import Conflict, Deed, Direction, Report, Step
from agents.src.memory.resolve import Keep, resolved
from agents.src.memory.store import MOST_WRITES, Hit, MemoryPage, MemoryStore, Write
from agents.src.memory.sync import Sync

__all__ = [
    "ACCEPTED",
    "DIRECT",
    "MOST_WRITES",
    "Act",
    "Addition",
    "Advance",
    "Conflict",
    "Deed",
    "Direction",
    "Document",
    "Editor",
    "Hit",
    "Inspect",
    "Intent",
    "Keep",
    "KeepRound",
    "Keeper",
    "Keeping",
    "Lesson",
    "LessonState",
    "LessonStore",
    "Mark",
    "MemoryEntry",
    "MemoryPage",
    "MemoryStore",
    "Notebook",
    "Origin",
    "Past",
    "Recall",
    "Recalled",
    "Recollection",
    "Replica",
    "Report",
    "Sent",
    "State",
    "Step",
    "Sync",
    "Taught",
    "Wish",
    "Write",
    "changed",
    "digest",
    "entry_id",
    "history",
    "identified",
    "judge",
    "learned",
    "new_entry",
    "normalised",
    "resolved",
    "sibling_id",
]
