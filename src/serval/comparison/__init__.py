"""Stored runs on the same clips -> what differs, and whether it is more than chance."""

from __future__ import annotations

from serval.comparison.align import Partners, partners
from serval.comparison.compare import Against, Comparison, compare
from serval.comparison.files import write_comparison
from serval.comparison.pair import PairOptions
from serval.comparison.words import sentences

__all__ = [
    "Against",
    "Comparison",
    "PairOptions",
    "Partners",
    "compare",
    "partners",
    "sentences",
    "write_comparison",
]
