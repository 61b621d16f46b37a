"""Free and taken TCP ports of the loopback interface."""

from __future__ import annotations

import socket

from mainstay.schemas.errors import InvalidInput, Unavailable

LOOPBACK = "127.0.0.1"


def find_free_port() -> int:
    """Find a port that nobody uses and that the kernel will not hand out for a while.

    One connection is made and closed on it, from the listening side first. The port then rests
    in TIME_WAIT: the kernel gives it to nobody who asks for any port, while a server that asks
    for this one (with SO_REUSEADDR, as Go's and asyncio's do) gets it. Both must have asked for
    that reuse, the one that made the resting connection too.
    """
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((LOOPBACK, 0))
        listener.listen(1)
        port = int(listener.getsockname()[1])
        with socket.create_connection((LOOPBACK, port)) as visitor:
            accepted, _ = listener.accept()
            accepted.close()
            visitor.recv(1)
    return port


def is_free(port: int) -> bool:
    """Tell whether a server could listen on a port of the loopback interface now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
            probe.listen(1)
        except OSError:
            return False
    return True


def require_free(port: int) -> None:
    """Refuse a port that cannot be listened on.

    Raises:
        InvalidInput: the number is no port.
        Unavailable: another program listens there, or the port needs privileges.
    """
    if not 0 < port < 65536:
        raise InvalidInput(f"{port!r} is no port", hint="a port lies between 1 and 65535")
    if not is_free(port):
        raise port_taken(port)


def port_taken(port: int) -> Unavailable:
    """The error for a port that the server was told to use and cannot have."""
    return Unavailable(
        f"port {port} of {LOOPBACK} is taken by another program",
        hint="choose another one with --port, or stop the program that listens there",
    )
