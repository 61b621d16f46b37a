"""Days between dates. It has a fault, for the reviewers of this example to find."""

from datetime import date


def days_between(first: str, last: str) -> int:
    """Return how many days lie between two dates, written as 2026-01-31."""
    return abs((date.fromisoformat(last) - date.fromisoformat(first)).days)


def is_leap_year(year: int) -> bool:
    """Tell whether a year has a 29th of February."""
    return year % 4 == 0
