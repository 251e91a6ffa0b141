"""`allowed-tools` in the spelling of the Agent Skills specification: `Read Write(output/**) Bash(git add *)`."""

import re
from typing import Annotated

from pydantic import AfterValidator

_TOOL = re.compile(r"[A-Za-z][\w*-]*(\(.+\))?", re.DOTALL)


def split_tools(text: str) -> list[str]:
    """The tools of a line. Spaces separate them, except between parentheses. Raises ValueError."""
    tools, tool, depth = [], "", 0
    for letter in text:
        depth += {"(": 1, ")": -1}.get(letter, 0)
        if depth < 0:
            break
        if letter.isspace() and not depth:
            tools.append(tool)
            tool = ""
        else:
            tool += letter
    if depth:
        raise ValueError(f'the parentheses in "{text[:60]}" do not match; write tools such as Read Write(output/**)')
    return [word for word in [*tools, tool] if word]


def _one_tool(text: str) -> str:
    if text.endswith(","):
        raise ValueError(f'"{text[:60]}" ends with a comma; separate tools with spaces')
    if split_tools(text) != [text] or not _TOOL.fullmatch(text):
        raise ValueError(
            f'"{text[:60]}" is not a tool; write a name such as Read, or a name with a rule such as Write(output/**)'
        )
    return text


Tool = Annotated[str, AfterValidator(_one_tool)]
"""One tool, with its rule if it has one."""
