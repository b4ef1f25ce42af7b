"""Does a model hold outside the studio? Perturbed clips, and what they do to its answers."""

from __future__ import annotations

from serval.stress.stress import (
    FULL,
    Cost,
    Example,
    Findings,
    Stage,
    StressFiles,
    StressOptions,
    StressRuns,
    examples_of,
    findings_of,
    load_stress,
    stress,
    stress_document,
    stress_runs,
    suite_of,
    write_stress,
)

__all__ = [
    "FULL",
    "Cost",
    "Example",
    "Findings",
    "Stage",
    "StressFiles",
    "StressOptions",
    "StressRuns",
    "examples_of",
    "findings_of",
    "load_stress",
    "stress",
    "stress_document",
    "stress_runs",
    "suite_of",
    "write_stress",
]
