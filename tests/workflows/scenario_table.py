"""What has to happen for every strategy, restart type and escalation. Source: OTP, by hand.

A team has one lower supervisor `s`, itself transient, with the children a, b and c of one restart
type, and at most one restart within 100 s. The script is always the same:

    10 fail b; 20 exit a; 30 fail b; 40 look s; 50 down

(the children of a dynamic supervisor are started first). So permanent children escalate when a
ends, which is their second restart; transient ones when b fails again; temporary ones never.
"""

from __future__ import annotations

from typing import NamedTuple


class Row(NamedTuple):
    """One line of the table.

    Attributes:
        trace: what happened to everybody, before the team was told to end.
        stops: what happened then.
        events: what `s` put on record before.
        ends: what it put on record then.
        root: what the root put on record.
        look: how `s` stood.
        closed: whose mailboxes were closed.
    """

    strategy: str
    restart: str
    escalation: str
    trace: str
    stops: str
    events: str
    ends: str
    root: str
    look: str
    closed: str


ALL = "-c -b -a"
ENDS = "Tc Tb Ta"
FORGET = ("+s +a +b +c !b .a", "-c", "Sa Sb Sc Tb Ta", "Tc")
LEFT = ("Ss Ts", "RUNNING r left 1 made 0", "/ a b s/")
"""Temporary children are forgotten, whatever the escalation."""

TERMINATE_PERMANENT = (
    "+s +a +b +c !b ~c ~a +s2 +a2 +b2 +c2 .a ~c ~b +s3 +a3 +b3 +c3 !b ~c ~a +s4 +a4 +b4 +c4",
    ALL,
    "Sa Sb Sc Tb Tc Ta Ra Rb Rc Ta Tc Tb Ra Rb Rc Tb Tc Ta Ra Rb Rc",
    ENDS,
    "Ss Rs Rs Rs Ts",
    "RUNNING rrr left 1 made 0",
    "/ s/",
)
TERMINATE_TRANSIENT = (
    "+s +a +b +c !b ~c ~a +s2 +a2 +b2 +c2 .a !b ~c +s3 +a3 +b3 +c3",
    ALL,
    "Sa Sb Sc Tb Tc Ta Ra Rb Rc Ta Tb Tc Ra Rb Rc",
    ENDS,
    "Ss Rs Rs Ts",
    "RUNNING rrr left 1 made 0",
    "/ s/",
)
"""terminate_all ends in a failure whatever the escalation, since nothing is ever restarted."""

