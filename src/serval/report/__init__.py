"""Pages for people: one self-contained HTML file to look and listen, and a model card."""

from __future__ import annotations

from serval.report.build import Page, write_report

__all__ = ["Page", "write_report"]
