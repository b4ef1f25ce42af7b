"""How good the features of a speech encoder are: small heads on them, cross-validated by speaker.

The features of a clip are computed once; heads are trained by scikit-learn (extra: probe).
"""

from serval.probe.cost import COSTS, EncoderCost, cost_cells
from serval.probe.probe import (
    HEADS,
    POOLINGS,
    CrossValidated,
    LayerProbe,
    Probe,
    ProbeOptions,
    probe,
    probe_verdict,
)

__all__ = [
    "COSTS",
    "HEADS",
    "POOLINGS",
    "CrossValidated",
    "EncoderCost",
    "LayerProbe",
    "Probe",
    "ProbeOptions",
    "cost_cells",
    "probe",
    "probe_verdict",
]
