"""Bounds that a run must keep -> passed or not, for CI."""

from __future__ import annotations

from serval.gate.bounds import Bounds, bounds_from_options, bounds_from_toml
from serval.gate.gate import Check, GateResult, gate, junit_xml

__all__ = [
    "Bounds",
    "Check",
    "GateResult",
    "bounds_from_options",
    "bounds_from_toml",
    "gate",
    "junit_xml",
]
