"""modal-invoke: Claude Code skills as serverless functions."""

__version__ = "0.1.0"
