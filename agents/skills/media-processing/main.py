"""Cuts, converts and looks at media files with ffmpeg. Speaks the protocol of docs/script-skills.md."""

import json
import sys
import time
from pathlib import Path
from typing import Any

from media.ffmpeg import FfmpegFailed, write
from media.names import Refusal
from media.operations import plan
from media.probe import Facts, probe
from media.request import Request, read_args
from media.sentences import read_sentence

PROGRESS_PAUSE = 0.5  # seconds


def say(type_: str, **members: Any) -> None:
    print(json.dumps({"type": type_, **members}), flush=True)


class Progress:
    """Tells how far it is, not too often."""

    def __init__(self, request: Request, total: float | None) -> None:
        self._message = str(request)
        self._total = total
        self._next = 0.0

    def __call__(self, seconds: float) -> None:
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + PROGRESS_PAUSE
        say("progress", fraction=min(seconds / self._total, 1.0) if self._total else None, message=self._message)


def carry_out(request: Request, file: Path, folder: Path) -> Facts:
    """What the outcome holds: the new file, or for a probe the file itself. Raises Refusal and FfmpegFailed."""
    facts = probe(file)
    if request.operation == "probe":
        return facts
    plan_ = plan(request, facts)
    write(file, plan_.before, plan_.after, folder / plan_.name, Progress(request, plan_.seconds))
    say("progress", fraction=1.0, message=str(request))
    return probe(folder / plan_.name)


def main() -> int:
    document = json.load(sys.stdin)
    paths = {file["name"]: Path(file["path"]) for file in document["files"]}
    try:
        args = document["args"]
        request = read_args(args, list(paths)) if args else read_sentence(document["task"], list(paths))
        say("text", text=f"Understood: {request}.")
        outcome = carry_out(request, paths[request.input], Path(document["output_dir"]))
    except Refusal as refusal:
        say("error", detail=str(refusal))
        return 0
    except FfmpegFailed as failure:
        print(failure, file=sys.stderr)
        return 1
    say("result", text=f"{'' if request.operation == 'probe' else 'Wrote '}{outcome}.", data=outcome.as_data())
    return 0


if __name__ == "__main__":
    sys.exit(main())
