"""The composition root: the only place that names adapters. What only the deployed app needs is asked for in `cloud`."""

from agents import __version__
from agents.src.bootstrap.memory import Memory
from agents.src.bootstrap.program import KEEP_EVERY, Parts, bootstrap

VERSION = __version__

__all__ = ["KEEP_EVERY", "VERSION", "Memory", "Parts", "bootstrap"]
