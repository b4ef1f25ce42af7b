"""Clips -> records on many machines: Ray Data, one actor for each worker, each with a session.

The driver sends positions, never audio: each worker opens the dataset itself and reads the clips
of the ranges that it is given. A range whose worker died is done again by another one. A clip
that was being worked on when its worker died, twice, becomes a Failure. (Extra: `ray`.)
"""

from __future__ import annotations

import logging
import os
import pickle
import socket
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from serval.datasets import DatasetOptions, load_dataset
from serval.errors import ConfigError, MissingExtraError, ServalError
from serval.machine import available_cores
from serval.models.load import load_as_stated
from serval.predict import Transform, failure_of, predict_clip
from serval.stopping import kept_hearing

if TYPE_CHECKING:
    from types import ModuleType

    from serval.labels import LabelMap
    from serval.models.options import InferenceOptions
    from serval.models.protocol import Model
    from serval.records import Clip, Dataset, Record

__all__ = ["Job", "cluster", "imported_ray", "ledger_on", "predict_on_ray"]

RANGE = 64
"""Clips in one range at most: what is done again when a worker dies."""

SHORTEST_RANGE = 8
"""Clips in one range at least: opening a set anew for fewer is not worth it."""

TURNS = 4
"""Ranges for each worker, where the clips suffice, so that all of them end at about one time."""

DEADLY = 2
"""Workers that a clip may take down before it is given up."""

Row = dict[str, Any]
Ask = Callable[..., list[int]]
"""`(method, *arguments)` -> the ledger's answer, wherever the ledger is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What a worker needs to open model and dataset for itself, on whatever machine it is.

    Attributes:
        model: Path of an .onnx file that exists on every machine, or a built-in name.
        model_sha256: Of the driver's file; a worker with another one stops.
        external: Files with external weights: name -> sha256 of the driver's.
        model_options: How it is opened, and what the user states about it.
        dataset: Name or path of the dataset, the same on every machine.
        fingerprint: Of the driver's dataset; a worker with another one stops.
        dataset_options: Which part of it.
        mapping: From the dataset's labels to the model's.
        transform: Changes each waveform before the model sees it; goes to the workers as it is.
    """

    model: str
    model_sha256: str
    external: Mapping[str, str]
    model_options: InferenceOptions
    dataset: str
    fingerprint: str
    dataset_options: DatasetOptions
    mapping: LabelMap
    transform: Transform | None = None


def predict_on_ray(
    job: Job, wanted: Iterator[int], *, workers: int | None = None, address: str | None = None
) -> Iterator[Record]:
    """Yield one record for each wanted clip, in order.

    Args:
        job: What the workers open.
        wanted: Positions in the dataset, rising.
        workers: Actors, one core each; by default one for each core of the cluster.
        address: `host:port` of a running cluster; by default a cluster on this machine.

    Raises:
        MissingExtraError: Ray is not installed.
        ConfigError: The cluster cannot be reached, or a worker sees another model or dataset.
    """
    with cluster(address) as ray:
        yield from _records_of(ray, job, list(wanted), workers)


@contextmanager
def cluster(address: str | None = None) -> Iterator[ModuleType]:
    """Return Ray, connected; runs within are all made on the one cluster, which costs seconds.

    Args:
        address: `host:port` of a running cluster; by default one is started on this machine.

    Raises:
        MissingExtraError: Ray is not installed.
        ConfigError: The cluster cannot be reached.
    """
    ray = imported_ray()
    ours = _connected(ray, address)
    try:
        yield ray
    finally:
        if ours:
            ray.shutdown()


class Ledger:
    """Remembers which clip each range is at, so that a clip that kills its worker is known."""

    def __init__(self) -> None:
        self.at: dict[int, int] = {}
        self.deaths: Counter[int] = Counter()

    def resume(self, first: int) -> list[int]:
        """Count a death for the clip that the range was at; return the clips to give up.

        A range that nobody has begun, or that was done, is at no clip.
        """
        index = self.at.pop(first, None)
        if index is not None:
            self.deaths[index] += 1
        return [index for index, times in self.deaths.items() if times >= DEADLY]

    def begin(self, first: int, index: int) -> list[int]:
        """Note that the range is at a clip from now on; return nothing."""
        self.at[first] = index
        return []

    def done(self, first: int) -> list[int]:
        """Note that the range is through; return nothing."""
        self.at.pop(first, None)
        return []


