"""A site served on this machine, to this machine."""

from __future__ import annotations

from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from serval.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


HOST = "127.0.0.1"
OWN_NAMES = frozenset((HOST, "localhost"))


class SiteServer(ThreadingHTTPServer):
    """Serves a folder on 127.0.0.1, with the headers that give a page threads.

    Args:
        folder: Of the site.
        port: Where; 0 for any that is free.
        headers: What every answer says beside its content.

    Raises:
        ConfigError: The port is taken, or not allowed.
    """

    daemon_threads = True

    def __init__(
        self, folder: Path, port: int = 0, headers: Mapping[str, str] | None = None
    ) -> None:
        self.said = {**(HEADERS if headers is None else headers), "Cache-Control": "no-cache"}
        try:
            super().__init__((HOST, port), partial(_Answer, directory=str(folder)))
        except (OSError, OverflowError) as error:
            raise ConfigError(
                f"--port {port} cannot be used ({error}); give another, or 0 for any that is free"
            ) from error

    @property
    def address(self) -> str:
        """What to open in a browser."""
        return f"http://{HOST}:{self.server_port}/"


class _Answer(SimpleHTTPRequestHandler):
    """One answer; says nothing on the terminal and lists no folder."""

    server: SiteServer
    # Some systems know neither, and a browser runs no module of another type.
    extensions_map = SimpleHTTPRequestHandler.extensions_map | {
        ".js": "text/javascript",
        ".mjs": "text/javascript",
        ".wasm": "application/wasm",
        ".json": "application/json",
        ".flac": "audio/flac",
    }

    def send_head(self) -> Any:  # noqa: ANN401 - a file, or nothing
        """Refuse who asks by another name: a page elsewhere whose name was pointed here."""
        name = self.headers.get("Host", "").rpartition(":")[0]
        if name not in OWN_NAMES:
            self.send_error(403, "ask by 127.0.0.1")
            return None
        return super().send_head()

    def list_directory(self, path: Any) -> None:  # noqa: ANN401, ARG002
        """Answer that there is nothing."""
        self.send_error(404)

    def end_headers(self) -> None:
        """Add what every answer says."""
        for name, value in self.server.said.items():
            self.send_header(name, value)
        super().end_headers()

    def log_message(self, *_: Any) -> None:  # noqa: ANN401
        """Say nothing."""


POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self' 'wasm-unsafe-eval'",
        "worker-src 'self'",
        "connect-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "media-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
    )
)
"""The Content-Security-Policy: scripts of the page's own folder, and no connection elsewhere."""

HEADERS = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
}
"""With these a browser isolates the page, without which it gives no memory to several threads."""
