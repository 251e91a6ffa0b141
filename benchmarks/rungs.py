"""The lower rungs of the ladder: what the product stands on, without the product.

`bare`: FastAPI with a bearer token and a pydantic body. `row`: the same plus one durable insert with group commit.
"""

import argparse
import hmac
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

import uvicorn
from fastapi import Depends, FastAPI, HTTPException, Request
from pydantic import BaseModel

sys.path.insert(0, str(Path(__file__).parents[1]))

from agents.src.clock import Clock
from agents.src.services.sqlite import SqliteDb
from agents.src.settings import read_settings

TOKEN = read_settings().token


class Wanted(BaseModel):
    skill: str
    task: str
    args: dict[str, Any] = {}


class Answer(BaseModel):
    id: str
    skill: str
    task: str
    status: str


async def authenticated(request: Request) -> None:
    assert TOKEN is not None
    if not hmac.compare_digest(request.headers.get("authorization", ""), f"Bearer {TOKEN.get_secret_value()}"):
        raise HTTPException(401)


def bare() -> FastAPI:
    app = FastAPI()
    clock = Clock()

    @app.post("/api/skill")
    async def submit(wanted: Wanted, _: Annotated[None, Depends(authenticated)]) -> Answer:
        return Answer(id=clock.new_id(), skill=wanted.skill, task=wanted.task, status="completed")

    return app


def row() -> FastAPI:
    clock = Clock()
    folder = tempfile.TemporaryDirectory()
    db = SqliteDb(Path(folder.name) / "rung.db")

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await db.write(lambda tx: tx.run("create table wanted (id text primary key, skill text, task text, at real)"))
        yield
        await db.close()
        folder.cleanup()

    app = FastAPI(lifespan=lifespan)

    @app.post("/api/skill")
    async def submit(wanted: Wanted, _: Annotated[None, Depends(authenticated)]) -> Answer:
        values = (clock.new_id(), wanted.skill, wanted.task, clock.now())
        await db.write(lambda tx: tx.run("insert into wanted values (?, ?, ?, ?)", *values))
        return Answer(id=values[0], skill=wanted.skill, task=wanted.task, status="completed")

    return app


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rung", choices=["bare", "row"])
    parser.add_argument("--port", type=int, required=True)
    wanted = parser.parse_args()
    app = {"bare": bare, "row": row}[wanted.rung]()
    uvicorn.run(app, port=wanted.port, log_level="warning", access_log=False, loop="uvloop", http="httptools")


if __name__ == "__main__":
    main()
