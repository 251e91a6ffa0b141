"""An ASGI app on a free port of 127.0.0.1, in the running loop, for as long as a block lasts."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import ASGIApp
    from uvicorn.server import ServerState


@asynccontextmanager
async def serve(app: "ASGIApp") -> AsyncIterator[str]:
    """Gives the app's address, `http://127.0.0.1:PORT`. Requests still under way at the end are cancelled."""
    from uvicorn import Config
    from uvicorn.server import ServerState

    # Only uvicorn's protocol: its Server would take over SIGINT and SIGTERM from the process that embeds it.
    config = Config(app, ws="none", lifespan="off", log_config=None, log_level="warning", access_log=False)
    config.load()
    state = ServerState()
    listener = await asyncio.get_running_loop().create_server(
        lambda: config.http_protocol_class(config=config, server_state=state, app_state={}),  # type: ignore[call-arg]
        host="127.0.0.1",
        port=0,
    )
    try:
        yield f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    finally:
        listener.close()
        await _end(state)


async def _end(state: "ServerState") -> None:
    tasks = set(state.tasks)
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks)
    for connection in set(state.connections):
        connection.shutdown()
