"""What an encoder costs up to one of its levels: parameters, size, and time for three seconds."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from serval.inspection.graph import stored_graph
from serval.probe.encoder import part_of
from serval.wording import three_digits

if TYPE_CHECKING:
    from serval.models.classifier import Classifier
    from serval.probe.encoder import Encoder, HeadInput

__all__ = ["COSTS", "EncoderCost", "cost_cells", "cost_of"]

COSTS = ("parameters", "MB", "ms")
"""What tables call the three."""

CLIP_S = 3.0
UNTIMED, TIMED = 2, 9


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderCost:
    """What it takes to turn a clip into the features of a head.

    Attributes:
        parameters: Numbers in the weights, as `serval inspect` counts them.
        size_mb: Of the file or the checkpoint, in 10^6 bytes.
        ms: Median wall time of a clip of three seconds, on one thread of this machine.
    """

    parameters: int
    size_mb: float
    ms: float


def cost_of(encoder: Encoder, of: HeadInput) -> EncoderCost:
    """Return what an encoder costs up to a level, or up to the last of those that are summed.

    Of an ONNX file only the part that makes the level counts; torch runs an encoder to its end.
    """
    if encoder.parameters:
        size = encoder.model.size_bytes / 1e6
        return EncoderCost(parameters=encoder.parameters, size_mb=size, ms=_ms(encoder.model))
    with tempfile.TemporaryDirectory(prefix="serval-") as folder:
        path = Path(folder) / "part.onnx"
        model = part_of(encoder.whole(), of.levels, encoder.pooling, encoder.contract, path)
        return EncoderCost(
            parameters=stored_graph(path).parameters, size_mb=model.size_bytes / 1e6, ms=_ms(model)
        )


def cost_cells(cost: EncoderCost | None) -> list[str]:
    """Return parameters, megabytes and milliseconds as people read them; nothing of no cost."""
    if cost is None:
        return [""] * len(COSTS)
    return [f"{cost.parameters:,}", three_digits(cost.size_mb), three_digits(cost.ms)]


def _ms(model: Classifier[Any]) -> float:
    """Return the median wall time of the model's call on three seconds of noise."""
    n = round(min(CLIP_S, model.max_seconds) * model.sample_rate)
    noise = np.random.default_rng(0).normal(0, 0.1, (1, n)).astype(np.float32)
    times = []
    for _ in range(UNTIMED + TIMED):
        start = time.perf_counter()
        model.logits(noise, np.array([n]))
        times.append(time.perf_counter() - start)
    return 1000 * float(np.median(times[UNTIMED:]))
