"""The Modal app. It only declares: images, secrets, the Volume, one Function per skill, one web app, two crons, a responder.

`modal deploy -m agents.main` and `modal deploy agents/main.py` deploy the same. Every container imports this file, so
at its top it imports only what each image has; `docs/decisions/modal.md` has the reasons behind the rest.
"""

import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any

import modal

import agents
from agents.src.errors import Problem
from agents.src.services.logs import configure_logs
from agents.src.services.markdown import read_catalogue
from agents.src.services.modal_app import (
    APP,
    CLAUDE_SECRET,
    DATABASE_SECRET,
    KEEP_SECONDS,
    KEEPER,
    QDRANT_SECRET,
    REQUIRED_KEYS,
    RESPOND_SECONDS,
    RESPONDER,
    VOLUME,
    WEB_SECRET,
    call_timeout,
    missing_secrets,
)
from agents.src.services.requirements import pinned
from agents.src.settings import OFF, read_settings
from agents.src.skills import FUNCTION_PREFIX, Skill

if TYPE_CHECKING:
    from fastapi import FastAPI

PACKAGE = Path(agents.__file__).parent
STATE, SKILLS = "/state", "/root/skills"
DAY = 24 * 60 * 60

SETTINGS = read_settings()
CATALOGUE = read_catalogue(SETTINGS.skills_dir, deep=modal.is_local())

# Images: what all share first, what one skill adds last, the project's own files on top.

CORE = ("platformdirs", "psycopg[binary,pool]", "pydantic-settings", "python-frontmatter", "structlog")
MEMORY = ("detect-secrets", "filelock", "httpx", "mmh3")
CALLBACKS = ("standardwebhooks",)
WEB = ("fastapi", "jsonschema", "python-multipart")
CLAUDE = ("claude-agent-sdk", "starlette", "uvicorn")
REQUIREMENTS = PACKAGE.parent / "requirements.txt"

core_image = modal.Image.debian_slim().uv_pip_install(pinned(REQUIREMENTS, CORE))
memory_image = core_image.uv_pip_install(pinned(REQUIREMENTS, MEMORY))
callback_image = memory_image.uv_pip_install(pinned(REQUIREMENTS, CALLBACKS))
web_image = callback_image.uv_pip_install(pinned(REQUIREMENTS, WEB))
claude_image = memory_image.uv_pip_install(pinned(REQUIREMENTS, CLAUDE))

ENVIRONMENT = {
    "MODAL_INVOKE_STATE_DIR": STATE,
    "MODAL_INVOKE_SKILLS_DIR": SKILLS,
    "TASK_TIMEOUT_SECONDS": f"{SETTINGS.task_timeout_seconds:.15g}",  # the Functions' own timeouts were computed from it
    "QUESTION_RESPONDER": SETTINGS.question_responder,
    "CALLBACK_PRIVATE_ADDRESSES": str(SETTINGS.callback_private_addresses).lower(),
    "LOG_JSON": "true",
}
if SETTINGS.daily_budget_usd is not None:
    ENVIRONMENT["DAILY_BUDGET_USD"] = f"{SETTINGS.daily_budget_usd:.15g}"


def with_project(image: modal.Image) -> modal.Image:
    return (
        image.env(ENVIRONMENT)
        .add_local_dir(PACKAGE, "/root/agents", ignore=["**/__pycache__", "skills"])
        .add_local_dir(SETTINGS.skills_dir, SKILLS, ignore=["**/__pycache__", "**/.memory.md.*"])
        .add_local_file(PACKAGE / "main.py", "/root/main.py")  # its name where the deploy named the file
    )


def image_of(skill: Skill) -> modal.Image:
    image, needs = claude_image if skill.engine == "claude" else memory_image, skill.resources
    if needs.apt:
        image = image.apt_install(*needs.apt)
    if needs.pip:
        image = image.uv_pip_install(*needs.pip)
    return with_project(image)


def secret(name: str) -> modal.Secret:
    return modal.Secret.from_name(name, required_keys=REQUIRED_KEYS.get(name, []))


def secrets_of(skill: Skill) -> list[str]:
    own = [CLAUDE_SECRET] if skill.engine == "claude" else []
    return list(dict.fromkeys([DATABASE_SECRET, QDRANT_SECRET, *own, *skill.resources.secrets]))


