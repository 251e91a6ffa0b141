"""What can be asked for: skills, the catalogue they stand in, and the arguments they take."""

from agents.src.skills.access import DEFAULT_RATE, Allowance, Token, TokenStore, allowance, check_token_name, hashed, new_secret
from agents.src.skills.arguments import check_arguments
from agents.src.skills.catalogue import Catalogue
from agents.src.skills.dispatch import Dispatched, Dispatcher, brief_for
from agents.src.skills.fault import Fault
from agents.src.skills.info import Place, known_keys, read_skill
from agents.src.skills.keys import FUNCTION_PREFIX
from agents.src.skills.request import SkillRequest
from agents.src.skills.resources import GPUS
from agents.src.skills.skill import Resources, Skill

__all__ = [
    "DEFAULT_RATE",
    "FUNCTION_PREFIX",
    "GPUS",
    "Allowance",
    "Catalogue",
    "Dispatched",
    "Dispatcher",
    "Fault",
    "Place",
    "Resources",
    "Skill",
    "SkillRequest",
    "Token",
    "TokenStore",
    "allowance",
    "brief_for",
    "check_arguments",
    "check_token_name",
    "hashed",
    "known_keys",
    "new_secret",
    "read_skill",
]
