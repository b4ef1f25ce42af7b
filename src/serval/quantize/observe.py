"""What calibration clips make of the tensors inside a graph, kept for a while where they fit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from onnx import helper

from serval.models.backend import feeds_of
from serval.models.onnx import open_session
from serval.quantize.graph import write_graph
from serval.quantize.rounding import BINS, Histogram, QuantParams

if TYPE_CHECKING:
    from pathlib import Path

    import onnx
    from numpy.typing import NDArray

    from serval.audio import Waveform
    from serval.models.onnx import OnnxModel

Tensors = Mapping[str, "NDArray[np.float32]"]

MOST_BYTES = 512 * 2**20
"""Of tensors that are kept: 64 clips of a model of 8 million parameters."""


@dataclass(slots=True, kw_only=True)
class Seen:
    """The tensors of the graph that was run last, of as many clips as fit.

    A graph is looked at several times: for bounds, then for histograms between them, then for the
    error of each rounding. To run it again costs more than all of these.

    Attributes:
        graph: Which it is, the very object; nobody changes a graph that was observed.
        names: Of the tensors that are kept.
        clips: The tensors of a clip, by its place.
        left: Bytes that may still be kept.
    """

    graph: onnx.ModelProto | None = None
    names: frozenset[str] = frozenset()
    clips: dict[int, Tensors] = field(default_factory=dict)
    left: int = 0

    def turn_to(self, graph: onnx.ModelProto, names: Iterable[str]) -> None:
        """Forget everything, unless it is of this graph and has these tensors."""
        if graph is not self.graph or not self.names.issuperset(names):
            self.graph, self.names = graph, frozenset(names)
            self.clips, self.left = {}, MOST_BYTES

    def keep(self, place: int, tensors: Tensors) -> None:
        """Keep the tensors of a clip, if they fit."""
        size = sum(values.nbytes for values in tensors.values())
        if size <= self.left:
            self.clips[place] = tensors
            self.left -= size


@dataclass(frozen=True, slots=True, kw_only=True)
class Observer:
    """Runs calibration clips through graphs of one model.

    Attributes:
        model: The FP32 model, for its contract.
        waveforms: The clips.
        folder: Where a graph may be written for a while.
        workers: Clips at once.
        seen: What was observed before.
    """

    model: OnnxModel
    waveforms: tuple[Waveform, ...]
    folder: Path
    workers: int = 1
    seen: Seen = field(default_factory=Seen)

    def tensors(self, graph: onnx.ModelProto, names: list[str]) -> Iterator[Tensors]:
        """Yield the tensors of those names for each clip, in the order of the clips.

        No names, no runs: ONNX Runtime takes an empty list to mean every output.
        """
        if not names:
            return
        self.seen.turn_to(graph, names)
        places = range(len(self.waveforms))
        new = [place for place in places if place not in self.seen.clips]
        ran = self._run(graph, names, new)
        for place in places:
            known = self.seen.clips.get(place)
            tensors = next(ran) if known is None else known
            if known is None:
                self.seen.keep(place, tensors)
            yield {name: tensors[name] for name in names}

    def _run(
        self, graph: onnx.ModelProto, names: list[str], places: list[int]
    ) -> Iterator[Tensors]:
        """Yield the tensors of the clips at some places, `workers` of them at once."""
        if not places:
            return
        session = open_session(_write_opened(graph, names, self.folder / "observed.onnx"))

        def run(place: int) -> Tensors:
            feeds = feeds_of(self.model, self.waveforms[place])
            return dict(zip(names, session.run(names, feeds), strict=True))

        with ThreadPoolExecutor(self.workers) as pool:
            for start in range(0, len(places), self.workers):
                yield from pool.map(run, places[start : start + self.workers])


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelBounds:
    """Smallest and largest value of each of the C channels of a tensor, `(C,) float32`."""

    low: NDArray[np.float32]
    high: NDArray[np.float32]

    @property
    def peak(self) -> NDArray[np.float32]:
        """Largest magnitude of each channel."""
        return np.maximum(np.abs(self.low), np.abs(self.high))


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """Mean of each channel of a tensor, exact and rounded to 8 bits, `(C,) float64`."""

    exact: NDArray[np.float64]
    rounded: NDArray[np.float64]


def channel_bounds(
    observer: Observer, graph: onnx.ModelProto, axes: Mapping[str, int]
) -> dict[str, ChannelBounds]:
    """Return the bounds of each tensor in `axes`, which says where its channels are."""
    found: dict[str, ChannelBounds] = {}
    for tensors in observer.tensors(graph, list(axes)):
        for name, values in tensors.items():
            flat = _by_channel(values, axes[name])
            low, high = flat.min(axis=0), flat.max(axis=0)
            if name in found:
                low = np.minimum(low, found[name].low)
                high = np.maximum(high, found[name].high)
            found[name] = ChannelBounds(low=low, high=high)
    return found


def histograms(
    observer: Observer, graph: onnx.ModelProto, bounds: Mapping[str, ChannelBounds]
) -> dict[str, Histogram]:
    """Return the histogram of each tensor between its known bounds."""
    ends = {
        name: (min(0.0, float(seen.low.min())), max(0.0, float(seen.high.max())))
        for name, seen in bounds.items()
    }
    counts = {name: np.zeros(BINS, dtype=np.int64) for name in bounds}
    for tensors in observer.tensors(graph, list(bounds)):
        for name, values in tensors.items():
            counts[name] += np.histogram(values, bins=BINS, range=ends[name])[0]
    return {
        name: Histogram(low=low, high=high, counts=counts[name])
        for name, (low, high) in ends.items()
    }


def rounding_means(
    observer: Observer,
    graph: onnx.ModelProto,
    axes: Mapping[str, int],
    params: Mapping[str, QuantParams],
) -> dict[str, Means]:
    """Return the mean of each tensor in `axes`, as it is and rounded to 8 bits."""
    sums: dict[str, Any] = {name: np.zeros(1) for name in axes}
    rounded: dict[str, Any] = dict(sums)
    values_seen = dict.fromkeys(axes, 0)
    for tensors in observer.tensors(graph, list(axes)):
        for name, values in tensors.items():
            flat = _by_channel(values, axes[name])
            known = params.get(name)
            sums[name] = sums[name] + flat.sum(axis=0, dtype=np.float64)
            kept = known.rounded(flat) if known else flat
            rounded[name] = rounded[name] + kept.sum(axis=0, dtype=np.float64)
            values_seen[name] += len(flat)
    return {
        name: Means(exact=sums[name] / total, rounded=rounded[name] / total)
        for name, total in values_seen.items()
    }


def _write_opened(graph: onnx.ModelProto, names: list[str], path: Path) -> Path:
    """Return `path` after writing the graph there with those tensors as further outputs.

    The graph itself is opened for the moment and closed again: a copy could be gigabytes.
    """
    outputs = graph.graph.output
    before = len(outputs)
    known = {output.name for output in outputs}
    outputs.extend(helper.make_empty_tensor_value_info(n) for n in names if n not in known)
    try:
        return write_graph(graph, path)
    finally:
        del outputs[before:]


def _by_channel(values: NDArray[np.float32], axis: int) -> NDArray[np.float32]:
    """Return `(everything else, C)`."""
    return np.moveaxis(values, axis, -1).reshape(-1, values.shape[axis])
