"""What the repository audit does, in plain functions; ``audit_tools.py`` makes tools of them."""
