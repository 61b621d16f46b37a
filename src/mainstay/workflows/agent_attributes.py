"""By what an agent's workflow is found in lists."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from temporalio.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes

from mainstay.schemas.lifecycle import LifeState
from mainstay.schemas.search import CAPABILITY, ROLE, STATE, TEAM


def agent_attributes(name: str, role: str, capabilities: Sequence[str]) -> TypedSearchAttributes:
    """Return the search attributes of an agent that begins; ``name`` is ``team/name``."""
    team = name.partition("/")[0]
    pairs: list[SearchAttributePair[Any]] = [  # Any: their types differ
        SearchAttributePair(SearchAttributeKey.for_keyword(TEAM), team),
        SearchAttributePair(SearchAttributeKey.for_keyword(ROLE), role),
        SearchAttributePair(SearchAttributeKey.for_keyword(STATE), LifeState.INITIALIZING.value),
    ]
    if capabilities:
        key = SearchAttributeKey.for_keyword_list(CAPABILITY)
        pairs.append(SearchAttributePair(key, list(capabilities)))
    return TypedSearchAttributes(pairs)
