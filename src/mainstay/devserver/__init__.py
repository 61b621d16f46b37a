"""The embedded Temporal server: find the program, start it tuned, stop it."""

from mainstay.devserver.lock import DatabaseServed, LiveServer, find_live_server
from mainstay.devserver.options import (
    DEFAULT_PORT,
    DEFAULT_UI_PORT,
    server_database,
    server_log,
)
from mainstay.devserver.ports import find_free_port
from mainstay.devserver.server import DevServer, ServerEnd
from mainstay.devserver.start import start_server

__all__ = [
    "DEFAULT_PORT",
    "DEFAULT_UI_PORT",
    "DatabaseServed",
    "DevServer",
    "LiveServer",
    "ServerEnd",
    "find_free_port",
    "find_live_server",
    "server_database",
    "server_log",
    "start_server",
]
