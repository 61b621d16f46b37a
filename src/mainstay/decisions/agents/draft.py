"""An agent's state while a decision is being made."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from mainstay.decisions.agents.lifecycle import move
from mainstay.schemas.agent_calls import AgentEventKind
from mainstay.schemas.agent_directives import AgentDirective, Note
from mainstay.schemas.agent_run import AgentState, TurnState, UseState, UseStatus
from mainstay.schemas.lifecycle import EndReason, LifeState, PauseReason
from mainstay.schemas.run import Failure

LIVING = frozenset({LifeState.RUNNING, LifeState.STOPPING})
"""States in which a turn that has begun goes on."""


class AgentDraft:
    """The working copy of a state, and the directives collected on the way."""

    def __init__(self, state: AgentState, now: datetime) -> None:
        self.state = state
        self.now = now
        self.directives: list[AgentDirective] = []

    @property
    def turn(self) -> TurnState:
        """The turn that is being worked on; ask only when there is one."""
        assert self.state.turn is not None
        return self.state.turn

    @property
    def is_flying(self) -> bool:
        """Whether any activity of the turn is under way."""
        turn = self.state.turn
        if turn is None:
            return False
        return turn.is_flying or any(
            use.status is UseStatus.RUNNING or use.is_flying for use in turn.uses
        )

    @property
    def is_living(self) -> bool:
        """Whether a turn that has begun goes on: it may, too, while the agent leaves."""
        life, leave = self.state.life.state, self.state.leave
        if leave is None or life is not LifeState.RESTARTING:
            return life in LIVING
        return not leave.is_landing and (leave.by is None or self.now < leave.by)

    def do(self, directive: AgentDirective) -> None:
        """Ask for something."""
        self.directives.append(directive)

    def note(self, kind: AgentEventKind, message: str = "") -> None:
        """Put something on record."""
        self.do(Note(kind, message, at=self.now))

    def change(self, **update: Any) -> None:  # Any: fields of the state, as model_copy has it
        """Change fields of the state."""
        self.state = self.state.model_copy(update=update)

    def change_turn(self, **update: Any) -> None:  # Any: see above
        """Change fields of the turn."""
        self.change(turn=self.turn.model_copy(update=update))

    def change_leave(self, **update: Any) -> None:  # Any: see above
        """Change fields of how it leaves."""
        assert self.state.leave is not None
        self.change(leave=self.state.leave.model_copy(update=update))

    def hasten(self, grace: timedelta | None) -> None:
        """Let the present state end within ``grace``, if that is sooner; None changes nothing."""
        life = self.state.life
        if grace is not None and (life.until is None or self.now + grace < life.until):
            self.change(life=life.model_copy(update={"until": self.now + grace}))

    def unlimit(self) -> None:
        """Let the present state last for ever."""
        self.change(life=self.state.life.model_copy(update={"until": None}))

    def use(self, use_id: str) -> UseState | None:
        """Return a tool call of the turn."""
        uses = self.state.turn.uses if self.state.turn else ()
        return next((use for use in uses if use.id == use_id), None)

    def change_use(self, use_id: str, **update: Any) -> None:  # Any: see above
        """Change fields of one of the turn's tool calls."""
        self.change_turn(
            uses=tuple(
                use.model_copy(update=update) if use.id == use_id else use for use in self.turn.uses
            )
        )

    def hold_for_budget(self, failure: Failure) -> None:
        """Pause until somebody gives more; a turn that has to end anyway fails instead.

        An agent that leaves does so at once: the next run waits in its place.
        """
        self.change_turn(waits_for=failure.message)
        life = self.state.life.state
        if life is LifeState.RUNNING:
            self.note(AgentEventKind.BUDGET_REACHED, failure.message)
            reason = PauseReason.RESOURCE_CONSTRAINT
            self.move(LifeState.PAUSED, "budget", failure.message, pause_reason=reason)
        elif self.state.leave is not None:
            self.change_leave(by=self.now)
        elif life is not LifeState.PAUSED:
            self.change_turn(verdict=failure)

    def move(
        self,
        to: LifeState,
        trigger: str,
        detail: str = "",
        *,
        pause_reason: PauseReason | None = None,
        end_reason: EndReason | None = None,
        grace: timedelta | None = None,
        leaves: bool = False,
    ) -> None:
        """Change the state of the agent's life, and put it on record.

        Raises:
            Refused: the present state does not lead there.
        """
        life = move(
            self.state.life,
            to,
            self.now,
            self.state.policy.limits,
            trigger=trigger,
            detail=detail,
            pause_reason=pause_reason,
            end_reason=end_reason,
            grace=grace,
            leaves=leaves,
        )
        made = life.transitions[-1]
        self.change(life=life)
        self.do(
            Note(
                AgentEventKind.STATE,
                detail,
                from_state=made.from_state,
                to_state=made.to_state,
                trigger=trigger,
                duration_ms=made.duration_ms,
                at=self.now,
            )
        )
