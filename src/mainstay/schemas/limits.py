"""How large things may be. Sizes in bytes."""

MAX_PAYLOAD_BYTES = 100 * 1024
"""Largest payload that may cross a workflow boundary; more fails, naming what was too large."""

MAX_INLINE_BYTES = 32 * 1024
"""Anything larger than this is passed as a reference to storage."""

MAX_OUTPUT_BYTES = 64 * 1024 * 1024
"""Largest output of one tool call."""

MAX_MESSAGE_CHARS = 500
"""Longest message kept in history and records; the rest is in the tool's output."""

MAX_PLAN_FILE_BYTES = 16 * 1024 * 1024
"""Largest plan file that is read."""
