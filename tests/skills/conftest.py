"""The programs of skills are imported as they are when they run: from their own folder."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "agents" / "skills" / "media-processing"))
