"""The lines of a journal -> compact columns, so that 100,000 clips stay small in memory.

What a line must have is checked here, line by line; what its numbers must be, in `checks`.
"""

from __future__ import annotations

import gzip
import math
import zlib
from array import array
from collections import defaultdict
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np

from serval.errors import RunError
from serval.records import Failure, Sound
from serval.run.checks import AT_ONCE, Numbers, faults, is_count, provenance_of
from serval.run.lines import Lines, header_of, line_error, whole_text
from serval.run.packed import Coded, Digests, Following, PackedColumn, PositionSet, Scattered, Texts
from serval.run.stored import Provenance, Run

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from typing import BinaryIO

    from numpy.typing import NDArray

    Order = NDArray[np.int64]

T = TypeVar("T")

KINDS = frozenset(("prediction", "failure", "end"))
"""What stands in a session."""

NUMBERS = frozenset((int, float))
"""JSON has `true` too, which Python would count as 1."""

HEX = "0123456789abcdef"

TEXT_OR_NONE = frozenset((str, type(None)))

SOUND = tuple(field.name for field in fields(Sound))
UNHEARD = (math.nan,) * len(SOUND)

PROMISES = ("predictions", "failures", "sha256")
"""What the last line says of those above it; in runs of earlier versions, nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """The last line of a finished run.

    Attributes:
        dropped: Clips left out on request, by raw label.
        dropped_indices: Their positions.
        peak_memory_mb: Highest resident memory of the process, in 10^6 bytes.
    """

    dropped: Mapping[str, int]
    dropped_indices: tuple[int, ...]
    peak_memory_mb: float


@dataclass(slots=True, kw_only=True)
class JournalColumns:
    """What the lines of a journal hold.

    Attributes:
        provenance: What the header says was evaluated on what.
        lines: What read them, with the size and the digest of them all.
        end: `None` while the run is not finished.
        beside: Runs that it is to be compared with: only what a comparison reads is kept then, and
            what says the same as in the first of them takes no room. `None` keeps all.
    """

    provenance: Provenance
    lines: Lines
    end: End | None = None
    beside: Sequence[Run] | None = None
    started: str = ""
    session_s: list[float] = field(default_factory=list)
    ids: PackedColumn[str] = field(default_factory=Texts)
    shas: PackedColumn[str] = field(default_factory=Digests)
    speakers: PackedColumn[str | None] = field(default_factory=Coded)
    notes: Coded[tuple[str, ...]] = field(default_factory=Coded)
    sounds: array[float] = field(default_factory=lambda: array("d"))
    groups: defaultdict[str, Scattered] = field(default_factory=lambda: defaultdict(Scattered))
    index: array[int] = field(default_factory=lambda: array("q"))
    truth: array[int] = field(default_factory=lambda: array("q"))
    predicted: array[int] = field(default_factory=lambda: array("q"))
    duration_s: array[float] = field(default_factory=lambda: array("d"))
    inference_s: array[float] = field(default_factory=lambda: array("d"))
    logits: array[float] = field(default_factory=lambda: array("f"))
    probs: array[float] = field(default_factory=lambda: array("f"))
    failures: list[Failure] = field(default_factory=list)
    between: array[int] = field(default_factory=lambda: array("q", [1]))
    failed_at: array[int] = field(default_factory=lambda: array("q"))
    label_ids: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.label_ids = {label: i for i, label in enumerate(self.provenance.labels)}
        if not self.provenance.task.excludes:
            self.beside = None
        if self.beside:
            first = self.beside[0]
            self.ids = _following(first.clip_ids, self.ids)
            self.shas = _following(first.audio_sha256, self.shas)
            self.speakers = _following(first.speakers, self.speakers)

    @property
    def done(self) -> PositionSet:
        """The positions that have a record."""
        numbers = self.numbers()
        return PositionSet(np.concatenate([numbers.index, numbers.failed]))

    def add(self, line: dict[str, Any]) -> None:
        """Take one line in.

        Raises:
            ValueError, KeyError, OverflowError: The line is not as serval writes it.
        """
        kind = line["kind"]
        if kind != "prediction":
            self.between.append(self.lines.number)
        if self.end is not None:
            raise ValueError("stands behind the end of the run")
        if kind == "session":
            self.started = self.started or _text(line, "started")
            self.session_s.append(0.0)
            return
        if type(kind) is not str or kind not in KINDS:
            raise ValueError("is of no kind that this serval knows here")
        if not self.session_s:
            raise ValueError("stands before the start of a session")
        self.session_s[-1] = _seconds(line, "at_s")
        if kind == "prediction":
            self._add_prediction(line)
        elif kind == "failure":
            self._add_failure(line)
        else:
            self.end = self._ended(line)

    def _add_prediction(self, line: Mapping[str, Any]) -> None:
        truth, predicted = self._named(line)
        self.index.append(_index(line))
        self.truth.append(truth)
        self.predicted.append(predicted)
        duration_s, inference_s = _times(line)
        self.duration_s.append(duration_s)
        self.inference_s.append(inference_s)
        logits, probs = _scores(line, len(self.label_ids))
        self.logits.extend(logits)
        self.probs.extend(probs)
        self._add_groups(_groups(line))
        self.ids.append(_text(line, "clip_id"))
        self.shas.append(_sha256(line))
        self.speakers.append(_speaker(line))
        notes, sound = _notes(line), _sound(line)
        if self.beside is None:
            self.notes.append(notes)
            self.sounds.extend(sound)
        elif len(self.probs) >= AT_ONCE:
            self.let_go()

    def _named(self, line: Mapping[str, Any]) -> tuple[int, int]:
        """Return the ids of the true and the predicted label; -1 where the task has none."""
        task = self.provenance.task
        if not task.excludes and line["truth"] is not None:
            raise ValueError(f"has one true label, in a run of {task.said}")
        if not task.has_labels and line["predicted"] != "":
            raise ValueError(f"has a label, in a run of {task.said}")
        truth = self._label_id(line, "truth") if task.excludes else -1
        return truth, self._label_id(line, "predicted") if task.has_labels else -1

    def _add_groups(self, groups: Mapping[str, str | None]) -> None:
        for name, value in groups.items():
            column = self.groups[name]
            if value is not None:
                column.put(len(self.ids), whole_text(value))

    def _add_failure(self, line: Mapping[str, Any]) -> None:
        # A clip without any label fails too.
        truth = _text(line, "truth") and self.provenance.labels[self._label_id(line, "truth")]
        self.failures.append(
            Failure(
                clip_id=_text(line, "clip_id"),
                index=_index(line),
                truth=truth,
                stage=_text(line, "stage"),
                reason=_text(line, "reason"),
                speaker=_speaker(line),
                groups={n: whole_text(v) for n, v in _groups(line).items() if v is not None},
            )
        )
        self.failed_at.append(self.lines.number)

    def _label_id(self, line: Mapping[str, Any], name: str) -> int:
        label = line[name]
        known = self.label_ids.get(label) if type(label) is str else None
        if known is None:
            raise ValueError(f"has a label in '{name}' that the header does not have")
        return known

    def _ended(self, line: Mapping[str, Any]) -> End:
        dropped, places = line["dropped"], line.get("dropped_indices", [])
        if type(dropped) is not dict or not all(map(is_count, dropped.values())):
            raise ValueError("has dropped clips that are not counts by label")
        if type(places) is not list or not all(map(is_count, places)):
            raise ValueError("has positions of dropped clips that are not whole numbers")
        if any(name in line for name in PROMISES):
            self._refuse_other_lines(line)
        return End(
            dropped=dropped,
            dropped_indices=tuple(places),
            peak_memory_mb=_number(line, "peak_memory_mb"),
        )

    def _refuse_other_lines(self, end: Mapping[str, Any]) -> None:
        """Raise unless the lines above are those that the end was written for."""
        found = (len(self.ids), len(self.failures), self.lines.digest.hexdigest())
        for name, value in zip(PROMISES, found, strict=True):
            if end[name] != value and name != "sha256":
                raise ValueError(f"counts {str(end[name])[:20]} {name}, but {value} stand above it")
            if end[name] != value:
                raise ValueError("has the sha256 of other lines than those above it")

    def numbers(self, first: int = 0) -> Numbers:
        """Return the numbers of the lines so far from row `first` on, in their order."""
        k = len(self.label_ids)
        return Numbers(
            index=np.frombuffer(self.index, np.int64)[first:],
            truth=np.frombuffer(self.truth, np.int64)[first:],
            predicted=np.frombuffer(self.predicted, np.int64)[first:],
            logits=np.frombuffer(self.logits, np.float32).reshape(-1, k)[first:],
            probs=np.frombuffer(self.probs, np.float32).reshape(-1, k),
            duration_s=np.frombuffer(self.duration_s)[first:],
            inference_s=np.frombuffer(self.inference_s),
            failed=np.array([failure.index for failure in self.failures], dtype=np.int64),
        )

    def refuse_faults(self, numbers: Numbers, first: int = 0) -> None:
        """Raise for the first fault of numbers that begin with those of row `first`.

        Raises:
            RunError: A number is not as serval writes it.
        """
        outputs = self.provenance.model.get("contract", {}).get("outputs", "")
        for row, fault in faults(numbers, outputs):
            raise line_error(self.lines.path, self.line_of(first + row), fault)

    def let_go(self) -> None:
        """Check the last rows, and keep no longer what no comparison reads.

        Raises:
            RunError: A number is not as serval writes it.
        """
        first = len(self.ids) - len(self.inference_s)
        self.refuse_faults(replace(self.numbers(first), failed=np.zeros(0, dtype=np.int64)), first)
        self.probs, self.inference_s = array("f"), array("d")

    def line_of(self, row: int) -> int:
        """Return the number of the line of a prediction, or behind them of a failed clip."""
        if row >= len(self.ids):
            return self.failed_at[row - len(self.ids)]
        line = row + 1
        for other in self.between:
            line += other <= line
        return line

    def run(self, folder: Path) -> Run:
        """Return the run; only once, for the columns move into it."""
        numbers = self.numbers()
        places = _order(numbers.index)
        order = slice(None) if places is None else places
        end = self.end or End(dropped={}, dropped_indices=(), peak_memory_mb=math.nan)
        return Run(
            folder=folder,
            provenance=self.provenance,
            clip_ids=_in_order(self.ids, places),
            index=self._shared("index", numbers.index[order]),
            truth=self._shared("truth", numbers.truth[order]),
            predicted=numbers.predicted[order],
            logits=numbers.logits[order],
            probs=_kept(numbers.probs, order),
            duration_s=self._shared("duration_s", numbers.duration_s[order]),
            inference_s=_kept(numbers.inference_s, order),
            audio_sha256=_in_order(self.shas, places),
            speakers=_in_order(self.speakers, places),
            groups={whole_text(name): self._group(name, places) for name in sorted(self.groups)},
            notes=_in_order(self.notes, places),
            sound=self._sounds(order),
            failures=tuple(sorted(self.failures, key=lambda failure: failure.index)),
            complete=self.end is not None,
            seconds=sum(self.session_s),
            dropped=end.dropped,
            dropped_indices=end.dropped_indices,
            started=self.started,
            peak_memory_mb=end.peak_memory_mb,
        )

    def _sounds(self, order: slice | Order) -> NDArray[np.float64] | None:
        if self.beside is not None:
            return None
        return np.frombuffer(self.sounds).reshape(-1, len(SOUND))[order]

    def _shared(self, name: str, mine: NDArray[Any]) -> NDArray[Any]:
        """Return numbers of the run, or those of the first beside it where they are the same."""
        its = getattr(self.beside[0], name) if self.beside else None
        return its if its is not None and np.array_equal(mine, its) else mine

    def _group(self, name: str, order: Order | None) -> Sequence[str | None]:
        mine = self.groups[name].ordered(order, len(self.ids))
        its = self.beside[0].groups.get(whole_text(name)) if self.beside else None
        return its if its is not None and mine == its else mine


def read_columns(path: Path, beside: Sequence[Run] | None = None) -> JournalColumns:
    """Return what a journal holds, with every line checked.

    Args:
        path: Of the journal.
        beside: Runs that it is to be compared with, see `JournalColumns`.

    Raises:
        RunError: A line is not as serval writes it, or the file cannot be read.
    """
    try:
        with _opened(path) as file:
            columns = _columns(Lines(path=path, file=file), beside)
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or error
        raise RunError(f"cannot read {path}: {reason}") from error
    if columns.beside is not None:
        columns.let_go()
    columns.refuse_faults(columns.numbers())
    return columns


def _opened(path: Path) -> BinaryIO:
    """Return a journal open for reading; those that come with serval are compressed."""
    if path.suffix == ".gz":
        return cast("BinaryIO", gzip.GzipFile(path))
    return path.open("rb")


def _columns(lines: Lines, beside: Sequence[Run] | None) -> JournalColumns:
    each = iter(lines)
    provenance = provenance_of(lines.path, header_of(lines.path, next(each, {})))
    columns = JournalColumns(provenance=provenance, lines=lines, beside=beside)
    try:
        for line in each:
            columns.add(line)
    except KeyError as missing:
        raise line_error(lines.path, lines.number, f"has no {missing}") from None
    except OverflowError:
        raise line_error(lines.path, lines.number, "has a number that is too large") from None
    except ValueError as fault:
        raise line_error(lines.path, lines.number, str(fault)) from None
    return columns


def _index(line: Mapping[str, Any]) -> int:
    index = line["index"]
    if type(index) is not int:
        raise ValueError("has an index that is no whole number")
    return index


def _times(line: Mapping[str, Any]) -> tuple[float, float]:
    """Return the seconds of audio and in the model."""
    times = line["duration_s"], line["inference_s"]
    if not NUMBERS.issuperset(map(type, times)):
        raise ValueError("has a time that is no number")
    return times


def _scores(line: Mapping[str, Any], k: int) -> tuple[list[float], list[float]]:
    """Return logits and probabilities."""
    logits, probs = line["logits"], line["probs"]
    if type(logits) is not list or type(probs) is not list:
        raise ValueError("has logits or probs that are no list")
    if not len(logits) == len(probs) == k:
        raise ValueError(f"has {len(logits)} logits and {len(probs)} probs for {k} labels")
    if not (NUMBERS.issuperset(map(type, logits)) and NUMBERS.issuperset(map(type, probs))):
        raise ValueError("has logits or probs that are no numbers")
    return logits, probs


def _text(line: Mapping[str, Any], name: str) -> str:
    value = line[name]
    if type(value) is not str:
        raise ValueError(f"has no text in '{name}'")
    return value if value.isascii() else whole_text(value)


def _speaker(line: Mapping[str, Any]) -> str | None:
    value = line["speaker"]
    if value is None:
        return None
    return _text(line, "speaker")


def _sha256(line: Mapping[str, Any]) -> str:
    value = line["audio_sha256"]
    if type(value) is not str or (value and not (len(value) == 64 and not value.strip(HEX))):
        raise ValueError("has an audio_sha256 that is no sha256")
    return value


def _groups(line: Mapping[str, Any]) -> dict[str, str | None]:
    groups = line["groups"]
    if type(groups) is not dict or not TEXT_OR_NONE.issuperset(map(type, groups.values())):
        raise ValueError("has groups that are not text by column")
    return groups


def _notes(line: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what was done to the sound; runs of earlier versions do not say it."""
    notes = line.get("notes")
    if notes is None or notes == []:
        return ()
    if type(notes) is not list or not all(type(note) is str for note in notes):
        raise ValueError("has notes that are not a list of text")
    return tuple(whole_text(note) for note in notes)


