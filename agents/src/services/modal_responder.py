"""The deployed app's responder: a Function of its own, for neither the web app's image nor the reaper's has Claude Code."""

from collections.abc import Sequence

from agents.src.errors import Unavailable
from agents.src.services.modal_app import APP, RESPONDER
from agents.src.tasks import Asked, Event


class ModalResponder:
    """Implements `Responder`: the Function does all there is to do, and nobody waits for it. Only the question's id travels."""

    def __init__(self, app: str = APP) -> None:
        self._app = app

    async def respond(self, asked: Asked, prompt: str, events: Sequence[Event]) -> None:  # noqa: ARG002
        """Raises Unavailable."""
        import modal

        try:
            await modal.Function.from_name(self._app, RESPONDER).spawn.aio(asked.id)
        except modal.exception.Error as error:
            raise Unavailable(f"Modal did not take the request ({type(error).__name__}); the next in turn is asked.") from None
