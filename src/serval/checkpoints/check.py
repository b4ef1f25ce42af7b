"""Whether a head was trained: by its weights, and by what the network answers to unlike sounds.

The names of the weights are checked when a checkpoint is opened. A head that was saved before it
was trained has all of its names, and still the numbers that its initialiser drew.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from serval.checkpoints.config import why
from serval.checkpoints.network import network_of
from serval.errors import ModelError
from serval.labels import nameless
from serval.wording import counted, percent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from serval.checkpoints.checkpoint import Checkpoint

DRAWN = 0.01
"""p of a Kolmogorov-Smirnov test above which weights pass for those of their initialiser."""
USUAL_DEVIATION = 0.02
MOST_TESTED = 20_000
"""Weights of a layer that the test looks at: enough to see a change of a few percent."""
HARDLY = 0.01
"""Change of a probability between unlike sounds that no trained head stays below."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadCheck:
    """What is known of a head.

    Attributes:
        head: Its layers in words.
        fresh: Why it looks as its initialiser left it; empty where it does not.
        spread: Largest change in [0, 1] of any probability (of dimensions: of any value) between
            noise, silence and a voice-like sound.
        doubts: One sentence each on what else speaks against it.
    """

    head: str
    fresh: str
    spread: float
    doubts: tuple[str, ...]

    @property
    def verdict(self) -> str:
        """`trained`, `untrained` or `doubtful`."""
        if self.fresh:
            return "untrained"
        return "doubtful" if self.doubts else "trained"

    @property
    def facts(self) -> dict[str, Any]:
        """The check in plain JSON types."""
        return {**asdict(self), "doubts": list(self.doubts), "verdict": self.verdict}


def head_check(checkpoint: Checkpoint) -> HeadCheck:
    """Return what weights and answers say of the head of an opened checkpoint."""
    spread = _spread(checkpoint)
    return HeadCheck(
        head=checkpoint.head,
        fresh=_fresh(checkpoint),
        spread=round(spread, 4),
        doubts=tuple(_doubts(checkpoint, spread)),
    )


def refuse_fresh(check: HeadCheck, name: str) -> None:
    """Refuse a head that looks as its initialiser left it."""
    if check.fresh:
        raise ModelError(
            f"checkpoint '{name}': its head was never trained ({check.fresh}), so its answers are "
            "those of chance; train it, or take the checkpoint that was saved after the training"
        )


def _fresh(checkpoint: Checkpoint) -> str:
    """Return why the last layer of the head looks untrained, or `""`."""
    name = checkpoint.head_layers[-1]
    last = checkpoint.model.get_submodule(name)
    if not isinstance(last, nn.Linear):
        return ""
    weight = last.weight.detach().double().flatten().numpy()
    bias = None if last.bias is None else last.bias.detach().double().numpy()
    deviation = getattr(checkpoint.model.config, "initializer_range", USUAL_DEVIATION)
    if bias is not None and not bias.any() and _drawn(weight, "norm", (0, deviation)):
        return f"all biases of {name} are 0 and its weights are normal with deviation {deviation:g}"
    limit = last.in_features**-0.5
    within = max(np.abs(weight).max(), 0 if bias is None else np.abs(bias).max()) <= limit
    if within and _drawn(weight, "uniform", (-limit, 2 * limit)):
        return f"the weights of {name} are uniform between -{limit:.3g} and {limit:.3g}"
    return ""


def _drawn(weights: NDArray[np.float64], distribution: str, shape: tuple[float, float]) -> bool:
    """Tell whether weights pass for a sample of a distribution that initialisers draw from."""
    from scipy.stats import kstest  # a second to load, which opening alone need not wait for

    if len(weights) > MOST_TESTED:
        weights = np.random.default_rng(0).choice(weights, MOST_TESTED, replace=False)
    return bool(kstest(weights, distribution, args=shape).pvalue > DRAWN)


def _doubts(checkpoint: Checkpoint, spread: float) -> Iterator[str]:
    if spread < HARDLY:
        what = "probabilities" if checkpoint.task.has_labels else "values"
        yield (
            f"Its {what} hardly change between noise, silence and a voice (by at most "
            f"{percent(spread)}), which is the mark of a head that was not trained."
        )
    if without := nameless(checkpoint.labels):
        shown = ", ".join(without[:2]) + (", ..." if len(without) > 2 else "")
        of = counted(len(checkpoint.labels), "label")
        yield (
            f"{len(without)} of its {of} {'has no name' if len(without) == 1 else 'have no names'} "
            f"({shown}): state all in the order of the outputs, with --labels."
        )


def _spread(checkpoint: Checkpoint) -> float:
    try:
        scores = _scores(checkpoint)
    except Exception as error:  # torch raises whatever an odd entry makes it stumble over
        raise ModelError(
            f"checkpoint '{checkpoint.source}': tried on a second of sound, it fails: {why(error)}"
        ) from error
    finite = scores.isfinite().all(dim=1)
    if not finite[0]:
        raise ModelError(
            f"checkpoint '{checkpoint.source}': tried on a second of noise, the model answered "
            "with NaN or infinite scores; its weights are damaged, or its training diverged: take "
            "an earlier checkpoint"
        )
    scores = scores[finite]
    if checkpoint.task.excludes:
        scores = scores.softmax(dim=1)
    return float((scores.amax(dim=0) - scores.amin(dim=0)).max())


def _scores(checkpoint: Checkpoint) -> torch.Tensor:
    network = network_of(checkpoint)
    with torch.inference_mode():
        return torch.cat([network(_prepared(checkpoint, s)) for s in _sounds(checkpoint)])


def _prepared(checkpoint: Checkpoint, samples: NDArray[np.float64]) -> torch.Tensor:
    if checkpoint.normalize == "zscore":
        samples = (samples - samples.mean()) / np.sqrt(samples.var() + 1e-7)
    return torch.from_numpy(samples.astype(np.float32))[None]


def _sounds(checkpoint: Checkpoint) -> Iterator[NDArray[np.float64]]:
    """Yield a second of noise, of silence, and of a voice-like buzz in syllables."""
    n = int(checkpoint.sample_rate * min(1.0, checkpoint.max_seconds or 1.0))
    t = np.arange(n) / checkpoint.sample_rate
    yield np.random.default_rng(0).normal(0, 0.1, n)
    yield np.zeros(n)
    pitch = 2 * np.pi * np.cumsum(140 * (1 + 0.2 * np.sin(2 * np.pi * 2 * t))) / (n / t[-1])
    buzz = sum(np.sin(k * pitch) / k for k in range(1, 20))
    yield 0.3 * np.asarray(buzz) * np.sin(2 * np.pi * 2 * t) ** 2
