"""Stored runs on the same clips -> what differs, and whether it is more than chance."""

from __future__ import annotations

from serval.compare.comparison import Against, Comparison, compare
from serval.compare.files import write_comparison
from serval.compare.pair import PairOptions
from serval.compare.partners import Partners, partners
from serval.compare.words import sentences

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
