"""What is timed, on ONNX Runtime or another, and what a reader must know of the machine."""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from serval.errors import ConfigError
from serval.files import is_file, is_folder
from serval.machine import instruction_sets, platform_facts
from serval.models.callable import PREFIX, absolute
from serval.models.load import RUNTIMES, Runtime, load_model
from serval.wording import printable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from serval.audio import Waveform
    from serval.models.classifier import Classifier
    from serval.models.contract import Overrides
    from serval.models.protocol import Backend

SCOPES = {
    "latency": "model only: normalisation and the model, one clip at a time, no padding",
    "throughput": "end to end: read from memory, decode, resample, model, softmax, record",
    "loading": "a fresh process: open, verify the contract, answer once",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One model file, opened once for each number of threads.

    Attributes:
        name: Short and unique in the benchmark.
        models: Threads inside one operator -> the opened model.
        source: What the model was named by.
        runtime: What runs it; `auto` where nobody asked for one.
    """

    name: str
    source: str
    runtime: str = "auto"
    models: dict[int, Classifier[Backend]]

    @property
    def any(self) -> Classifier[Backend]:
        """One of the opened models, for what does not depend on threads."""
        return next(iter(self.models.values()))


def open_subjects(
    models: Sequence[str],
    threads: Sequence[int],
    overrides: Overrides,
    runtimes: Sequence[str] = (),
) -> tuple[Subject, ...]:
    """Return every model, opened with each number of threads, and the first on other runtimes.

    Raises:
        ConfigError: A model is named twice, or there is no such runtime.
    """
    if len({model_key(model) for model in models}) < len(models):
        raise ConfigError("a model is named twice; a benchmark of a model with itself is noise")
    opened = [{n: load_model(model, overrides, threads=n) for n in threads} for model in models]
    names = named([next(iter(subject.values())).facts["name"] for subject in opened])
    rows = zip(names, models, opened, strict=True)
    first = models[0]
    return (
        *(Subject(name=name, source=source, models=each) for name, source, each in rows),
        *(
            Subject(
                name=runtime,
                source=first,
                runtime=runtime,
                models={n: open_reference(runtime, first, overrides, n) for n in threads},
            )
            for runtime in runtimes
        ),
    )


def model_key(name: str) -> str:
    """Return what two names of one model have in common: the place of a file, else the name."""
    if name.startswith(PREFIX):
        return os.path.realpath(absolute(name).removeprefix(PREFIX))
    return os.path.realpath(name) if is_file(name) or is_folder(name) else name


def other_runtimes(named: Sequence[str]) -> tuple[str, ...]:
    """Return those of the named runtimes that run a model file, each once.

    Raises:
        ConfigError: One of them is no runtime for model files, or the usual one.
    """
    files = [name for name, known in _others().items() if not known.takes_folder]
    for name in named:
        if name not in files:
            raise ConfigError(f"unknown --runtime '{printable(name)}'; known: {', '.join(files)}")
    return tuple(dict.fromkeys(named))


def _others() -> dict[str, Runtime]:
    return {name: one for name, one in RUNTIMES.items() if not one.prefix and name != "onnxruntime"}


def open_reference(
    named: str, model: str, overrides: Overrides, threads: int
) -> Classifier[Backend]:
    """Return the classifier on another runtime with that many threads.

    `openvino` runs the model file too; `torch:FOLDER` is the checkpoint that it was exported from.

    Raises:
        ConfigError: There is no such runtime, or it needs a checkpoint folder.
    """
    runtime, _, folder = named.partition(":")
    others = _others()
    fits = runtime in others and others[runtime].takes_folder == bool(folder)
    if not fits or (folder and not Path(folder).is_dir()):
        names = [f"{name}:FOLDER" if known.takes_folder else name for name, known in others.items()]
        raise ConfigError(
            f"unknown runtime '{named}'; known: {', '.join(names)}, with the folder of an existing "
            "checkpoint"
        )
    return load_model(folder or model, overrides, threads=threads, runtime=runtime)


def runtime_packages(runtimes: Sequence[str]) -> tuple[str, ...]:
    """Return the packages whose versions a reader must know.

    Examples:
        >>> runtime_packages(["torch:wav2vec2", "openvino"])
        ('torch', 'transformers', 'openvino')
    """
    kinds = (name.partition(":")[0] for name in runtimes)
    return tuple(name for kind in kinds if kind in RUNTIMES for name in RUNTIMES[kind].packages)


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


def noise(seconds: float, sample_rate: int, seed: int = 0) -> Waveform:
    """Return a `(T,) float32` random walk in [-1, 1], never silent, the same for one seed."""
    rng = np.random.default_rng(seed)
    steps: NDArray[np.float64] = rng.normal(0, 1, round(seconds * sample_rate)).cumsum()
    steps -= np.linspace(steps[0], steps[-1], len(steps))
    return np.asarray(0.9 * steps / np.abs(steps).max(), dtype=np.float32)


def disclosure(warm_up_rounds: Mapping[str, int], runtimes: Sequence[str]) -> dict[str, Any]:
    """Return processor, instruction sets, cores, versions, provider, batch, warm-up and scopes.

    `warm_up_rounds` has, by what was measured, the rounds before it whose times were thrown away.
    """
    facts = platform_facts()
    packages = {name: metadata.version(name) for name in runtime_packages(runtimes)}
    return facts | {
        "packages": facts["packages"] | packages,
        "instruction_sets": list(instruction_sets()),
        "provider": "CPUExecutionProvider",
        "batch": 1,
        "warm_up_rounds": dict(warm_up_rounds),
        "order": "all models in every round, the order turning by one place a round",
        "scopes": SCOPES,
    }


def load_average() -> float | None:
    """Return how many processes wanted a core in the last minute, or `None` where unknown."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None
