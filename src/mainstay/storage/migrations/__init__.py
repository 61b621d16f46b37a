"""The schema's history, run by :mod:`mainstay.storage.migrate`."""