class Worker:
    """One actor: opens model and dataset once, then turns ranges of clips into records.

    What is wrong with them goes back as an answer, not as an exception: an actor that cannot be
    made would be made again and again.
    """

    def __init__(self, job: Job, ask: Ask) -> None:
        self.ask, self.job = ask, job
        self.opened: tuple[Model, Dataset] | ServalError
        try:
            self.opened = _opened(job)
        except ServalError as error:
            self.opened = error

    def __call__(self, batch: Mapping[str, Any]) -> Row:
        """Return the pickled records of the ranges in a batch, or the pickled error."""
        if isinstance(self.opened, ServalError):
            return {"pickled": [pickle.dumps(self.opened)]}
        ranges = [[int(i) for i in wanted] for wanted in batch["wanted"]]
        records = (record for r in ranges for record in self._records(*self.opened, r))
        return {"pickled": [pickle.dumps(record) for record in records]}

    def _records(self, model: Model, dataset: Dataset, wanted: list[int]) -> Iterator[Record]:
        first, chosen = wanted[0], set(wanted)
        deadly = set(self.ask("resume", first))
        for clip in dataset.clips(first, wanted[-1] + 1):
            if clip.index in deadly & chosen:
                reason = f"{DEADLY} workers died while they were at this clip"
                yield failure_of(self._labelled(clip), "worker", reason)
            elif clip.index in chosen:
                self.ask("begin", first, clip.index)
                yield predict_clip(model, self._labelled(clip), self.job.transform)
        self.ask("done", first)

    def _labelled(self, clip: Clip) -> Clip:
        label = self.job.mapping[clip.label] if clip.label else ""
        return replace(clip, label=label or "")


def _opened(job: Job) -> tuple[Model, Dataset]:
    model: Model = load_as_stated(job.model, job.model_options)
    external = model.facts.get("external", {})
    dataset = load_dataset(job.dataset, options=job.dataset_options)
    for what, mine, drivers in (
        (f"model {job.model}", model.facts["sha256"], job.model_sha256),
        *(
            (f"{name} beside model {job.model}", external.get(name, "missing"), drivers)
            for name, drivers in job.external.items()
        ),
        (f"dataset {job.dataset}", dataset.fingerprint, job.fingerprint),
    ):
        if mine != drivers:
            raise ConfigError(
                f"{what} on a worker is not the driver's ({mine[:12]}, not {drivers[:12]}); "
                "give every machine the same files"
            )
    return model, dataset


def imported_ray() -> ModuleType:
    """Return Ray's module, which in this process connects to a cluster only when told to.

    Ray reads that at its own import: where the caller has imported it before, it stays as it was.

    Raises:
        MissingExtraError: Ray is not installed.
    """
    # A thread of Ray Data that outlives a run by a moment would connect once more, by itself.
    os.environ.setdefault("RAY_ENABLE_AUTO_CONNECT", "0")
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise MissingExtraError(
            'the engine ray is not installed; pip install "serval-ser[ray]"'
        ) from error
    module: ModuleType = ray
    return module


def _connected(ray: ModuleType, address: str | None) -> bool:
    """Connect to a cluster, or start one here; return whether to disconnect at the end."""
    if ray.is_initialized():
        return False
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    # Its one complaint here, that an actor's arguments may be lost, is of no use to the reader.
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    where = {"address": address} if address else {"num_cpus": available_cores()}
    try:
        _refuse_silence(address)
        # Ray would end this process with code 1 where it is told to stop.
        with kept_hearing():
            ray.init(**({"address": "local"} | where), log_to_driver=False, logging_level="ERROR")
    except (OSError, RuntimeError, ValueError) as error:
        raise ConfigError(_unreachable(address, error)) from error
    return True


