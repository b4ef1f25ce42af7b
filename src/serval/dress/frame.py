"""The style sheet of all pages, and a page without scripts that wears it.

Classes of the style sheet that a page can use: `hero` (with `eyebrow`, `h1`, `sub`), `tiles` of
`tile`, `card`, `caveats`, `lead`, `scroll` around a `table class="grid"` whose cells of text have
the class `text`, `good` and `bad`.
"""

from __future__ import annotations

import base64
import hashlib
import html
import re
from importlib import resources

__all__ = ["STYLE", "source_hash", "static_page"]


def _bundled(name: str) -> str:
    return (resources.files("serval") / "dress" / name).read_text(encoding="utf-8")


STYLE = _bundled("page.css")


def source_hash(text: str) -> str:
    """Return how a Content-Security-Policy names the text of a script or style, unquoted."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def static_page(title: str, body: str) -> str:
    """Return a whole page without scripts, which fits a phone and is dark where people want it.

    Args:
        title: Plain text.
        body: HTML, in which whatever comes from outside is escaped already.
    """
    policy = (
        f"default-src 'none'; style-src '{source_hash(STYLE)}'; base-uri 'none'; form-action 'none'"
    )
    parts = {
        "policy": html.escape(policy),
        "title": html.escape(title),
        "style": STYLE,
        "body": body,
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], _bundled("frame.html"))
