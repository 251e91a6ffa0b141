"""What can be asked for: skills, the catalogue they stand in, and the arguments they take."""

from agents.src.skills.access import DEFAULT_RATE, Allowance, Token, TokenStore, allowance, check_token_name, hashed, new_secret
from agents.src.skills.arguments import check_arguments
from agents.src.skills.build import Built, FilePlan, build_info, find_region, misplaced, plan_files
from agents.src.skills.catalogue import Catalogue
from agents.src.skills.dispatch import Dispatched, Dispatcher, brief_for
from agents.src.skills.estimate import Estimate, Range, estimate, estimated
from agents.src.skills.fault import Fault
from agents.src.skills.info import Place, known_keys, read_skill
from agents.src.skills.keys import FUNCTION_PREFIX
from agents.src.skills.local_skill import SKILL_MD, SKILL_PREFIX, Default, LocalSkill, metadata_texts, read_local
from agents.src.skills.prices import checked_prices, usd_per_second
from agents.src.skills.request import SkillRequest, Text
from agents.src.skills.resources import GPUS
from agents.src.skills.skill import Resources, Skill
from agents.src.skills.splice import Info

__all__ = [
    "DEFAULT_RATE",
    "FUNCTION_PREFIX",
    "GPUS",
    "SKILL_MD",
    "SKILL_PREFIX",
    "Allowance",
    "Built",
    "Catalogue",
    "Default",
    "Dispatched",
    "Dispatcher",
    "Estimate",
    "Fault",
    "FilePlan",
    "Info",
    "LocalSkill",
    "Place",
    "Range",
    "Resources",
    "Skill",
    "SkillRequest",
    "Text",
    "Token",
    "TokenStore",
    "allowance",
    "brief_for",
    "build_info",
    "check_arguments",
    "check_token_name",
    "checked_prices",
    "estimate",
    "estimated",
    "find_region",
    "hashed",
    "known_keys",
    "metadata_texts",
    "misplaced",
    "new_secret",
    "plan_files",
    "read_local",
    "read_skill",
    "usd_per_second",
]
