"""What Claude Code is told and allowed in one run."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, cast

import structlog

from agents.src.services.claude_asking import HOLD, Asker, denial
from agents.src.services.claude_earlier import earlier_messages
from agents.src.services.claude_events import renamed
from agents.src.services.claude_memory import REMEMBER, notes_for
from agents.src.services.claude_questions import ASK_CALLER, ASK_USER, TOOLS
from agents.src.services.claude_tools import HANDED, read_rules
from agents.src.services.processes import MARK
from agents.src.tasks import Brief, Workspace

if TYPE_CHECKING:
    from claude_agent_sdk import ClaudeAgentOptions
    from claude_agent_sdk.types import EffortLevel, HookContext, HookInput, PreToolUseHookInput, SyncHookJSONOutput

LARGEST_MESSAGE = 64 << 20  # bytes; one message may hold a whole file
OWN_FOLDER = """\
You work in a folder of your own. Files that were handed over with the task are in `input/`. What you leave in `output/` is handed
to the caller together with your last message."""
WORKDIR = """\
You work in a folder of the caller's, and what you change in it stays. What is spoken of as `input/` and `output/` is not in it:
always write the whole path of these two. Files that were handed over with the task are in `{input}`.
What you leave in `{output}` is handed to the caller together with your last message."""
MANNERS = f"""\
Nobody watches while you work. What you can neither find out nor decide yourself,
ask the caller: with {ASK_USER}, or with {ASK_CALLER} where there are no choices to offer. An answer may take hours.
So ask only what the task hangs on, and in one go what you know you will have to ask."""
INTERRUPTED = "You have begun this task before and were interrupted; what you had made is still in the folder."

log = structlog.get_logger()


def names_of(workspace: Workspace, private: Path) -> dict[str, str]:
    """What others read in place of this machine's paths. In this order, for one begins with another.

    A folder of the caller's keeps its path: they know it, and of two tasks in two folders both would tell of `.`.
    """
    folder = workspace.folder.resolve()
    as_one_name = re.sub(r"[^A-Za-z0-9]", "-", str(folder))  # so Claude Code calls what it keeps for a folder
    here, above = ("workspace", "workspace/..") if workspace.workdir else (".", "..")
    return {str(private): "~", as_one_name: "workspace", str(folder): here, str(folder.parent): above}


def prompt_of(brief: Brief) -> str:
    """The task in the caller's words, then its arguments and files."""
    parts = [brief.prompt]
    if brief.args:
        parts.append(f"Arguments:\n```json\n{json.dumps(brief.args, indent=2, ensure_ascii=False)}\n```")
    if brief.files:
        parts.append("Files handed over:\n" + "\n".join(f"- input/{file.name}" for file in brief.files))
    return "\n\n".join(parts)


def system_prompt_of(brief: Brief, workspace: Workspace) -> str:
    """What Claude Code's own system prompt is followed by."""
    surroundings = f"{surroundings_of(workspace)} {MANNERS}"
    parts = (brief.instruction, surroundings, notes_for(brief.memory), earlier_messages(brief.conversation))
    return "\n\n".join(filter(None, parts))


def surroundings_of(workspace: Workspace) -> str:
    """Where it works, and where the files are."""
    if workspace.workdir is None:
        return OWN_FOLDER
    own = workspace.folder.resolve()
    return WORKDIR.format(input=own / workspace.input.name, output=own / workspace.output.name)


def options_of(brief: Brief, program: Path, workspace: Workspace, names: Mapping[str, str], asker: Asker) -> "ClaudeAgentOptions":
    """All but what is served to it from this process."""
    from claude_agent_sdk import ClaudeAgentOptions, HookMatcher

    async def guard(call: "HookInput", _id: str | None, _context: "HookContext") -> "SyncHookJSONOutput":
        tool = cast("PreToolUseHookInput", call)
        reason = rules.refusal(tool["tool_name"], tool["tool_input"])
        return denial(reason) if reason else {}

    wanted, run_id = brief.claude, workspace.run_id
    handed = workspace.folder.resolve() if workspace.workdir else None
    rules = read_rules((*wanted.allowed_tools, REMEMBER, *TOOLS), workspace.place.resolve(), handed)
    asking = HookMatcher(matcher="|".join(TOOLS), hooks=[asker.hook], timeout=HOLD, on_failure="block")
    return ClaudeAgentOptions(
        cli_path=program,
        cwd=rules.folder,
        add_dirs=[handed / name for name in HANDED] if handed else [],
        # Where the SDK expects transcripts; the launcher says the same to Claude Code.
        env={MARK: run_id, "CLAUDE_CONFIG_DIR": str(config_of(program))},
        system_prompt={"type": "preset", "preset": "claude_code", "append": system_prompt_of(brief, workspace)},
        verbatim_prompts=True,  # a caller's `@/etc/passwd` or `/command` is text
        model=wanted.model,
        effort=cast("EffortLevel | None", wanted.effort),
        max_turns=wanted.max_turns,
        max_budget_usd=wanted.budget_usd,
        tools=rules.names,
        allowed_tools=rules.allowed,
        permission_mode="dontAsk",
        permission_prompt_tool_name="stdio",  # without it there is no AskUserQuestion; in this mode nothing else is asked there
        extra_args={"restricted": None},
        hooks={"PreToolUse": [HookMatcher(hooks=[guard], on_failure="block"), asking]},
        setting_sources=[],
        strict_mcp_config=True,
        max_buffer_size=LARGEST_MESSAGE,
        stderr=lambda line: log.warning("claude_stderr", run=run_id, line=renamed(line, names)),
    )


def config_of(program: Path) -> Path:
    """Claude Code's own folder, where `launcher` has made `program`."""
    return program.parent / "home" / ".claude"
