"""A run: what was evaluated on what, and every prediction, on disk before it is scored.

The journal is one JSON object a line: a header, then each record as soon as it exists, then an
end. A process may be killed at any moment; the same command then goes on where it was. Whatever
is computed later (scores, plots, comparisons) needs the journal only: no audio, no model.
"""

from __future__ import annotations

import json
import sys
from array import array
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TextIO, TypeVar

import numpy as np
from filelock import FileLock, Timeout

from serval.errors import RunError, RunLockedError
from serval.files import write_text, writing
from serval.labels import LabelSet
from serval.records import Failure, Prediction, Record

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

__all__ = ["JOURNAL", "SCHEMA_VERSION", "Journal", "Provenance", "Run", "load_run"]

JOURNAL = "journal.jsonl"
SCHEMA_VERSION = 1
SHOWN = 60
"""Characters of a value that a message shows."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Everything that a number depends on, in plain JSON types.

    Attributes:
        labels: The model's labels, in the order of its outputs.
        model: name, path, sha256, size in bytes and the resolved contract.
        dataset: name, location, revision, split, fingerprint, licence and caveats.
        options: Every option of the evaluation.
        platform: Versions of packages, Python, system and processor.
        identity: The part that decides whether two runs are the same evaluation: a run goes on
            only in a folder with an equal identity.
    """

    labels: LabelSet
    model: Mapping[str, Any]
    dataset: Mapping[str, Any]
    options: Mapping[str, Any]
    platform: Mapping[str, Any]
    identity: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A finished or unfinished run, column by column, in dataset order.

    Attributes:
        folder: Where it is stored.
        provenance: What was evaluated on what.
        clip_ids: `(N,)` names of the predicted clips.
        index: `(N,) int64` positions in the dataset split.
        truth: `(N,) int64` label ids.
        predicted: `(N,) int64` label ids.
        logits: `(N, K) float32`.
        probs: `(N, K) float32` in [0, 1], rows sum to 1.
        duration_s: `(N,) float64` seconds of audio.
        inference_s: `(N,) float64` seconds in the model.
        audio_sha256: `(N,)` of the encoded files.
        speakers: `(N,)` or `None` where unknown.
        groups: Further columns by name, each `(N,)`, `None` where a clip has no value.
        notes: `(N,)` what was done to each clip's sound, or is remarkable in it.
        failures: Clips without a prediction.
        complete: Whether the end of the dataset was reached.
        seconds: Wall time of all sessions together.
        dropped: Clips left out on request because their label has no counterpart, by raw label.
        started: UTC time of the first session, ISO 8601.
        peak_memory_mb: Highest resident memory of the process, or NaN when incomplete.
    """

    folder: Path
    provenance: Provenance
    clip_ids: tuple[str, ...]
    index: NDArray[np.int64]
    truth: NDArray[np.int64]
    predicted: NDArray[np.int64]
    logits: NDArray[np.float32]
    probs: NDArray[np.float32]
    duration_s: NDArray[np.float64]
    inference_s: NDArray[np.float64]
    audio_sha256: tuple[str, ...]
    speakers: tuple[str | None, ...]
    groups: Mapping[str, tuple[str | None, ...]]
    notes: tuple[tuple[str, ...], ...]
    failures: tuple[Failure, ...]
    complete: bool
    seconds: float
    dropped: Mapping[str, int]
    started: str
    peak_memory_mb: float

    @property
    def labels(self) -> LabelSet:
        """The model's labels."""
        return self.provenance.labels

    def __len__(self) -> int:
        """Return the number of predicted clips, failures not counted."""
        return len(self.clip_ids)


