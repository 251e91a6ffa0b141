"""The result's data is what it was given of the conversation."""

import json
import sys

document = json.load(sys.stdin)
if document["task"] == "fail":
    print(json.dumps({"type": "error", "detail": "It was told to."}))
else:
    heard = document["conversation"]
    print(json.dumps({"type": "result", "text": f"Heard {len(heard)} messages.\n\nMore.", "data": heard}))
