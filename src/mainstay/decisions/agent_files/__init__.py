"""Agents as people write them: reading their Markdown files, checking them, writing them back."""