@dataclass(slots=True, kw_only=True)
class Journal:
    """The journal of one run folder, open for writing by this process alone.

    Use as a context manager. `done` holds the indices that already have a record.
    """

    folder: Path
    provenance: Provenance
    fresh: bool = False
    done: set[int] = field(default_factory=set)
    complete: bool = False
    _file: TextIO | None = None
    _lock: FileLock | None = None

    def __enter__(self) -> Self:
        """Lock the folder and open its journal: a new one, or the one to go on with.

        Raises:
            RunLockedError: Another process writes here.
            RunError: The journal belongs to another evaluation, or cannot be read.
            WriteError: The folder cannot be made or written.
        """
        with writing(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lock = _locked(self.folder)
        try:
            self._open()
        except BaseException:
            self._lock.release()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Close the journal and release the folder."""
        try:
            if self._file is not None:
                with writing(self.folder / JOURNAL):
                    self._file.close()
        finally:
            if self._lock is not None:
                self._lock.release()

    def begin(self, started: str) -> None:
        """Write that a session starts now."""
        self._write({"kind": "session", "started": started})

    def append(self, record: Record, at_s: float) -> None:
        """Write one record, `at_s` seconds into the session; it survives a kill from here on."""
        kind = "prediction" if isinstance(record, Prediction) else "failure"
        self._write({"kind": kind, "at_s": round(at_s, 4)} | asdict(record))
        self.done.add(record.index)

    def finish(self, at_s: float, *, dropped: Mapping[str, int], peak_memory_mb: float) -> None:
        """Write that the end of the dataset was reached."""
        end = {"at_s": round(at_s, 4), "dropped": dict(dropped), "peak_memory_mb": peak_memory_mb}
        self._write({"kind": "end"} | end)
        self.complete = True

    def _open(self) -> None:
        path = self.folder / JOURNAL
        if self.fresh or not path.exists() or not _whole_lines(path):
            header = {"kind": "header", "schema_version": SCHEMA_VERSION}
            write_text(path, _text(header | asdict(self.provenance)))
        lines = _lines(path)
        _refuse_other_run(self.folder, _header(path, next(lines))["identity"], self.provenance)
        for line in lines:
            if line["kind"] in {"prediction", "failure"}:
                self.done.add(line["index"])
            self.complete |= line["kind"] == "end"
        self._file = path.open("a", encoding="utf-8", newline="\n")

    def _write(self, line: Mapping[str, Any]) -> None:
        if self._file is None:
            raise RunError(f"the journal of {self.folder} is not open; use it in a with block")
        with writing(self.folder / JOURNAL):
            self._file.write(_text(line))
            self._file.flush()


def load_run(folder: Path | str) -> Run:
    """Return the run that is stored in `folder`, whether or not it was finished.

    Raises:
        RunError: There is no journal, or it cannot be read.
    """
    path = Path(folder) / JOURNAL
    if not path.is_file():
        raise RunError(
            f"no run in {folder}: {JOURNAL} is missing; give the folder of `serval evaluate -o`"
        )
    lines = _lines(path)
    header = _header(path, next(lines, {}))
    columns = _Columns(labels=LabelSet(header["labels"]))
    for line in lines:
        columns.add(line)
    return columns.run(Path(folder), header)


def _text(line: Mapping[str, Any]) -> str:
    return json.dumps(line, ensure_ascii=False) + "\n"


def _locked(folder: Path) -> FileLock:
    lock = FileLock(folder / ".journal.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise RunLockedError(
            f"{folder} is in use by another serval process; wait for it or choose another --output"
        ) from None
    return lock


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the lines of a journal; a last line that a kill cut short is left out."""
    with path.open(encoding="utf-8", newline="\n") as file:
        for number, text in enumerate(file, start=1):
            if not text.endswith("\n"):
                return
            try:
                yield json.loads(text)
            except ValueError:
                raise RunError(
                    f"{path} line {number} is not JSON; restore the file or start over with --fresh"
                ) from None


def _whole_lines(path: Path) -> int:
    """Return the length of the file in bytes after cutting a torn last line off."""
    with path.open("rb+") as file:
        end = file.seek(0, 2)
        while end > 0:
            start = max(0, end - 65536)
            file.seek(start)
            newline = file.read(end - start).rfind(b"\n")
            if newline >= 0:
                return file.truncate(start + newline + 1)
            end = start
        return file.truncate(0)


def _header(path: Path, line: Mapping[str, Any]) -> Mapping[str, Any]:
    if line.get("kind") != "header":
        raise RunError(f"{path} does not begin with a header; it is not a serval journal")
    if line["schema_version"] != SCHEMA_VERSION:
        raise RunError(
            f"{path} has schema {line['schema_version']}, this serval reads {SCHEMA_VERSION}; "
            "use the serval that wrote it, or start over with --fresh"
        )
    return line


def _refuse_other_run(folder: Path, stored: Mapping[str, Any], now: Provenance) -> None:
    identity = json.loads(json.dumps(now.identity))
    differences = [
        "{} was {} and is now {}".format(key, *_shown(stored.get(key), identity.get(key)))
        for key in sorted(stored.keys() | identity.keys())
        if stored.get(key) != identity.get(key)
    ]
    if differences:
        raise RunError(
            f"{folder} holds another run: {'; '.join(differences)}; "
            "choose another --output, or start over with --fresh"
        )


def _shown(*values: object) -> tuple[str, ...]:
    """Return the values as short texts which begin just before they differ."""
    texts = [json.dumps(value, ensure_ascii=False) for value in values]
    if max(map(len, texts)) <= SHOWN:
        return tuple(texts)
    pairs = enumerate(zip(*texts, strict=False))
    differ = next((i for i, pair in pairs if len(set(pair)) > 1), min(map(len, texts)))
    same = max(0, differ - SHOWN // 3)
    return tuple(f"{'...' if same else ''}{_short(text[same:])}" for text in texts)


def _short(text: str) -> str:
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 3]}..."


