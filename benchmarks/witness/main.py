"""Holds a lock named after its task for a moment: two runs of one task at once would be seen."""

import fcntl
import json
import sys
import time
from pathlib import Path

request = json.load(sys.stdin)
task_id = request["run_id"].rpartition(":")[0]
lock = (Path(request["args"]["locks"]) / task_id).open("w")
try:
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    Path(request["args"]["locks"], f"{task_id}.twice").touch()
time.sleep(request["args"]["seconds"])
print(json.dumps({"type": "result", "text": "seen"}))
