"""The features of clips, computed once and kept by the content of the clip: flat in memory."""

from __future__ import annotations

import hashlib
import json
from array import array
from contextlib import closing
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from serval.audio import encoded_bytes
from serval.distributed import predict_on_ray
from serval.errors import AudioError, RunError
from serval.files import locked, writing
from serval.predict import Answer, Heard, answer_of, failure_of, in_order
from serval.records import Failure
from serval.stopping import stop_if_asked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path
    from typing import BinaryIO

    from filelock import FileLock
    from numpy.typing import NDArray

    from serval.distributed import Job
    from serval.models.protocol import Model
    from serval.predict import Transform
    from serval.records import Clip

NUMBERS, FACTS = "features.f32", "clips.jsonl"
ITEM_BYTES = 4
NO_ROW = -1


@dataclass(slots=True, kw_only=True)
class FeatureStore:
    """A folder with the features of clips, one row each, and what else is known of their sound.

    Use as a context manager. A process may be killed at any moment; what it had computed is kept.

    Attributes:
        folder: Of one encoder with its levels and its pooling.
        width: Features of a clip.
    """

    folder: Path
    width: int
    _rows: dict[bytes, int] = field(default_factory=dict)
    _starts: array[int] = field(default_factory=lambda: array("q"))
    _numbers: BinaryIO | None = None
    _facts: BinaryIO | None = None
    _lock: FileLock | None = None

    def __enter__(self) -> Self:
        """Lock the folder and read which clips it has.

        Raises:
            RunLockedError: Another process writes here.
            WriteError: The folder cannot be made or written.
        """
        with writing(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lock = locked(self.folder, ".lock")
            try:
                self._open()
            except BaseException:
                self.__exit__()
                raise
        return self

    def __exit__(self, *_: object) -> None:
        """Close the files and release the folder."""
        for file in (self._numbers, self._facts):
            if file is not None:
                file.close()
        if self._lock is not None:
            self._lock.release()

    def row_of(self, sha256: str) -> int | None:
        """Return the row of the clip with this content, or `None`."""
        return self._rows.get(bytes.fromhex(sha256))

    def __len__(self) -> int:
        """Return how many clips it has."""
        return len(self._rows)

    def add(self, heard: Heard) -> int:
        """Keep what an encoder says of a clip, and return its row."""
        known = self.row_of(heard.audio_sha256)
        if known is not None:
            return known
        facts = {
            "sha256": heard.audio_sha256,
            "duration_s": round(heard.duration_s, 6),
            "inference_s": round(heard.inference_s, 6),
            "notes": list(heard.notes),
            "sound": asdict(heard.sound) if heard.sound else None,
        }
        numbers, lines = self._files()
        with writing(self.folder):
            numbers.write(np.asarray(heard.logits, dtype="<f4").tobytes())
            numbers.flush()  # before the line that says that they are there
            start = lines.tell()
            lines.write(json.dumps(facts).encode() + b"\n")
            lines.flush()
        self._starts.append(start)
        row = self._rows[bytes.fromhex(heard.audio_sha256)] = len(self._rows)
        return row

    def facts(self, row: int) -> dict[str, Any]:
        """Return what is known of the clip of a row beside its features."""
        with (self.folder / FACTS).open("rb") as file:
            file.seek(self._starts[row])
            facts: dict[str, Any] = json.loads(file.readline())
        return facts

    def features(self) -> NDArray[np.float32]:
        """Return `(R, F) float32`, mapped from the file."""
        return np.memmap(
            self.folder / NUMBERS, dtype="<f4", mode="r", shape=(len(self._rows), self.width)
        )

    def _files(self) -> tuple[BinaryIO, BinaryIO]:
        if self._numbers is None or self._facts is None:
            raise RunError(f"{self.folder} is not open; use it in a with block")
        return self._numbers, self._facts

    def _open(self) -> None:
        """Read the lines whose features are whole; cut off what is behind them or was damaged."""
        self._numbers = (self.folder / NUMBERS).open("ab")
        self._facts = (self.folder / FACTS).open("ab")
        most = self._numbers.tell() // (self.width * ITEM_BYTES)
        end = 0
        with (self.folder / FACTS).open("rb") as lines:
            for line in lines:
                sha256 = _clip_of(line)
                if len(self._rows) == most or sha256 is None:
                    break
                self._rows[sha256] = len(self._rows)
                self._starts.append(end)
                end += len(line)
        self._facts.truncate(end)
        self._numbers.truncate(len(self._rows) * self.width * ITEM_BYTES)
        self._facts.seek(0, 2)
        self._numbers.seek(0, 2)


def _clip_of(line: bytes) -> bytes | None:
    """Return the hash of the clip of a line of facts; `None` of a line that is not whole."""
    if not line.endswith(b"\n"):
        return None
    try:
        return bytes.fromhex(json.loads(line)["sha256"])
    except (ValueError, TypeError, KeyError):
        return None


def feature_rows(
    store: FeatureStore, model: Model, clips: Iterable[Clip], workers: int
) -> Iterator[int | Failure]:
    """Yield the row of each clip in the open store, in order, computing what is not there."""

    def known_or_heard(clip: Clip) -> int | Heard | Failure:
        row = known_row(store, clip)
        return heard_of(model, clip) if row is None else row

    for found in in_order(known_or_heard, clips, workers):
        stop_if_asked()
        yield store.add(found) if isinstance(found, Heard) else found


def feature_rows_on_ray(
    store: FeatureStore,
    job: Job,
    read: Callable[..., Iterable[Clip]],
    workers: int | None,
    address: str | None,
) -> Iterator[int | Failure]:
    """Yield the same, computed on a cluster: it is sent positions, and sends back features.

    Args:
        store: Open.
        job: What the workers open.
        read: Returns the clips in order, with or without `audio`; this process reads the audio
            only to see which clips of a store that is not empty it has.
        workers: Actors, by default one for each core of the cluster.
        address: `host:port` of a running cluster; by default one on this machine.
    """
    indices, rows, unread = array("q"), array("q"), dict[int, Failure]()
    for place, clip in enumerate(read(audio=len(store) > 0)):
        stop_if_asked()
        row = known_row(store, clip) if clip.audio else None
        if isinstance(row, Failure):
            unread[place] = row
        indices.append(clip.index)
        rows.append(row if isinstance(row, int) else NO_ROW)
    missing = (index for place, (index, row) in enumerate(zip(indices, rows, strict=True))
               if row == NO_ROW and place not in unread)  # fmt: skip
    job = replace(job, answers=heard_of)
    with closing(predict_on_ray(job, missing, workers=workers, address=address)) as answers:
        for place, row in enumerate(rows):
            if row != NO_ROW or place in unread:
                yield unread.get(place, row)
            else:
                found = next(answers)
                yield store.add(found) if isinstance(found, Heard) else found


def known_row(store: FeatureStore, clip: Clip) -> int | Failure | None:
    """Return the row of a clip by its content, why that cannot be read, or `None` for a new one."""
    try:
        encoded = encoded_bytes(clip.audio)
    except AudioError as error:
        return failure_of(clip, "read", str(error))
    return store.row_of(hashlib.sha256(encoded).hexdigest())


def heard_of(model: Model, clip: Clip, transform: Transform | None = None) -> Heard | Failure:
    """Return what a model says of one clip, without its sound, or why it says nothing."""
    answer = answer_of(model, clip, transform)
    if not isinstance(answer, Answer):
        return answer
    return replace(answer.heard, clip=replace(clip, audio=b""))
