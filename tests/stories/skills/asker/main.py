"""Each line of the task is a question. Those that end with `!` have to be answered with a colour."""

import json
import os
import sys

document = json.loads(sys.stdin.readline())
print(json.dumps({"type": "text", "text": f"worker {os.getppid()}"}))
colours = {"choices": ["red", {"label": "blue", "description": "As the sky."}], "free_text": False}
questions = document["task"].splitlines()
for number, text in enumerate(questions):
    print(json.dumps({"type": "question", "id": f"q{number}", "text": text, **(colours if text.endswith("!") else {})}))
answers = {answer["id"]: answer for answer in (json.loads(sys.stdin.readline()) for _ in questions)}
words = [", ".join(answer["choices"]) or answer["text"] or answer["action"] for _, answer in sorted(answers.items())]
print(json.dumps({"type": "result", "text": "; ".join(words), "data": answers}))
