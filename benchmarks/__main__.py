"""Every figure, one after the other: `python -m benchmarks`, which is `make bench`.

(a) the ladder, (b) events, (c) imports and start, (d) the backlog. `kill.py`, which takes minutes, runs on its own.
"""

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent

for name in ("ladder", "events", "imports", "backlog"):
    print(f"\n== {name} ==\n", flush=True)
    subprocess.run([sys.executable, HERE / f"{name}.py"], check=True)
