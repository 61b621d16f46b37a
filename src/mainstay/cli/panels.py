"""The groups in which help lists the commands, in that order."""

from __future__ import annotations

RUN = "Run"
AGENTS = "Agents"
STEER = "Steer"
LOOK = "Look"
SET_UP = "Set up"

PANELS = (RUN, AGENTS, STEER, LOOK, SET_UP)
