"""`agents token`: who may call the server."""

import re
from typing import Annotated

import typer

from agents.src.bootstrap import Parts
from agents.src.cli.output import AsJson, moment, note, print_json, print_table
from agents.src.cli.running import state_only, with_parts, with_skills
from agents.src.clock import iso
from agents.src.errors import InvalidRequest
from agents.src.settings import Rate, parse_rate
from agents.src.skills import DEFAULT_RATE, Token, check_token_name, hashed, new_secret
from agents.src.tasks import amount_of, dollars

app = typer.Typer(help="The tokens that open the server.", no_args_is_help=True)

UNITS = {"m": 60, "h": 3600, "d": 86400}


@app.command()
def generate(as_json: AsJson = False) -> None:
    """Make a root token and print it.

    Nothing is kept: put it into MODAL_INVOKE_TOKEN.
    """
    secret = new_secret()
    print_json({"token": secret}) if as_json else print(secret)


@app.command()
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Who it is for; tasks submitted with it bear this name.")],
    skills: Annotated[str | None, typer.Option(metavar="A,B", help="The only skills it allows, as `a,b`. Without, all.")] = None,
    rate: Annotated[
        str,
        typer.Option(metavar="N/PERIOD", help="How many tasks it may submit, such as 600/hour (second, minute, hour or day)."),
    ] = str(DEFAULT_RATE),
    expires: Annotated[
        str | None, typer.Option(metavar="IN", help="When it ends: 90d, 12h or 30m from now. Without, never.")
    ] = None,
    budget: Annotated[
        str | None, typer.Option(metavar="USD", help="US dollars that its tasks may spend in one day (UTC). Without, no limit.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a named token.

    It is shown once; only its hash is kept.
    """
    checked, lifetime = checked_rate(rate), parse_duration(expires) if expires else None
    daily = checked_budget(budget) if budget is not None else None
    wanted = [part.strip() for part in skills.split(",") if part.strip()] if skills is not None else None
    if wanted == []:
        raise InvalidRequest("--skills names no skill. Leave it out to allow all.")
    secret = new_secret()

    async def add(parts: Parts) -> Token:
        now = parts.clock.now()
        allowed = frozenset(parts.catalogue.get(skill).name for skill in wanted) if wanted else None
        until = now + lifetime if lifetime else None
        token = Token(check_token_name(name), hashed(secret), allowed, checked, now, until, budget_usd=daily)
        await parts.tokens.add(token)
        return token

    token = with_parts(with_skills if wanted else state_only, add)
    if as_json:
        print_json({"token": secret, **document(token)})
    else:
        print(secret)
        note(f"This is the token {token.name!r}, shown this once. It allows {terms(token)}.")


@app.command("list")
def list_tokens(as_json: AsJson = False) -> None:
    """List the named tokens, those that ended too."""

    async def look(parts: Parts) -> tuple[tuple[Token, ...], float]:
        return await parts.tokens.all(), parts.clock.now()

    tokens, now = with_parts(state_only, look)
    if as_json:
        print_json([{**document(token), "state": state(token, now)} for token in tokens])
    elif tokens:
        columns = ("name", "state", "skills", "rate", "budget", "created", "expires")
        print_table(columns, [row(token, now) for token in tokens])
    else:
        note("There are no named tokens. Make one: `agents token create NAME`.")


@app.command()
def revoke(name: Annotated[str, typer.Argument(metavar="NAME", help="The token's name.")], as_json: AsJson = False) -> None:
    """End a token.

    A server that has just seen it may let it in for five more seconds. Its name stays taken.
    """
    token = with_parts(state_only, lambda parts: parts.tokens.revoke(name))
    print_json(document(token)) if as_json else print(f"The token {token.name!r} is revoked.")


def checked_rate(text: str) -> Rate:
    try:
        return parse_rate(text)
    except ValueError as error:
        raise InvalidRequest(f"--rate: {error}.") from None


def checked_budget(text: str) -> float:
    amount = amount_of(text)
    if amount is None:
        raise InvalidRequest(f"--budget: US dollars look like 5 or 2.50, more than 0, not {text!r}.")
    return amount


def parse_duration(text: str, option: str = "--expires") -> float:
    """`90d` → seconds. Raises InvalidRequest."""
    match = re.fullmatch(r"([1-9]\d{0,4})([mhd])", text.strip())
    if not match:
        raise InvalidRequest(f"{option}: a duration looks like 90d, 12h or 30m, not {text!r}.")
    return float(int(match[1]) * UNITS[match[2]])


def document(token: Token) -> dict[str, object]:
    """Everything but the secret's hash."""
    return {
        "name": token.name,
        "skills": sorted(token.skills) if token.skills is not None else None,
        "rate": str(token.rate),
        "budget_usd": token.budget_usd,
        "created_at": iso(token.created_at),
        "expires_at": iso(token.expires_at) if token.expires_at else None,
        "revoked_at": iso(token.revoked_at) if token.revoked_at else None,
    }


def row(token: Token, now: float) -> tuple[str, ...]:
    limits = (str(token.rate), a_day(token) or "none")
    return token.name, state(token, now), allows(token), *limits, moment(token.created_at), moment(token.expires_at) or "never"


def terms(token: Token) -> str:
    """`all skills, 60/minute, $5.00/day, without end`."""
    return ", ".join(filter(None, (allows(token), str(token.rate), a_day(token), until(token))))


def a_day(token: Token) -> str:
    return f"{dollars(token.budget_usd)}/day" if token.budget_usd else ""


def state(token: Token, now: float) -> str:
    if token.revoked_at is not None:
        return "revoked"
    return "active" if token.valid_at(now) else "expired"


def allows(token: Token) -> str:
    return "all skills" if token.skills is None else ", ".join(sorted(token.skills))


def until(token: Token) -> str:
    return f"until {moment(token.expires_at)}" if token.expires_at else "without end"
