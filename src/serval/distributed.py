"""Clips -> records on many machines: Ray actors, one for each worker, each with a session.

The driver sends positions, never audio: each worker opens the dataset itself and reads the clips
of the ranges that it is given. A range whose worker died is done again by others, in halves, until
the clip is alone that takes workers down; that one becomes a Failure. (Extra: `ray`.)
"""

from __future__ import annotations

import os
import socket
from array import array
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from serval.datasets import DatasetOptions, load_dataset
from serval.errors import ConfigError, MissingExtraError, ServalError
from serval.label_plan import with_truth
from serval.machine import available_cores
from serval.models.load import load_as_stated
from serval.predict import Transform, failure_of, predict_clip
from serval.stopping import kept_hearing, stop_if_asked

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
    from types import ModuleType

    from serval.label_plan import Mapped
    from serval.models.options import InferenceOptions
    from serval.models.protocol import Model
    from serval.records import Clip, Dataset, Record

LONGEST_RANGE = 64
"""Clips in one range at most: what is done again when a worker dies."""

SHORTEST_RANGE = 8
"""Clips in one range at least: opening a set anew for fewer is not worth it."""

TURNS = 4
"""Ranges for each worker, where the clips suffice, so that all of them end at about one time; and
how many done ranges of each may wait for an earlier one."""

DEADLY = 2
"""Workers that a clip may take down before it is given up."""

MOST_STILLBORN = 3
"""Workers in a row that may die before they have opened model and dataset."""

