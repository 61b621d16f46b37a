"""The decisions of supervision do what a small reference does that follows OTP's documentation."""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import seed as seeded
from hypothesis import strategies as st
from otp_model import Child, Flags
from team_world import TeamWorld

SEED = int(os.environ.get("FAULTS_SEED", "1"))
SLICES = 20
SLICE = 1_000
ROOT = Path(__file__).parents[2]
FINISHED = ROOT / "build" / f"supervision-model-{SEED}.txt"
"""Slices of the long campaign that are finished, so that one that was interrupted goes on."""

GROUPED = ["one_for_all", "rest_for_one"]
STRATEGIES = [*GROUPED, *GROUPED, "one_for_one", "one_for_one", "terminate_all", "dynamic"]
RESTARTS = ["permanent", "transient", "temporary"]


@st.composite
def flags(draw: st.DrawFn) -> Flags:
    return Flags(
        strategy=draw(st.sampled_from(STRATEGIES)),
        max_restarts=draw(st.sampled_from([0, 1, 2, 3, 5])),
        window=draw(st.sampled_from([5, 30])),
        escalation=draw(st.sampled_from(["escalate", "terminate", "restart"])),
        auto_shutdown=draw(st.sampled_from(["never", "any_significant", "all_significant"])),
    )


@st.composite
def supervisors(draw: st.DrawFn) -> tuple[Flags, list[list[Child]]]:
    own = draw(flags())
    sizes = draw(
        st.lists(st.sampled_from([1, 1, 1, 2]), min_size=draw(st.sampled_from([1, 3])), max_size=4)
    )
    if own.strategy == "dynamic":
        sizes = [1]
    groups = []
    for place, size in enumerate(sizes):
        restart = draw(st.sampled_from(RESTARTS))
        may_matter = own.auto_shutdown != "never" and restart != "permanent"
        child = {
            "group": place,
            "restart": restart,
            "significant": may_matter and draw(st.booleans()),
            # With the restart of all, the reference does not wait: one thing at a time.
            "initial": 0 if own.escalation == "restart" else draw(st.sampled_from([0, 0, 1])),
            "maximum": draw(st.sampled_from([3, 60])),
        }
        name = "abcd"[place]
        names = [name] if size == 1 else [f"{name}-{number + 1}" for number in range(size)]
        groups.append([Child(one, **child) for one in names])
    return own, groups


seeds = st.integers(0, 2**32 - 1)
lengths = st.integers(5, 50)
SUPPRESSED = [HealthCheck.too_slow, HealthCheck.data_too_large]

quick = settings(max_examples=300, deadline=None, suppress_health_check=SUPPRESSED)


def differs(made: tuple[Flags, list[list[Child]]], seed: int, steps: int) -> bool:
    """Tell whether the decisions are seen to differ from the reference."""
    try:
        TeamWorld(*made).play(Random(seed), steps)
    except AssertionError:
        return True
    return False


@pytest.mark.slow
@quick
@given(supervisors(), seeds, lengths)
def test_decisions_agree_with_otp_about_any_sequence_of_events(made, seed, steps):
    TeamWorld(*made).play(Random(seed), steps)


@pytest.mark.deep
@pytest.mark.parametrize("part", range(SLICES))
def test_they_agree_about_twenty_thousand_sequences(part):
    mark = f"{CODE} {part}"
    if FINISHED.exists() and mark in FINISHED.read_text().splitlines():
        pytest.skip("finished before")

    @seeded(SEED * SLICES + part)
    @settings(quick, max_examples=SLICE, database=None)
    @given(supervisors(), seeds, lengths)
    def campaign(made, seed, steps):
        TeamWorld(*made).play(Random(seed), steps)

    campaign()
    FINISHED.parent.mkdir(exist_ok=True)
    with FINISHED.open("a") as file:
        file.write(mark + "\n")


def _code() -> str:
    """Return a fingerprint of the decisions and their tests; slices of other code do not count."""
    digest = sha256()
    decisions = ROOT / "src" / "mainstay" / "decisions" / "supervision"
    for path in (*sorted(decisions.glob("*.py")), *sorted(Path(__file__).parent.glob("*.py"))):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


CODE = _code()
