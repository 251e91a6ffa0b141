"""What a second of a skill's container costs. Pure."""

from collections.abc import Mapping

from agents.src.errors import Misconfigured
from agents.src.skills.resources import GPUS
from agents.src.skills.skill import Resources

CORES, MIB = 0.125, 128
"""What a container of Modal's has where its info.md says nothing."""


def checked_prices(prices: Mapping[str, float]) -> Mapping[str, float]:
    """Raises Misconfigured where one is of nothing that a container has."""
    if unknown := sorted(prices.keys() - {"cpu", "memory", *GPUS}):
        names = ", ".join(("cpu", "memory", *GPUS))
        raise Misconfigured(f"COMPUTE_PRICES: {unknown[0]!r} is nothing that has a price; write one of {names}.")
    return prices


def usd_per_second(resources: Resources, prices: Mapping[str, float]) -> float | None:
    """None where the price of its GPU, the first of those that it takes, is not known."""
    name, _, count = (resources.gpu[0] if resources.gpu else "").partition(":")
    if name and name not in prices:
        return None
    gpus = prices[name] * int(count or 1) if name else 0.0
    return (resources.cpu or CORES) * prices["cpu"] + (resources.memory or MIB) / 1024 * prices["memory"] + gpus