def _sound(line: Mapping[str, Any]) -> tuple[float, ...]:
    """Return what the clip sounded like; runs of earlier versions do not say it."""
    sound = line.get("sound")
    if sound is None:
        return UNHEARD
    if type(sound) is not dict:
        raise ValueError("has a sound that is no object")
    values: tuple[Any, ...] = tuple(sound.get(name) for name in SOUND)
    if not NUMBERS.issuperset(map(type, values)) or not all(map(math.isfinite, values)):
        raise ValueError("has a sound that is not of three finite numbers")
    return values


def _number(line: Mapping[str, Any], name: str) -> float:
    value = line[name]
    if type(value) not in NUMBERS:
        raise ValueError(f"has no number in '{name}'")
    return float(value)


def _seconds(line: Mapping[str, Any], name: str) -> float:
    value = _number(line, name)
    if not 0 <= value < math.inf:
        raise ValueError(f"has a number in '{name}' that is negative or not finite")
    return value


def _following(leader: Sequence[T], otherwise: PackedColumn[T]) -> PackedColumn[T]:
    """Return a column that shares what it can with that of another run, if that one is packed."""
    return Following(leader) if isinstance(leader, PackedColumn) else otherwise


def _in_order(column: PackedColumn[T], order: Order | None) -> PackedColumn[T]:
    """Return a filled column in the order of the dataset; one that was not kept has no rows."""
    filled = column.whole() if isinstance(column, Following) else column
    return filled if order is None or not len(filled) else filled.ordered(order)


def _kept(values: NDArray[np.floating[Any]], order: slice | Order) -> NDArray[Any]:
    """Return numbers in the order of the dataset; what was not kept has no rows."""
    return values[order] if len(values) else values


def _order(index: NDArray[np.int64]) -> NDArray[np.int64] | None:
    """Return what brings a column into dataset order, `None` where it is in order already."""
    in_order = bool((np.diff(index) >= 0).all())
    return None if in_order else np.argsort(index, kind="stable")
