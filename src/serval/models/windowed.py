"""A model that hears a long clip in windows of one length, and answers with their mean."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from serval.audio.decode import LONGEST_S
from serval.errors import ConfigError
from serval.models.protocol import logits_alone
from serval.probabilities import logits_of_scores, probabilities_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from numpy.typing import NDArray

    from serval.audio import Waveform
    from serval.labels import LabelSet
    from serval.models.contract import Contract
    from serval.models.options import InferenceOptions
    from serval.models.protocol import Logits, Model

Mean = Literal["probabilities", "logits"]
MEANS: Mapping[str, Mean] = {"probabilities": "probabilities", "logits": "logits"}
SHORTEST_HOP_S = 0.01
"""An hour then is 360,000 windows, and nobody speaks faster."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """How long clips are cut.

    Attributes:
        seconds: Length of a window; a clip of at most this length is heard whole.
        hop_s: From the beginning of one to that of the next.
        mean: What is averaged over the windows.
    """

    seconds: float
    hop_s: float
    mean: Mean

    @property
    def facts(self) -> dict[str, Any]:
        """What a run must know of it, in plain JSON types."""
        return {"seconds": self.seconds, "hop_s": self.hop_s, "mean": self.mean}


@dataclass(frozen=True, slots=True, kw_only=True)
class Windowed:
    """A model that takes clips of any length; keeps the `Model` protocol.

    Attributes:
        model: Hears one window at a time, each as a clip of its own.
        window: How clips are cut.
    """

    model: Model
    window: Window

    @property
    def contract(self) -> Contract:
        """What the model expects of one window, and gives."""
        return self.model.contract

    @property
    def labels(self) -> LabelSet:
        """The K labels, in the order of the logits."""
        return self.model.labels

    @property
    def sample_rate(self) -> int:
        """The sample rate in Hz that `logits` expects."""
        return self.model.sample_rate

    @property
    def max_seconds(self) -> float:
        """The longest clip in seconds, whatever the model takes at once."""
        return LONGEST_S

    @property
    def facts(self) -> Mapping[str, Any]:
        """What a run must know: that of the model, and the window."""
        return {**self.model.facts, "window": self.window.facts}

    def logits(self, samples: NDArray[np.float32], lengths: NDArray[np.int64]) -> Logits:
        """Return `(B, K) float32`, the mean over the windows of each row; see `mean_of`."""
        clips = (row[:n] for row, n in zip(samples, lengths, strict=True))
        return np.stack([self.mean_of([self.one(cut) for _, cut in self.cut([c])]) for c in clips])

    def one(self, samples: Waveform) -> NDArray[np.float32]:
        """Return `(K,) float32` logits of one window."""
        return logits_alone(self.model, samples)

    def cut(self, blocks: Iterable[Waveform]) -> Iterator[tuple[int, Waveform]]:
        """Yield where each window of a waveform begins, in samples, and the window."""
        length = round(self.window.seconds * self.sample_rate)
        hop = max(1, round(self.window.hop_s * self.sample_rate))
        return in_windows(blocks, max(1, length), hop)

    def mean_of(self, windows: Iterable[NDArray[np.float32]]) -> NDArray[np.float32]:
        """Return `(K,) float32` logits of a clip of `(K,)` logits of its windows.

        Their mean, or those of the mean of their probabilities. What there is of one window alone
        stays as it is.
        """
        total, n, last = np.zeros(()), 0, np.zeros(0, dtype=np.float32)
        for last in windows:
            total = total + self._averaged(last)
            n += 1
        if n < 2:
            return last
        mean = np.asarray(total / n, dtype=np.float32)
        if self._as_given:
            return mean
        form = "sigmoid" if self.contract.outputs == "sigmoid" else "probabilities"
        return np.asarray(logits_of_scores(mean[np.newaxis], form)[0])

    @property
    def _as_given(self) -> bool:
        """Whether the mean is that of what is stored; values of dimensions have no other."""
        return self.window.mean == "logits" or self.contract.outputs == "values"

    def _averaged(self, logits: NDArray[np.float32]) -> NDArray[np.float64]:
        if self._as_given:
            return logits.astype(np.float64)
        return probabilities_of(logits, self.contract.outputs)


def windowed(model: Model, options: InferenceOptions) -> Model:
    """Return the model as the options say: with windows, or as it is."""
    if options.window is None:
        if options.hop is not None:
            raise ConfigError("--hop is the distance of windows; give --window SECONDS too")
        if options.window_mean != next(iter(MEANS)):
            raise ConfigError("--window-mean is about windows; give --window SECONDS too")
        return model
    seconds = options.window
    hop_s = seconds if options.hop is None else options.hop
    if options.window_mean not in MEANS:
        raise ConfigError(
            f"unknown --window-mean '{options.window_mean}'; known: {', '.join(MEANS)}"
        )
    _refuse_misfit(seconds, hop_s, _longest(model))
    window = Window(seconds=float(seconds), hop_s=float(hop_s), mean=MEANS[options.window_mean])
    return Windowed(model=model, window=window)


def in_windows(blocks: Iterable[Waveform], length: int, hop: int) -> Iterator[tuple[int, Waveform]]:
    """Yield where each window of a waveform begins, and its samples, holding little more than one.

    Windows begin every `hop` samples as long as they fit. Where the last of them ends before the
    waveform does, one more is the last `length` samples, so that nothing goes unheard and nothing
    is padded. A waveform of at most `length` samples is one window.

    Args:
        blocks: The waveform, in pieces.
        length: Of a window, in samples.
        hop: From one beginning to the next, from 1 to `length`.

    Examples:
        >>> ten = np.arange(10, dtype=np.float32)
        >>> [(start, len(cut)) for start, cut in in_windows([ten], 4, 4)]
        [(0, 4), (4, 4), (6, 4)]
        >>> [(start, len(cut)) for start, cut in in_windows([ten], 12, 4)]
        [(0, 10)]
    """
    held, waiting, first, start, n = np.zeros(0, dtype=np.float32), list[Any](), 0, 0, 0
    for block in blocks:
        waiting.append(block)
        n += len(block)
        if n < start + length:
            continue
        held, waiting = np.concatenate([held, *waiting]), []
        while start + length <= n:
            yield start, held[start - first : start - first + length]
            start += hop
        kept = max(first, min(start, n - length))
        held, first = held[kept - first :].copy(), kept
    held = np.concatenate([held, *waiting])
    begin = max(0, n - length)
    if n and (start == 0 or start - hop < begin):
        yield begin, held[begin - first :]


def _longest(model: Model) -> float:
    """Return how many seconds the model hears at once."""
    fixed = model.contract.static_samples
    return model.max_seconds if fixed is None else min(model.max_seconds, fixed / model.sample_rate)


def _refuse_misfit(seconds: float, hop_s: float, longest: float) -> None:
    if not 0 < seconds < math.inf:
        raise ConfigError(f"--window is {seconds:g}; give seconds above 0")
    if seconds > longest:
        raise ConfigError(
            f"--window is {seconds:g} s, but the model hears {longest:g} s at once; give no more"
        )
    if not min(SHORTEST_HOP_S, seconds) <= hop_s <= seconds:
        raise ConfigError(
            f"--hop is {hop_s:g} s; give from {SHORTEST_HOP_S:g} s to the --window of {seconds:g} "
            "s, or sound would go unheard between windows"
        )
