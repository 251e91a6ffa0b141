"""The deployed app's own memory.md files: they lie on the Volume, and one Function keeps them. See `docs/decisions/modal.md`."""

from pathlib import Path

from agents.src.errors import Unavailable
from agents.src.services.memory_file import NAME
from agents.src.services.modal_app import APP, KEEPER
from agents.src.services.replacing import replace


async def call_keeper(app: str = APP) -> None:
    """Has the Function that keeps the memory make a round now, not only by its schedule. Raises Unavailable."""
    import modal

    try:
        await modal.Function.from_name(app, KEEPER).spawn.aio()
    except modal.exception.Error as error:
        raise Unavailable(f"Modal did not take the request ({type(error).__name__}); its schedule will do.") from None


def begun(folder: Path, shipped: Path) -> Path:
    """A skill's folder on the Volume. Its first memory.md is the one that ships with the skill, whole. Raises Unavailable."""
    if (shipped / NAME).is_file() and not (folder / NAME).exists():
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            replace(folder / NAME, (shipped / NAME).read_bytes(), None)
        except OSError as error:
            raise Unavailable(f"{folder / NAME} cannot be written ({error.strerror}).") from None
    return folder