@dataclass(slots=True, kw_only=True)
class _Columns:
    """Collects journal lines into compact columns, so that 100,000 clips stay small in memory."""

    labels: LabelSet
    ids: list[str] = field(default_factory=list)
    shas: list[str] = field(default_factory=list)
    speakers: list[str | None] = field(default_factory=list)
    notes: list[tuple[str, ...]] = field(default_factory=list)
    groups: dict[str, list[str | None]] = field(default_factory=dict)
    whole: array[int] = field(default_factory=lambda: array("q"))
    seconds: array[float] = field(default_factory=lambda: array("d"))
    scores: array[float] = field(default_factory=lambda: array("f"))
    failures: list[Failure] = field(default_factory=list)
    session_s: list[float] = field(default_factory=list)
    started: str = ""
    end: Mapping[str, Any] | None = None

    def add(self, line: dict[str, Any]) -> None:
        kind, at_s = line.pop("kind"), line.pop("at_s", 0.0)
        if kind == "session":
            self.started = self.started or line["started"]
            self.session_s.append(0.0)
            return
        self.session_s[-1] = at_s
        if kind == "prediction":
            self._add_prediction(line)
        elif kind == "failure":
            self.failures.append(Failure(**line))
        else:
            self.end = line

    def _add_prediction(self, line: Mapping[str, Any]) -> None:
        truth, predicted = self.labels.id_of(line["truth"]), self.labels.id_of(line["predicted"])
        self.whole.extend((line["index"], truth, predicted))
        self.seconds.extend((line["duration_s"], line["inference_s"]))
        self.scores.extend(line["logits"])
        self.scores.extend(line["probs"])
        for name in line["groups"].keys() - self.groups.keys():
            self.groups[sys.intern(name)] = [None] * len(self.ids)
        for name, column in self.groups.items():
            value = line["groups"].get(name)
            column.append(None if value is None else sys.intern(value))
        self.ids.append(line["clip_id"])
        self.shas.append(line["audio_sha256"])
        self.speakers.append(line["speaker"] and sys.intern(line["speaker"]))
        # Absent from runs of earlier versions.
        self.notes.append(tuple(map(sys.intern, line.get("notes", ()))))

    def run(self, folder: Path, header: Mapping[str, Any]) -> Run:
        """Return the run; only once, for the columns move into it."""
        whole = np.frombuffer(self.whole, dtype=np.int64).reshape(-1, 3)
        order = _order(whole[:, 0])
        index, truth, predicted = whole[order].T
        scores = np.frombuffer(self.scores, np.float32).reshape(-1, 2, len(self.labels))[order]
        duration_s, inference_s = np.frombuffer(self.seconds).reshape(-1, 2)[order].T
        end = self.end or {}
        return Run(
            folder=folder,
            provenance=_provenance(header),
            clip_ids=_ordered(self.ids, order),
            index=index,
            truth=truth,
            predicted=predicted,
            logits=scores[:, 0],
            probs=scores[:, 1],
            duration_s=duration_s,
            inference_s=inference_s,
            audio_sha256=_ordered(self.shas, order),
            speakers=_ordered(self.speakers, order),
            groups={name: _ordered(self.groups[name], order) for name in sorted(self.groups)},
            notes=_ordered(self.notes, order),
            failures=tuple(sorted(self.failures, key=lambda failure: failure.index)),
            complete=self.end is not None,
            seconds=sum(self.session_s),
            dropped=end.get("dropped", {}),
            started=self.started,
            peak_memory_mb=end.get("peak_memory_mb", float("nan")),
        )


def _order(index: NDArray[np.int64]) -> NDArray[np.int64] | slice:
    """Return what brings a column into dataset order: all as it is, without a copy, if it can."""
    in_order = bool((np.diff(index) >= 0).all())
    return slice(None) if in_order else np.argsort(index, kind="stable")


def _ordered(column: list[T], order: NDArray[np.int64] | slice) -> tuple[T, ...]:
    """Return the column in that order, and leave the list empty: memory holds it once."""
    kept = tuple(column) if isinstance(order, slice) else tuple(column[i] for i in order)
    column.clear()
    return kept


def _provenance(header: Mapping[str, Any]) -> Provenance:
    parts = {name: header[name] for name in ("model", "dataset", "options", "platform", "identity")}
    return Provenance(labels=LabelSet(header["labels"]), **parts)
