"""Fuzzes the OpenAPI document against a real server, with all of schemathesis's checks: no 5xx, no undocumented answer.

.venv/bin/python -m pytest tests/live/test_fuzz.py            the short form with the long one, about three minutes
.venv/bin/python -m pytest tests/live/test_fuzz.py -m "not slow"
"""

import asyncio
import sys
from pathlib import Path

import pytest
from httpx import AsyncClient

from agents.src.api.auth import Gate
from agents.src.skills import Catalogue, Skill
from tests.api.house import CATALOGUE, OFTEN, TOKEN, House, served, story

# As in the examples of the document, so that those are carried out: `planning` leaves a `plan.md`.
PLANNING = Skill(name="planning", description="Plans.", instruction="Plan.", folder=Path("/nowhere"), engine="script")
FUZZED = Catalogue.of([PLANNING, CATALOGUE.get("thumbnails")])
PROGRAM = Path(sys.executable).with_name("schemathesis")
CONFIG = Path(__file__).with_name("schemathesis.toml")


async def fuzz(house: House, client: AsyncClient, *options: str) -> None:
    # Every route is tried with a wrong token, from one address and within a few seconds: on a quick machine too many.
    house.app.state.gate = Gate(TOKEN, None, house.parts.tokens, house.parts.clock, wrong=OFTEN)
    async with served(house) as server:
        process = await asyncio.create_subprocess_exec(
            *(PROGRAM, "--config-file", CONFIG, "run", f"{server.base_url}/openapi.json", "--no-color"),
            *("--header", f"Authorization: {client.headers['authorization']}", "--checks", "all"),
            *("--generation-deterministic", "--request-timeout", "60", *options),  # the first use of the memory loads a good deal
            cwd=house.parts.settings.state_dir,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            said, _ = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
    assert process.returncode == 0, said.decode()


@story(catalogue=FUZZED)
async def test_a_few_requests_of_every_kind_find_nothing(house: House) -> None:
    await fuzz(house, house.client, "--phases", "examples,fuzzing", "--max-examples", "5")


@pytest.mark.slow
@pytest.mark.parametrize("token", ["root", "named"])
@story(catalogue=FUZZED)
async def test_many_requests_of_every_kind_find_nothing(house: House, token: str) -> None:
    client = house.client if token == "root" else await house.guest()
    await fuzz(house, client, "--max-examples", "60")
