"""Where the service listens."""

from __future__ import annotations

import errno
import socket

from serving.errors import SettingsError


def bind(host: str, port: int) -> socket.socket:
    """A socket of that address, which does not listen yet; SettingsError if the address cannot be had."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise SettingsError(f"port {port}", f"is in use on {host}", "Choose another: --port") from error
        raise SettingsError(
            f"{host}:{port}", f"cannot be listened on: {error.strerror}", "See --host, --port"
        ) from error
    return listener


def url(host: str, listener: socket.socket) -> str:
    """The URL of a socket that was bound to `host`."""
    port = listener.getsockname()[1]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
