"""A ledger of amounts, in a file. It has faults, for the reviewers of this example to find."""

from pathlib import Path


class Ledger:
    """Amounts that were booked."""

    def __init__(self, path):
        self.path = Path(path)
        self.amounts = []

    def load(self):
        """Read what was booked before."""
        try:
            for line in self.path.read_text().splitlines():
                self.amounts.append(float(line))
        except Exception:
            pass

    def book(self, amount, history=[]):
        """Book an amount, and return all that were booked."""
        self.amounts.append(amount)
        history.append(amount)
        return history

    def save(self):
        """Write everything."""
        self.path.write_text("\n".join(str(amount) for amount in self.amounts))
