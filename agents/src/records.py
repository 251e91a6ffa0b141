"""What every kind of record has in common."""

from pydantic import BaseModel, ConfigDict


class Frozen(BaseModel):
    """What travels between processes: immutable, complete, no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Kept(Frozen):
    """What is kept, and may be read by an older version: what a newer one has added to it is passed over."""

    model_config = ConfigDict(extra="ignore")
