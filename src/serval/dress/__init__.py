"""How every HTML page looks and is put together: one style sheet, templates, bundled text.

Classes of the style sheet that a page can use: `hero` (with `eyebrow`, `h1`, `sub`), `tiles` of
`tile`, `card`, `caveats`, `lead`, `scroll` around a `table class="grid"` whose cells of text have
the class `text`, `good` and `bad`.
"""

from __future__ import annotations

import base64
import hashlib
import re
from importlib import resources
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["STYLE", "bundled", "filled", "source_hash"]

PLACE = re.compile(r"\{\{(\w+)\}\}")


def bundled(*place: str) -> str:
    """Return the text of a file that comes with the package, by its folders and its name."""
    return resources.files("serval").joinpath(*place).read_text(encoding="utf-8")


STYLE = bundled("dress", "page.css")


def filled(template: str, parts: Mapping[str, str]) -> str:
    """Return a template with a part, as markup, in place of each `{{name}}`; none is filled twice.

    Raises:
        KeyError: A part is missing.
    """
    return PLACE.sub(lambda found: parts[found[1]], template)


def source_hash(text: str) -> str:
    """Return how a Content-Security-Policy names the text of a script or style, unquoted."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
