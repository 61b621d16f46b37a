"""The search attributes that Mainstay's workflows set, for the Web UI and for lists."""

from __future__ import annotations

TEAM = "MainstayTeam"
ROLE = "MainstayRole"
STATE = "MainstayState"
CAPABILITY = "MainstayCapability"

SEARCH_ATTRIBUTES: dict[str, str] = {
    TEAM: "Keyword",
    ROLE: "Keyword",
    STATE: "Keyword",
    CAPABILITY: "KeywordList",
}
"""Every attribute with its type, by the names Temporal gives to types."""

INCARNATION = "incarnation"
"""The memo of a supervised workflow: how often it was started, this time included."""
