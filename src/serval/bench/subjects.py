"""What is timed: a model file on ONNX Runtime, or a peer that runs the same classifier."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from serval.audio import Waveform
from serval.errors import ConfigError
from serval.models.builtin import model_path
from serval.models.onnx import OnnxModel, load_onnx

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from serval.models.contract import Overrides

__all__ = ["Call", "Subject", "call_of", "named", "noise", "open_subjects"]

Call = Callable[[Waveform], object]
"""`(T,) float32` -> whatever the classifier says; only the time is of interest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One model file, opened once for each number of threads.

    Attributes:
        name: Short and unique in the benchmark.
        models: Threads inside one operator -> the opened model.
    """

    name: str
    models: dict[int, OnnxModel]

    @property
    def any(self) -> OnnxModel:
        """One of the opened models, for what does not depend on threads."""
        return next(iter(self.models.values()))


def open_subjects(
    models: Sequence[str], threads: Sequence[int], overrides: Overrides
) -> tuple[Subject, ...]:
    """Return every model, opened with each number of threads.

    Raises:
        ModelError: A file cannot be opened, or breaks its contract.
        ConfigError: A model is named twice.
    """
    if len(set(models)) < len(models):
        raise ConfigError("a model is named twice; a benchmark of a model with itself is noise")
    opened = [
        {n: load_onnx(model_path(model), overrides, threads=n) for n in threads} for model in models
    ]
    names = named([next(iter(subject.values())).facts["name"] for subject in opened])
    return tuple(Subject(name=n, models=m) for n, m in zip(names, opened, strict=True))


def named(names: Sequence[str]) -> list[str]:
    """Return the names, with a number behind each that occurs more than once.

    Examples:
        >>> named(["model", "tiny", "model"])
        ['model', 'tiny', 'model#2']
    """
    return [
        name if name not in names[:i] else f"{name}#{names[:i].count(name) + 1}"
        for i, name in enumerate(names)
    ]


def call_of(model: OnnxModel) -> Call:
    """Return a function that runs the model on one waveform, normalisation included."""
    return partial(_run_alone, model)


def noise(seconds: float, sample_rate: int, seed: int = 0) -> Waveform:
    """Return a `(T,) float32` random walk in [-1, 1], never silent, the same for one seed."""
    rng = np.random.default_rng(seed)
    steps: NDArray[np.float64] = rng.normal(0, 1, round(seconds * sample_rate)).cumsum()
    steps -= np.linspace(steps[0], steps[-1], len(steps))
    return np.asarray(0.9 * steps / np.abs(steps).max(), dtype=np.float32)


def _run_alone(model: OnnxModel, samples: Waveform) -> object:
    return model.logits(samples[np.newaxis], np.array([len(samples)]))
