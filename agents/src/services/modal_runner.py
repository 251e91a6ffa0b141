"""Tasks in containers of Modal, one call each. Implements `Runner` and `Calls`. `docs/decisions/modal.md` says why so."""

from typing import TYPE_CHECKING, Any

from agents.src.errors import Unavailable
from agents.src.services.modal_app import APP
from agents.src.skills import FUNCTION_PREFIX
from agents.src.tasks import Claim, Run, Task, TaskStore

if TYPE_CHECKING:
    import modal


class ModalRunner:
    """`app` is the deployed app whose Functions run the skills."""

    def __init__(self, store: TaskStore, app: str = APP) -> None:
        self._store = store
        self._app = app
        self._functions: dict[str, modal.Function[..., Any, Any]] = {}

    # The runner's side

    def reserve(self, skill: str) -> Claim | None:  # noqa: ARG002  # a container claims its task itself
        return None

    def release(self, skill: str) -> None: ...

    def begin(self, run: Run) -> None: ...

    async def start(self, task: Task) -> None:
        """Spawns the call and remembers it. Raises Unavailable."""
        import modal

        try:
            call = await self._function(task.skill).spawn.aio(task.id)
        except modal.exception.NotFoundError:
            raise Unavailable(f"The skill {task.skill} is not deployed. Deploy again: `modal deploy -m agents.main`.") from None
        except modal.exception.Error as error:
            raise unreachable(error) from None
        await self._store.note_call(task.id, call.object_id)

    def _function(self, skill: str) -> "modal.Function[..., Any, Any]":
        """Kept: each look-up is a request of its own."""
        import modal

        if skill not in self._functions:
            self._functions[skill] = modal.Function.from_name(self._app, FUNCTION_PREFIX + skill)
        return self._functions[skill]

    # The reaper's side

    async def is_over(self, call_id: str) -> bool:
        import modal

        ended = (
            *(modal.exception.FunctionTimeoutError, modal.exception.RemoteError, modal.exception.InternalFailure),
            *(modal.exception.OutputExpiredError, modal.exception.NotFoundError),
            *(modal.exception.ExecutionError, modal.exception.DeserializationError),
        )
        try:
            await modal.FunctionCall.from_id(call_id).get.aio(timeout=0)
        except TimeoutError:  # the built-in one: it waits or runs
            return False
        except ended:
            return True
        except modal.exception.Error as error:
            raise unreachable(error) from None
        except Exception:  # noqa: BLE001  # whatever the call itself raised: it ended
            return True
        return True

    async def end(self, call_id: str) -> None:
        import modal

        try:
            await modal.FunctionCall.from_id(call_id).cancel.aio(terminate_containers=True)
        except modal.exception.NotFoundError:
            return  # long over
        except modal.exception.Error as error:
            raise unreachable(error) from None


def unreachable(error: Exception) -> Unavailable:
    return Unavailable(f"Modal did not take the request ({type(error).__name__}); it is tried again within two minutes.")
