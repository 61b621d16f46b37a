"""The groups in which help lists the commands, in that order."""

from __future__ import annotations

RUN = "Run"
STEER = "Steer"
LOOK = "Look"
SET_UP = "Set up"

PANELS = (RUN, STEER, LOOK, SET_UP)
