"""What tasks have learned, in SQL. Implements `LessonStore` on any `Db`."""

from collections.abc import Sequence

from agents.src.clock import Clock
from agents.src.errors import IllegalMove, UnknownLesson
from agents.src.memory import Lesson, LessonState, Taught
from agents.src.services.database import Db, Row, Tx
from agents.src.tasks import Event, EventType, Task

COLUMNS = "number, task_id, skill, caller, lesson, state, at, note"
# Whoever counts holds the row until its commit: a lesson that others see has none before it that they do not see.
COUNT = "update lesson_count set last = last + ? returning last"
ADD = "insert into lesson (number, task_id, skill, caller, lesson, state, at) values (?, ?, ?, ?, ?, ?, ?)"
MOVE = f"update lesson set state = ?, note = ?, moved_at = ? where number = ? and state = ? returning {COLUMNS}"


def add_lessons(tx: Tx, task: Task, events: Sequence[Event]) -> None:
    """Keeps the lessons that these events of a task tell of, in the events' own transaction."""
    told = [event for event in events if event.type is EventType.REMEMBERED]
    if not told:
        return
    [(last,)] = tx.run(COUNT, len(told))
    tx.many(ADD, [lesson_row(last - len(told) + i, task, event) for i, event in enumerate(told, 1)])


def lesson_row(number: int, task: Task, event: Event) -> Row:
    lesson = Lesson.model_validate(event.data)
    state = LessonState.HELD if event.data.get("held") else LessonState.NEW
    return number, task.id, task.skill, task.caller, lesson.model_dump_json(), state.value, event.at


class SqlLessonStore:
    def __init__(self, db: Db, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    async def waiting(self, skill: str | None = None) -> tuple[Taught, ...]:
        return await self._standing(LessonState.NEW, None if skill is None else [skill])

    async def held(self, skills: frozenset[str] | None = None) -> tuple[Taught, ...]:
        return await self._standing(LessonState.HELD, None if skills is None else sorted(skills))

    async def _standing(self, state: LessonState, skills: Sequence[str] | None) -> tuple[Taught, ...]:
        """Those that stand there, of these skills or of all, oldest first."""
        which = "" if skills is None else f"and skill in ({', '.join('?' * len(skills)) or 'null'})"
        sql = f"select {COLUMNS} from lesson where state = '{state.value}' {which} order by number"
        rows = await self._db.read(lambda tx: tx.run(sql, *(skills or ())))
        return tuple(taught_of(row) for row in rows)

    async def get(self, number: int) -> Taught:
        rows = await self._db.read(lambda tx: tx.run(f"select {COLUMNS} from lesson where number = ?", number))
        if not rows:
            raise UnknownLesson(f"There is no lesson {number}; `agents memory review` shows those that wait.")
        return taught_of(rows[0])

    async def move(self, number: int, before: LessonState, after: LessonState, note: str = "") -> Taught:
        values = (after.value, note, self._clock.now(), number, before.value)
        rows = await self._db.write(lambda tx: tx.run(MOVE, *values))
        if rows:
            return taught_of(rows[0])
        stands = (await self.get(number)).state
        raise IllegalMove(f"Lesson {number} is {stands}, not {before}; `agents memory review` shows those that wait.")


def taught_of(row: Row) -> Taught:
    number, task_id, skill, caller, lesson, state, at, note = row
    return Taught(number, task_id, skill, caller, Lesson.model_validate_json(lesson), LessonState(state), at, note)