RESPONDER_SECRETS = [] if SETTINGS.question_responder == OFF else [CLAUDE_SECRET, DATABASE_SECRET]

if modal.is_local() and sys.argv[1:2] == ["deploy"]:
    # Modal refuses a deploy that lacks a secret, too, but does not say what to do about it.
    wanted = {WEB_SECRET, *RESPONDER_SECRETS, *(name for skill in CATALOGUE for name in secrets_of(skill))}
    if missing := missing_secrets(sorted(wanted)):
        sys.exit("\n".join(missing))

volume = modal.Volume.from_name(VOLUME, create_if_missing=True)
app = modal.App(APP, include_source=False)  # `with_project` adds the source, the same in both ways to deploy


async def run_skill(task_id: str) -> None:
    """One call: all attempts of one task. The same code runs a task on a laptop."""
    from agents.src.bootstrap.cloud import skill_container

    configure_logs(SETTINGS)
    try:
        parts = skill_container(SETTINGS, CATALOGUE, modal.current_function_call_id() or "")
        assert parts.solo  # so assembled
        try:
            await parts.open()
            await parts.solo.run(task_id)
        finally:
            await parts.close()
    except Problem as error:
        # The caller of a call may lack the project's classes.
        raise RuntimeError(error.detail) from None


def declare(skill: Skill) -> "modal.Function[[str], None, Coroutine[Any, Any, None]]":
    needs = skill.resources
    return app.function(
        name=FUNCTION_PREFIX + skill.name,
        image=image_of(skill),
        secrets=[secret(name) for name in secrets_of(skill)],
        volumes={STATE: volume},
        cpu=needs.cpu,
        memory=needs.memory,
        gpu=list(needs.gpu) or None,
        timeout=call_timeout(skill, SETTINGS.task_timeout_seconds),
        max_containers=needs.max_containers,
        single_use_containers=skill.engine == "claude",  # what a model did to a container, the next task does not see
    )(run_skill)


FUNCTIONS = {skill.name: declare(skill) for skill in CATALOGUE}


@app.function(
    image=with_project(web_image),
    secrets=[secret(WEB_SECRET), secret(DATABASE_SECRET), secret(QDRANT_SECRET)],
    volumes={STATE: volume},
    timeout=DAY,  # of one request: an event stream lasts as long as its task
)
@modal.concurrent(max_inputs=100)
@modal.asgi_app()
def web() -> "FastAPI":
    from agents.src.api.app import create_app, spare_the_collector
    from agents.src.bootstrap.cloud import web_container

    configure_logs(SETTINGS)
    app = create_app(web_container(SETTINGS, CATALOGUE))
    spare_the_collector()
    return app


@app.function(
    image=with_project(callback_image),  # it sends to callbacks while no web container lives
    secrets=[secret(DATABASE_SECRET)],
    schedule=modal.Cron("* * * * *"),
    max_containers=1,
    timeout=300,
    scaledown_window=2,  # not paid for between two minutes
)
async def reaper() -> None:
    from agents.src.bootstrap.cloud import reap

    configure_logs(SETTINGS)
    await reap(SETTINGS)


@app.function(
    name=KEEPER,
    image=with_project(memory_image),
    secrets=[secret(DATABASE_SECRET), secret(QDRANT_SECRET)],
    volumes={STATE: volume},
    schedule=modal.Cron("*/10 * * * *"),
    max_containers=1,
    timeout=KEEP_SECONDS,
    scaledown_window=10,  # whoever learned something may not be the only one
)
async def memory() -> None:
    from agents.src.bootstrap.cloud import keep_memory

    configure_logs(SETTINGS)
    await keep_memory(SETTINGS, CATALOGUE)


async def respond(question_id: str) -> None:
    """One call: a model answers the question in the place of people."""
    from agents.src.bootstrap import cloud

    configure_logs(SETTINGS)
    await cloud.respond(SETTINGS, question_id)


if RESPONDER_SECRETS:
    responder = app.function(
        name=RESPONDER,
        image=with_project(claude_image),
        secrets=[secret(name) for name in RESPONDER_SECRETS],
        max_containers=4,
        timeout=RESPOND_SECONDS,
        scaledown_window=2,  # questions rarely come in a row
    )(respond)
