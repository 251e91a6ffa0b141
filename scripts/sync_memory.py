"""Brings memory.md files and the shared memory in step: `agents memory push|pull|sync|status`, also from a checkout.

python scripts/sync_memory.py sync --dir agents/skills

Options and exit codes are those of `agents memory`: docs/cli.md has them.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def main() -> None:
    sys.path.insert(0, str(ROOT))  # the package of this checkout, installed or not
    from agents.src.cli.memory_sync import scripted

    scripted()


if __name__ == "__main__":
    main()