def _unreachable(address: str | None, error: Exception) -> str:
    reason = next(iter(str(error).splitlines()), type(error).__name__).rstrip(".")
    if address is None:
        return f"Ray cannot start a cluster on this machine: {reason}; use --engine local"
    return f"no Ray cluster at {address}: {reason}; start one with `ray start --head`"


def _refuse_silence(address: str | None) -> None:
    """Raise where nobody listens at `host:port`: Ray would end this process without a word."""
    host, _, port = (address or "").rpartition(":")
    if host and port.isdigit() and "/" not in host:
        socket.create_connection((host, int(port)), timeout=10).close()


def _range_size(clips: int, workers: int) -> int:
    """Return how many clips a range holds, so that every worker of a large cluster gets some.

    Examples:
        >>> _range_size(1_000_000, 64), _range_size(2_000, 32), _range_size(100, 64)
        (64, 15, 8)
    """
    return max(SHORTEST_RANGE, min(RANGE, clips // (TURNS * workers)))


def _ranges(wanted: Iterable[int], size: int = RANGE) -> Iterator[Row]:
    """Yield the positions in ranges, each short enough to be read in one go."""
    part: list[int] = []
    for index in wanted:
        if part and (len(part) == size or index - part[0] >= 4 * RANGE):
            yield {"wanted": part}
            part = []
        part.append(index)
    if part:
        yield {"wanted": part}


def _records_of(
    ray: ModuleType, job: Job, wanted: list[int], workers: int | None
) -> Iterator[Record]:
    if not wanted:
        return
    _hush()
    settings = ray.data.DataContext.get_current()
    settings.execution_options.preserve_order = True
    settings.enable_progress_bars = False
    actors = workers or int(ray.cluster_resources().get("CPU", 1))
    ranges = list(_ranges(wanted, _range_size(len(wanted), actors)))
    # Ray Data begins a dead actor, and what it was at, again without end; the ledger ends it.
    rows = ray.data.from_items(ranges, override_num_blocks=len(ranges)).map_batches(
        Worker,
        fn_constructor_kwargs={"job": job, "ask": ledger_on(ray)},
        batch_size=1,
        compute=ray.data.ActorPoolStrategy(size=min(actors, len(ranges))),
        num_cpus=1,
    )
    # Not `iter_rows`: it fetches in threads of its own, which live on when the reader stops early,
    # and end the process if they ask Ray for something once it is shut down.
    for bundle in rows.iter_internal_ref_bundles():
        for block in ray.get(list(bundle.block_refs)):
            yield from map(_record_of, block["pickled"].to_pylist())


def _record_of(pickled: bytes) -> Record:
    """Return what a worker sent.

    Raises:
        ServalError: That is what it sent.
    """
    answer: Record | ServalError = pickle.loads(pickled)
    if isinstance(answer, ServalError):
        raise answer
    return answer


def _hush() -> None:
    """Keep Ray Data's account of itself off the terminal; its log files still have it."""
    for handler in logging.getLogger("ray.data").handlers:
        if isinstance(handler, logging.StreamHandler):
            handler.addFilter(_is_trouble)


def _is_trouble(record: logging.LogRecord) -> bool:
    """Return whether a line is a warning, and not the one on progress bars that are off."""
    return record.levelno >= logging.WARNING and "rogress bars" not in str(record.msg)


def ledger_on(ray: ModuleType) -> Ask:
    """Return what asks a new ledger, kept on this machine: a node that leaves must not take it."""
    here = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(
        node_id=ray.get_runtime_context().get_node_id(), soft=False
    )
    ledger = ray.remote(Ledger).options(num_cpus=0, scheduling_strategy=here).remote()

    def ask(method: str, *arguments: int) -> list[int]:
        import ray

        answer: list[int] = ray.get(getattr(ledger, method).remote(*arguments))
        return answer

    return ask
