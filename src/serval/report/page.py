"""One HTML file that needs nothing else: scripts, styles, numbers and sounds are in it.

Whatever comes from a dataset goes into a JSON block, in which `<` is written as an escape, and is
put on the page as text. The Content-Security-Policy allows the page's own scripts and styles by
their hashes, no others, and no connection to anywhere.
"""

from __future__ import annotations

import html
import json
from typing import TYPE_CHECKING, Any

from serval.dress import STYLE, bundled, filled, source_hash

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SCRIPTS = (
    "dom",
    "theme",
    "clips",
    "address",
    "sideways",
    "matrix",
    "player",
    "explorer",
    "emotions",
    "sets",
    "values",
    "charts",
    "figure",
    "examples",
    "start",
)

PLOT_STYLE = "sha256-jSYQUrW7J0b3jPqhZP9C2Xh1PyJKHKXd4s0fpGGKrww="
"""Of the style that Observable Plot 0.6.17 puts into each chart."""


def page_html(content: Mapping[str, Any], sounds: Sequence[Mapping[str, Any]]) -> str:
    """Return the page.

    Args:
        content: What the page shows, in plain JSON types.
        sounds: For each sound its `src`, `outline` and `mel`.
    """
    scripts = {
        "d3": bundled("report", "vendor", "d3.min.js"),
        "plot": bundled("report", "vendor", "plot.umd.min.js"),
        "script": _script(),
    }
    beside = any(not sound["src"].startswith("data:") for sound in sounds)
    parts = {
        "policy": html.escape(_policy(list(scripts.values()), beside=beside)),
        "version": html.escape(content["version"]),
        "title": html.escape(content["title"]),
        "verdict": html.escape(content["verdict"]),
        "style": STYLE,
        "content": _json_block(content),
        "sounds": _json_block(sounds),
        **scripts,
    }
    return filled(bundled("report", "assets", "page.html"), parts)


def _script() -> str:
    parts = (bundled("report", "assets", f"{name}.js") for name in SCRIPTS)
    return '(() => {\n"use strict";\n' + "\n".join(parts) + "})();"


def _policy(scripts: Sequence[str], *, beside: bool) -> str:
    allowed = " ".join(f"'{source_hash(script)}'" for script in scripts)
    media = "data: 'self' file:" if beside else "data:"
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src {allowed}",
            f"style-src '{source_hash(STYLE)}' '{PLOT_STYLE}'",
            "img-src data:",
            f"media-src {media}",
            "base-uri 'none'",
            "form-action 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        )
    )


def _json_block(value: object) -> str:
    """Return JSON that cannot end the element it stands in, nor open another."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text
