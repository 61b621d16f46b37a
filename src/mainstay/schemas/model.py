"""The two bases every schema has: what flows inside, and what people write."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Model(BaseModel):
    """A value that flows between workflows, activities and storage.

    Frozen, so that a decision cannot change what it was given. Unknown keys are ignored, so that
    a history written by a newer version still replays.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)


class Spec(BaseModel):
    """Something a person writes. Unknown keys are errors, because they are usually typos."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)
