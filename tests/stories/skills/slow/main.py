"""A second attempt ends at once, so that a test sees that there was one."""

import json
import os
import subprocess
import sys
import time

document = json.load(sys.stdin)
attempt = os.environ["MODAL_INVOKE_RUN"].rpartition(":")[2]
seconds = float(document["task"])
subprocess.Popen(["sleep", "300"], start_new_session=True)
print(json.dumps({"type": "text", "text": f"worker {os.getppid()}"}))
time.sleep(seconds if attempt == "1" else 0)
print(json.dumps({"type": "result", "text": f"attempt {attempt}", "data": sorted(os.environ)}))