# fmt: off
TABLE = (
    Row("one_for_one", "permanent", "escalate",
        "+s +a +b +c !b +b2 .a ~c ~b +s2 +a2 +b3 +c2 !b +b4", ALL,
        "Sa Sb Sc Rb Va Tc Tb Ra Rb Rc Rb", ENDS, "Ss Rs Ts",
        "RUNNING rrr left 0 made 1", "/ s/"),
    Row("one_for_one", "permanent", "terminate",
        "+s +a +b +c !b +b2 .a ~c ~b", "",
        "Sa Sb Sc Rb Va Tc Tb", "", "Ss Ts",
        "TERMINATED xxx left 0 made 1", "/"),
    Row("one_for_one", "permanent", "restart",
        "+s +a +b +c !b +b2 .a ~c ~b +a2 +b3 +c2 !b +b4", ALL,
        "Sa Sb Sc Rb Va Tc Tb Ra Rb Rc Rb", ENDS, "Ss Ts",
        "RUNNING rrr left 0 made 2", "/ s/"),
    Row("one_for_one", "transient", "escalate",
        "+s +a +b +c !b +b2 .a !b ~c +s2 +a2 +b3 +c2", ALL,
        "Sa Sb Sc Rb Ta Vb Tc Ra Rb Rc", ENDS, "Ss Rs Ts",
        "RUNNING rrr left 1 made 0", "/ s/"),
    Row("one_for_one", "transient", "terminate",
        "+s +a +b +c !b +b2 .a !b ~c", "",
        "Sa Sb Sc Rb Ta Vb Tc", "", "Ss Ts",
        "TERMINATED xxx left 0 made 1", "/"),
    Row("one_for_one", "transient", "restart",
        "+s +a +b +c !b +b2 .a !b ~c +a2 +b3 +c2", ALL,
        "Sa Sb Sc Rb Ta Vb Tc Ra Rb Rc", ENDS, "Ss Ts",
        "RUNNING rrr left 1 made 1", "/ s/"),
    Row("one_for_one", "temporary", "escalate", *FORGET, *LEFT),
    Row("one_for_one", "temporary", "terminate", *FORGET, *LEFT),
    Row("one_for_one", "temporary", "restart", *FORGET, *LEFT),

    Row("one_for_all", "permanent", "escalate",
        "+s +a +b +c !b ~c ~a +a2 +b2 +c2 .a ~c ~b +s2 +a3 +b3 +c3 !b ~c ~a +a4 +b4 +c4", ALL,
        "Sa Sb Sc Tc Ta Ra Rb Rc Va Tc Tb Ra Rb Rc Tc Ta Ra Rb Rc", ENDS, "Ss Rs Ts",
        "RUNNING rrr left 0 made 1", "/ s/"),
    Row("one_for_all", "permanent", "terminate",
        "+s +a +b +c !b ~c ~a +a2 +b2 +c2 .a ~c ~b", "",
        "Sa Sb Sc Tc Ta Ra Rb Rc Va Tc Tb", "", "Ss Ts",
        "TERMINATED xxx left 0 made 1", "/"),
    Row("one_for_all", "permanent", "restart",
        "+s +a +b +c !b ~c ~a +a2 +b2 +c2 .a ~c ~b +a3 +b3 +c3 !b ~c ~a +a4 +b4 +c4", ALL,
        "Sa Sb Sc Tc Ta Ra Rb Rc Va Tc Tb Ra Rb Rc Tc Ta Ra Rb Rc", ENDS, "Ss Ts",
        "RUNNING rrr left 0 made 2", "/ s/"),
    Row("one_for_all", "transient", "escalate",
        "+s +a +b +c !b ~c ~a +a2 +b2 +c2 .a !b ~c +s2 +a3 +b3 +c3", ALL,
        "Sa Sb Sc Tc Ta Ra Rb Rc Ta Vb Tc Ra Rb Rc", ENDS, "Ss Rs Ts",
        "RUNNING rrr left 1 made 0", "/ s/"),
    Row("one_for_all", "transient", "terminate",
        "+s +a +b +c !b ~c ~a +a2 +b2 +c2 .a !b ~c", "",
        "Sa Sb Sc Tc Ta Ra Rb Rc Ta Vb Tc", "", "Ss Ts",
        "TERMINATED xxx left 0 made 1", "/"),
    Row("one_for_all", "transient", "restart",
        "+s +a +b +c !b ~c ~a +a2 +b2 +c2 .a !b ~c +a3 +b3 +c3", ALL,
        "Sa Sb Sc Tc Ta Ra Rb Rc Ta Vb Tc Ra Rb Rc", ENDS, "Ss Ts",
        "RUNNING rrr left 1 made 1", "/ s/"),
    Row("one_for_all", "temporary", "escalate", *FORGET, *LEFT),
    Row("one_for_all", "temporary", "terminate", *FORGET, *LEFT),
    Row("one_for_all", "temporary", "restart", *FORGET, *LEFT),

    Row("rest_for_one", "permanent", "escalate",
        "+s +a +b +c !b ~c +b2 +c2 .a ~c ~b +s2 +a2 +b3 +c3 !b ~c +b4 +c4", ALL,
        "Sa Sb Sc Tc Rb Rc Va Tc Tb Ra Rb Rc Tc Rb Rc", ENDS, "Ss Rs Ts",
        "RUNNING rrr left 0 made 1", "/ s/"),
    Row("rest_for_one", "permanent", "terminate",
        "+s +a +b +c !b ~c +b2 +c2 .a ~c ~b", "",
        "Sa Sb Sc Tc Rb Rc Va Tc Tb", "", "Ss Ts",
        "TERMINATED xxx left 0 made 1", "/"),
    Row("rest_for_one", "permanent", "restart",
        "+s +a +b +c !b ~c +b2 +c2 .a ~c ~b +a2 +b3 +c3 !b ~c +b4 +c4", ALL,
        "Sa Sb Sc Tc Rb Rc Va Tc Tb Ra Rb Rc Tc Rb Rc", ENDS, "Ss Ts",
        "RUNNING rrr left 0 made 2", "/ s/"),
    Row("rest_for_one", "transient", "escalate",
        "+s +a +b +c !b ~c +b2 +c2 .a !b ~c +s2 +a2 +b3 +c3", ALL,
        "Sa Sb Sc Tc Rb Rc Ta Vb Tc Ra Rb Rc", ENDS, "Ss Rs Ts",
        "RUNNING rrr left 1 made 0", "/ s/"),
    Row("rest_for_one", "transient", "terminate",
        "+s +a +b +c !b ~c +b2 +c2 .a !b ~c", "",
        "Sa Sb Sc Tc Rb Rc Ta Vb Tc", "", "Ss Ts",
        "TERMINATED xxx left 0 made 1", "/"),
    Row("rest_for_one", "transient", "restart",
        "+s +a +b +c !b ~c +b2 +c2 .a !b ~c +a2 +b3 +c3", ALL,
        "Sa Sb Sc Tc Rb Rc Ta Vb Tc Ra Rb Rc", ENDS, "Ss Ts",
        "RUNNING rrr left 1 made 1", "/ s/"),
    Row("rest_for_one", "temporary", "escalate", *FORGET, *LEFT),
    Row("rest_for_one", "temporary", "terminate", *FORGET, *LEFT),
    Row("rest_for_one", "temporary", "restart", *FORGET, *LEFT),

    Row("terminate_all", "permanent", "escalate", *TERMINATE_PERMANENT),
    Row("terminate_all", "permanent", "terminate", *TERMINATE_PERMANENT),
    Row("terminate_all", "permanent", "restart", *TERMINATE_PERMANENT),
    Row("terminate_all", "transient", "escalate", *TERMINATE_TRANSIENT),
    Row("terminate_all", "transient", "terminate", *TERMINATE_TRANSIENT),
    Row("terminate_all", "transient", "restart", *TERMINATE_TRANSIENT),
    Row("terminate_all", "temporary", "escalate", *FORGET, *LEFT),
    Row("terminate_all", "temporary", "terminate", *FORGET, *LEFT),
    Row("terminate_all", "temporary", "restart", *FORGET, *LEFT),

    Row("dynamic", "permanent", "escalate",
        "+s +a +b +c !b +b2 .a {~b ~c} +s2", "",
        "Sa Sb Sc Rb Va {Tb Tc}", "", "Ss Rs Ts",
        "RUNNING none left 1 made 0", "/ s/"),
    Row("dynamic", "permanent", "terminate",
        "+s +a +b +c !b +b2 .a {~b ~c}", "",
        "Sa Sb Sc Rb Va {Tb Tc}", "", "Ss Ts",
        "TERMINATED xxx left 0 made 1", "/"),
    Row("dynamic", "permanent", "restart",
        "+s +a +b +c !b +b2 .a {~b ~c} {+a2 +b3 +c2} !b +b4", "{-a -b -c}",
        "Sa Sb Sc Rb Va {Tb Tc} Ra Rb Rc Rb", "{Ta Tb Tc}", "Ss Ts",
        "RUNNING rrr left 0 made 2", "/ s/"),
    Row("dynamic", "transient", "escalate",
        "+s +a +b +c !b +b2 .a !b ~c +s2", "",
        "Sa Sb Sc Rb Ta Vb Tc", "", "Ss Rs Ts",
        "RUNNING none left 1 made 0", "/ a s/"),
    Row("dynamic", "transient", "terminate",
        "+s +a +b +c !b +b2 .a !b ~c", "",
        "Sa Sb Sc Rb Ta Vb Tc", "", "Ss Ts",
        "TERMINATED xx left 0 made 1", "/ a"),
    Row("dynamic", "transient", "restart",
        "+s +a +b +c !b +b2 .a !b ~c {+b3 +c2}", "{-b -c}",
        "Sa Sb Sc Rb Ta Vb Tc Rb Rc", "{Tb Tc}", "Ss Ts",
        "RUNNING rr left 1 made 1", "/ a s/"),
    Row("dynamic", "temporary", "escalate", *FORGET, *LEFT),
    Row("dynamic", "temporary", "terminate", *FORGET, *LEFT),
    Row("dynamic", "temporary", "restart", *FORGET, *LEFT),
)
# fmt: on
