"""Does a model hold outside the studio? Perturbed clips, and what they do to its answers."""

from __future__ import annotations

from serval.stress.examples import Example, examples_of
from serval.stress.findings import Findings, findings_of, write_stress
from serval.stress.runs import Cost, Stage, StressOptions, StressRuns, load_stress, stress_runs
from serval.stress.stress import stress
from serval.stress.suite import FULL, suite_of

__all__ = [
    "FULL",
    "Cost",
    "Example",
    "Findings",
    "Stage",
    "StressOptions",
    "StressRuns",
    "examples_of",
    "findings_of",
    "load_stress",
    "stress",
    "stress_runs",
    "suite_of",
    "write_stress",
]
