"""Each line of the task is a lesson: `add TEXT`, `correct ID TEXT`, `forget ID`; other lines are none."""

import json
import sys

document = json.load(sys.stdin)
for line in document["task"].splitlines():
    action, _, rest = line.partition(" ")
    which, _, text = rest.partition(" ")
    if action == "add":
        print(json.dumps({"type": "remember", "text": rest}))
    elif action in ("correct", "forget"):
        print(json.dumps({"type": "remember", "action": action, "id": which, "text": text}))
print(json.dumps({"type": "result", "text": "Noted.", "data": document["memory"]}))
