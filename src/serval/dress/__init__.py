"""How every HTML page looks: one style sheet, and a frame for pages that have no scripts."""

from __future__ import annotations

from serval.dress.frame import STYLE, source_hash, static_page

__all__ = ["STYLE", "source_hash", "static_page"]
