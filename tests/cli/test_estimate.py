"""`agents skills estimate`."""

import json
import re

from tests.cli.conftest import Agents


def test_estimate(agents: Agents) -> None:
    shown = agents("skills", "estimate", "echo")
    assert (shown.exit_code, shown.stdout) == (0, "")
    assert shown.stderr == "No task of echo has completed yet: there is nothing to go by.\n"
    agents("invoke", "echo", "hello", "--out", "made")
    agents("invoke", "echo", "fail")
    shown = agents("skills", "estimate", "echo")
    header, seconds, model, compute = shown.stdout.splitlines()
    assert header.split() == ["lowest", "median", "highest"]
    assert re.fullmatch(r"seconds +(\d+\.\d\d) +\1 +\1", seconds)
    assert (model.split(), compute.split()) == (["model,", "USD", *["0.0000"] * 3], ["compute,", "USD", *["0.000000"] * 3])
    assert shown.stderr == "The last 1 completed task of echo.\n"
    document = json.loads(agents("skills", "estimate", "echo", "--json").stdout)
    assert (document["skill"], document["tasks"], sorted(document["seconds"])) == ("echo", 1, ["highest", "lowest", "median"])
    unknown = agents("skills", "estimate", "ecko")
    assert unknown.exit_code == 1
    assert "did you mean echo?" in unknown.stderr
