"""`agents migrate`."""

import asyncio

from agents.src.cli.output import AsJson, print_json
from agents.src.cli.running import quiet_settings
from agents.src.services.database import open_database
from agents.src.settings import Settings


def migrate(as_json: AsJson = False) -> None:
    """Bring the database up to date.

    Every start does so too; this is for doing it before a deploy.
    """
    settings = quiet_settings()
    applied = asyncio.run(migrations_of(settings))
    if as_json:
        print_json({"migrations": applied})
    else:
        print(f"The database is up to date: {', '.join(applied)}.")


async def migrations_of(settings: Settings) -> list[str]:
    """Opens the database, which applies what it lacks; the names of all that it has."""
    url = settings.database_url.get_secret_value() if settings.database_url else None
    db = open_database(url, settings.state_dir)
    try:
        rows = await db.read(lambda tx: tx.run("select name from migration order by name"))
    finally:
        await db.close()
    return [name for (name,) in rows]
