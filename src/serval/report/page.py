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
    from collections.abc import Iterable, Mapping, Sequence

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

FOOT = "Made by serval. This page holds everything it shows and asks no network."
BESIDE = " 'self' file:"
NO_SCRIPT = "The charts and clips of this page need JavaScript, which runs from this file alone."


def page_html(content: Mapping[str, Any], sounds: Sequence[Mapping[str, Any]]) -> str:
    """Return the page.

    Args:
        content: What the page shows, in plain JSON types.
        sounds: For each sound its `src`, `outline` and `mel`.
    """
    libraries = (bundled("report", "vendor", f"{name}.min.js") for name in ("d3", "plot.umd"))
    beside = any(not sound["src"].startswith("data:") for sound in sounds)
    verdict = html.escape(content["verdict"])
    parts = {
        "version": html.escape(content["version"]),
        "title": html.escape(content["title"]),
        "skip": '<a class="skip" href="#clips">Skip to the clips</a>',
        "navigation": "",
        "main": f'<noscript><p class="card">{verdict} {NO_SCRIPT}</p></noscript>',
        "foot": "",
    }
    blocks = {"content": content, "sounds": sounds}
    return framed(
        parts,
        (*libraries, script_of(SCRIPTS)),
        f"style-src '{source_hash(STYLE)}' '{PLOT_STYLE}'",
        "img-src data:",
        f"media-src data:{BESIDE * beside}",
        data="".join(f'<script type="application/json" id="{name}">{_json_block(value)}</script>\n'
                     for name, value in blocks.items()),
    )  # fmt: skip


def framed(
    parts: Mapping[str, str],
    scripts: Iterable[str],
    *allowed: str,
    style: str = STYLE,
    data: str = "",
) -> str:
    """Return a page of its parts, as markup, in which nothing but its own scripts can run.

    Args:
        parts: `version`, `title`, `skip`, `navigation`, `main` and `foot`.
        scripts: What stands behind it, in this order.
        allowed: What the Content-Security-Policy allows beside these.
        style: Its style sheet.
        data: What the scripts read, as markup.
    """
    behind = list(scripts)
    policy = (
        "default-src 'none'",
        " ".join(("script-src", *(f"'{source_hash(script)}'" for script in behind))),
        *allowed,
        *("base-uri 'none'", "form-action 'none'"),
        *("require-trusted-types-for 'script'", "trusted-types 'none'"),
    )
    own = {
        "policy": html.escape("; ".join(policy)),
        "style": style,
        "behind": data + "\n".join(f"<script>{script}</script>" for script in behind),
    }
    return filled(bundled("report", "assets", "page.html"), {**parts, **own})


def script_of(names: Iterable[str]) -> str:
    """Return some of the page's own scripts as one, which sees nothing of other scripts."""
    parts = (bundled("report", "assets", f"{name}.js") for name in names)
    return '(() => {\n"use strict";\n' + "\n".join(parts) + "})();"


def _json_block(value: object) -> str:
    """Return JSON that cannot end the element it stands in, nor open another."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text