POLL_S = 1.0
"""Seconds after which a wait looks whether this process was told to stop."""


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
        opens: Opens the model; goes to the workers by its name, as `answers` does.
        answers: What is sent back of a clip: its record, unless the caller wants another thing.
    """

    model: str
    model_sha256: str
    external: Mapping[str, str]
    model_options: InferenceOptions
    dataset: str
    fingerprint: str
    dataset_options: DatasetOptions
    mapping: Mapped | None
    transform: Transform | None = None
    opens: Callable[[str, InferenceOptions], Model] = load_as_stated
    answers: Callable[[Model, Clip, Transform | None], Any] = predict_clip


def predict_on_ray(
    job: Job, wanted: Iterator[int], *, workers: int | None = None, address: str | None = None
) -> Generator[Any, None, None]:
    """Yield one record for each wanted clip, in order, or what else the job wants of it.

    Args:
        job: What the workers open.
        wanted: Positions in the dataset, rising.
        workers: Actors, one core each; by default one for each core of the cluster.
        address: `host:port` of a running cluster; by default a cluster on this machine.

    Raises:
        MissingExtraError: Ray is not installed.
        ConfigError: The cluster cannot be reached, workers die before they begin, or a worker sees
            another model or dataset.
    """
    with cluster(address) as ray:
        actors = workers or int(ray.cluster_resources().get("CPU", 1))
        yield from _records_of(ray, job, array("q", wanted), actors)


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


@dataclass(frozen=True, slots=True)
class Range:
    """Clips that one worker does in one go.

    Attributes:
        wanted: Their positions in the dataset, rising; neighbours are a `range`, whose size does
            not depend on how many they are.
        deaths: Workers that died while they were at a range with these clips.
    """

    wanted: Sequence[int]
    deaths: int = 0

    def after_death(self) -> list[Range]:
        """Return what is to be done in its place: both halves, or the one clip once more.

        Nothing, where the clip is alone and took `DEADLY` workers down: it is given up.
        """
        deaths, middle = self.deaths + 1, (len(self.wanted) + 1) // 2
        if len(self.wanted) == 1 and deaths >= DEADLY:
            return []
        parts = (self.wanted[:middle], self.wanted[middle:])
        return [Range(part, deaths) for part in parts if len(part)]


class Ledger:
    """Which ranges are to be done, and the records of those whose turn has not come.

    Args:
        ranges: All of them, in order.
        most: Done ranges that may wait for an earlier one.
    """

    def __init__(self, ranges: Iterable[Range], most: int) -> None:
        self._todo = deque(ranges)
        self._order = deque(part.wanted for part in self._todo)
        self._done: dict[int, tuple[Range, list[Record]]] = {}
        self._most = most

    def __bool__(self) -> bool:
        """Return whether records are still to come."""
        return bool(self._order)

    def take(self) -> Range | None:
        """Return the next range to do, if there is one and not too many wait for an earlier one."""
        if not self._todo:
            return None
        is_its_turn = self._todo[0].wanted[0] == self._order[0][0]
        return self._todo.popleft() if is_its_turn or len(self._done) < self._most else None

    def put_back(self, *ranges: Range) -> None:
        """Have ranges done again, in the order of their clips: the first to do is waited for."""
        self._todo = deque(sorted((*ranges, *self._todo), key=lambda part: part.wanted[0]))

    def note(self, part: Range, records: list[Record]) -> None:
        """Note the records of a range."""
        self._done[part.wanted[0]] = (part, records)

    def in_turn(self) -> Iterator[Record]:
        """Yield the records before which none is missing, each once."""
        while self._order and self._order[0][0] in self._done:
            expected = self._order.popleft()
            part, records = self._done.pop(expected[0])
            if rest := expected[len(part.wanted) :]:  # of one that was done in halves
                self._order.appendleft(rest)
            yield from records


class Worker:
    """One actor: opens model and dataset once, then turns ranges of clips into records.

    What is wrong with them goes back as an answer, not as an exception, whose text Ray would fill
    with where it happened.
    """

    def __init__(self, job: Job) -> None:
        self.job = job
        self.opened: tuple[Model, Dataset] | ServalError
        try:
            self.opened = _opened(job)
        except ServalError as error:
            self.opened = error

    def fault(self) -> ServalError | None:
        """Return why model or dataset cannot be opened here, or `None`."""
        return self.opened if isinstance(self.opened, ServalError) else None

    def records(self, wanted: Sequence[int]) -> list[Record] | ServalError:
        """Return the records of the clips at these rising positions, or what went wrong."""
        if isinstance(self.opened, ServalError):
            return self.opened
        model, dataset = self.opened
        chosen = set(wanted)
        try:
            return [
                self.job.answers(model, _labelled(clip, self.job.mapping), self.job.transform)
                for clip in dataset.clips(wanted[0], wanted[-1] + 1)
                if clip.index in chosen
            ]
        except ServalError as error:
            return error


def _labelled(clip: Clip, mapping: Mapped | None) -> Clip:
    return with_truth(clip, mapping) or replace(clip, label="")


def _opened(job: Job) -> tuple[Model, Dataset]:
    model = job.opens(job.model, job.model_options)
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


def refuse_odd_engine(engine: str, address: str | None, workers: int | None) -> None:
    """Do nothing if clips can be done so.

    Raises:
        ConfigError: There is no such engine, or it has no use of the other two.
        MissingExtraError: Ray is wanted, and is not installed.
    """
    if workers is not None and workers < 1:
        raise ConfigError(f"--workers is {workers}; give at least 1")
    if engine not in {"local", "ray"}:
        raise ConfigError(f"unknown --engine '{engine}'; known: local, ray")
    if engine == "ray":
        imported_ray()
    elif address is not None:
        raise ConfigError("--ray-address is of use with --engine ray only")


def imported_ray() -> ModuleType:
    """Return Ray's module.

    Raises:
        MissingExtraError: Ray is not installed.
    """
    try:
        import ray
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
    # Nobody looks at the dashboard of a cluster that lives for one command.
    own = {"address": "local", "num_cpus": available_cores(), "include_dashboard": False}
    where = {"address": address} if address else own
    try:
        _refuse_silence(address)
        # Ray would end this process with code 1 where it is told to stop.
        with kept_hearing():
            ray.init(**where, log_to_driver=False, logging_level="ERROR")
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
    return max(SHORTEST_RANGE, min(LONGEST_RANGE, clips // (TURNS * workers)))


def _ranges(wanted: Iterable[int], size: int = LONGEST_RANGE) -> Iterator[Range]:
    """Yield the positions in ranges, each short enough to be read in one go."""
    part: list[int] = []
    for index in wanted:
        if part and (len(part) == size or index - part[0] >= 4 * LONGEST_RANGE):
            yield Range(_stretch(part))
            part = []
        part.append(index)
    if part:
        yield Range(_stretch(part))


def _stretch(positions: list[int]) -> Sequence[int]:
    """Return rising positions as a `range` where none is missing between them, else a tuple."""
    whole = range(positions[0], positions[-1] + 1)
    return whole if len(whole) == len(positions) else tuple(positions)


def _records_of(ray: ModuleType, job: Job, wanted: Sequence[int], actors: int) -> Iterator[Record]:
    ranges = list(_ranges(wanted, _range_size(len(wanted), actors)))
    ledger = Ledger(ranges, most=TURNS * actors)
    actor = ray.remote(Worker).options(num_cpus=1)
    pool = _Pool(ray=ray, job=job, ledger=ledger, actor=actor, stored=ray.put(job))
    try:
        pool.hire(min(actors, len(ranges)))
        while ledger:
            pool.step()
            yield from ledger.in_turn()
    finally:
        pool.close()


@dataclass(slots=True, kw_only=True)
class _Pool:
    """The workers, what each is at, and what becomes of that.

    A worker is given a range only once it has said that it could open what it needs: where a
    cluster has fewer cores than there are workers, some of them wait for one.

    Attributes:
        ray: Connected.
        job: What the workers open.
        ledger: Where ranges come from and records go.
        actor: Makes a worker.
        stored: The job, sent once.
        idle: Workers without a range.
        calls: The answer that is waited for -> who gives it, and the range that it is of.
        stillborn: Workers in a row that died before they could say anything.
    """

    ray: ModuleType
    job: Job
    ledger: Ledger
    actor: Any
    stored: Any
    idle: list[Any] = field(default_factory=list)
    calls: dict[Any, tuple[Any, Range | None]] = field(default_factory=dict)
    stillborn: int = 0

    def hire(self, workers: int = 1) -> None:
        """Start further workers."""
        for _ in range(workers):
            worker = self.actor.remote(self.stored)
            self.calls[worker.fault.remote()] = (worker, None)

    def step(self) -> None:
        """Give out ranges, and take in what is answered within a second."""
        while self.idle and (part := self.ledger.take()):
            worker = self.idle.pop()
            self.calls[worker.records.remote(part.wanted)] = (worker, part)
        answered, _ = self.ray.wait(list(self.calls), timeout=POLL_S)
        stop_if_asked()
        for call in answered:
            self._take_in(call, *self.calls.pop(call))

    def _take_in(self, call: Any, worker: Any, part: Range | None) -> None:  # noqa: ANN401 - Ray's
        try:
            answer: list[Record] | ServalError | None = self.ray.get(call)
        except self.ray.exceptions.RayActorError as error:
            self._bury(part, error)
            return
        except self.ray.exceptions.ObjectLostError:  # with the node that had it
            answer = None
        if isinstance(answer, ServalError):
            raise answer
        self.stillborn = 0
        self.idle.append(worker)
        if part is not None and answer is None:
            self.ledger.put_back(part)
        elif part is not None and answer is not None:
            self.ledger.note(part, answer)

    def _bury(self, part: Range | None, error: Exception) -> None:
        """Put another in the place of a worker that died, and see to the range that it was at."""
        if part is None:
            self.stillborn += 1
            if self.stillborn >= MOST_STILLBORN:
                reason = next(iter(str(error).splitlines()), type(error).__name__)
                raise ConfigError(
                    f"{self.stillborn} workers in a row died before they had opened model and "
                    f"dataset: {reason}; try --engine local"
                ) from error
        else:
            self._see_to(part)
        self.hire()

    def _see_to(self, part: Range) -> None:
        again = part.after_death()
        self.ledger.put_back(*again)
        if not again:
            self.ledger.note(part, [_given_up(self.job, part.wanted[0])])

    def close(self) -> None:
        """End all workers."""
        for worker in (*self.idle, *(worker for worker, _ in self.calls.values())):
            self.ray.kill(worker)


def _given_up(job: Job, index: int) -> Record:
    """Return the failure of a clip that no worker survives, of what the set says of it."""
    dataset = load_dataset(job.dataset, options=job.dataset_options)
    (clip,) = dataset.metadata(index, index + 1)
    reason = f"{DEADLY} workers died while they were at this clip"
    return failure_of(_labelled(clip, job.mapping), "worker", reason)
