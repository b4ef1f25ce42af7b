"""The journal of a run folder: written line by line, gone on with, and read; examples by name."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field, fields
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from serval.errors import RunError
from serval.files import locked, write_bytes, writing
from serval.records import Failure, Prediction, Record, Sound
from serval.run.columns import read_columns
from serval.run.lines import (
    JOURNAL,
    SCHEMA_VERSION,
    Lines,
    encoded_line,
    header_of,
    is_journal,
    refuse_odd_file,
    write_renamed,
)
from serval.run.packed import PositionSet
from serval.run.stored import IN_PYTHON, named_in_python
from serval.stopping import stop_if_asked
from serval.wording import printable, shown

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import BinaryIO

    from filelock import FileLock

    from serval.run.stored import Provenance, Run

LOCK = ".journal.lock"
"""Held in the folder of a run by the process that writes there."""


SHOWN = 60
"""Characters of a value that a message shows."""

RUNS_SHOWN = 6

FIELDS = {
    kind: tuple(field.name for field in fields(kind)) for kind in (Prediction, Failure, Sound)
}


@dataclass(slots=True, kw_only=True)
class Journal:
    """The journal of one run folder, open for writing by this process alone.

    Use as a context manager. `done` holds the indices that already have a record.
    """

    folder: Path
    provenance: Provenance
    fresh: bool = False
    done: PositionSet = field(default_factory=PositionSet)
    complete: bool = False
    failed: int = 0
    _file: BinaryIO | None = None
    _lock: FileLock | None = None
    _digest: hashlib._Hash = field(default_factory=hashlib.sha256)

    def __enter__(self) -> Self:
        """Lock the folder and open its journal: a new one, or the one to go on with.

        Raises:
            RunLockedError: Another process writes here.
            RunError: The journal belongs to another evaluation, cannot be read, or is no journal.
            WriteError: The folder cannot be made or written.
        """
        with writing(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            refuse_odd_file(self.folder / LOCK)
            self._lock = locked(self.folder, LOCK)
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
        self._write({"kind": kind, "at_s": round(at_s, 4)} | _fields_of(record))
        self.done.add(record.index)
        self.failed += kind == "failure"

    def finish(
        self,
        at_s: float,
        *,
        dropped: Mapping[str, int],
        dropped_indices: Sequence[int] = (),
        peak_memory_mb: float,
    ) -> None:
        """Write that the end of the dataset was reached, and what the lines above it are."""
        self._write(
            {
                "kind": "end",
                "at_s": round(at_s, 4),
                "dropped": dict(dropped),
                "dropped_indices": list(dropped_indices),
                "peak_memory_mb": peak_memory_mb,
                "predictions": len(self.done) - self.failed,
                "failures": self.failed,
                "sha256": self._digest.hexdigest(),
            }
        )
        self.complete = True

    def _open(self) -> None:
        """Nothing is written before what is there was read and is known to be ours."""
        path = self.folder / JOURNAL
        if not is_journal(path) or self.fresh:
            header = {"kind": "header", "schema_version": SCHEMA_VERSION}
            write_bytes(path, encoded_line(header | asdict(self.provenance)))
        stored = read_columns(path)
        _refuse_other_run(self.folder, stored.provenance, self.provenance)
        name = self.provenance.options.get("name")
        if name not in (None, stored.provenance.options.get("name")):
            write_renamed(path, str(name))
            stored = read_columns(path)
        self.done, self.failed = stored.done, len(stored.failures)
        self.complete, self._digest = stored.end is not None, stored.lines.digest
        with writing(path):
            self._file = path.open("ab")
            # What a kill left of a last line.
            self._file.truncate(stored.lines.size)

    def _write(self, line: Mapping[str, Any]) -> None:
        if self._file is None:
            raise RunError(f"the journal of {self.folder} is not open; use it in a with block")
        encoded = encoded_line(line)
        with writing(self.folder / JOURNAL):
            self._file.write(encoded)
            self._file.flush()
        self._digest.update(encoded)
        stop_if_asked()


def _fields_of(record: Record | Sound) -> dict[str, Any]:
    """Return the fields as `asdict` does, which copies every value and takes five times as long."""
    found = {name: getattr(record, name) for name in FIELDS[type(record)]}
    sound = found.get("sound")
    return found if sound is None else found | {"sound": _fields_of(sound)}


def load_run(folder: Path | str, *, beside: Sequence[Run] | None = None) -> Run:
    """Return the run that is stored in `folder`, whether or not it was finished.

    Args:
        folder: Of the run; or the name of one that comes with serval, such as `example:int8`,
            whose own folder is then where files made of it go: `example-int8`.
        beside: The runs, maybe none so far, that it will be compared with. Of a run of one emotion
            a clip only what a comparison reads is then kept, and what says the same as in the first
            of them is shared: `probs`, `inference_s` and `notes` are empty, `sound` is `None`.

    Raises:
        RunError: There is no journal, it cannot be read, or a line is not as serval writes it.
    """
    if is_example(folder):
        return read_columns(example_journal(folder), beside).run(example_folder(folder))
    path = Path(folder) / JOURNAL
    if not _is_file(path):
        raise RunError(f"no run in {folder}: {JOURNAL} is missing; {_instead(Path(folder))}")
    return read_columns(path, beside).run(Path(folder))


def refuse_other_journal(folder: Path, run: Run) -> None:
    """Raise where a folder holds the journal of another run than the one to be written there.

    Raises:
        RunError: It does.
    """
    path = folder / JOURNAL
    if not _is_file(path):
        return
    with path.open("rb") as file:
        first = next(iter(Lines(path=path, file=file)), {})
    identity = json.loads(json.dumps(run.provenance.identity))
    if header_of(path, first).get("identity") != identity:
        raise RunError(
            f"{folder} holds another run, whose files would not be those of its journal any more; "
            "choose another folder (--output)"
        )


def _instead(folder: Path) -> str:
    """Return what to give instead of a folder without a run: the runs in it, if there are any."""
    found = sorted(str(path.parent) for path in folder.glob(f"*/{JOURNAL}"))
    if not found:
        return "give the folder of `serval evaluate -o`"
    more = f" and {len(found) - RUNS_SHOWN} more" if len(found) > RUNS_SHOWN else ""
    return f"there are runs in it: {', '.join(found[:RUNS_SHOWN])}{more}"


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError) as error:
        raise RunError(f"cannot read {path}: {error}; give the folder of a run") from error


NAMED = {"model": "model", "external weights": "model", "dataset": "dataset"}
"""Parts of an identity that are digests, which tell nobody anything, and what has their name."""

UNTOLD = (
    "it was stored by an earlier version, which did not tell the models of one Python file apart"
)


def _refuse_other_run(folder: Path, before: Provenance, now: Provenance) -> None:
    stored, identity = before.identity, json.loads(json.dumps(now.identity))
    differences = dict.fromkeys(
        _content_words(NAMED[key], before, now)
        if key in NAMED
        else UNTOLD
        if key == IN_PYTHON and key not in stored and named_in_python(before.model)
        else "{} was {} and is now {}".format(key, *_shown(stored.get(key), identity.get(key)))
        for key in sorted(stored.keys() | identity.keys())
        if stored.get(key) != identity.get(key)
    )
    if differences:
        raise RunError(
            f"{folder} holds another run: {'; '.join(differences)}; "
            "choose another --output, or start over with --fresh"
        )


def _content_words(part: str, before: Provenance, now: Provenance) -> str:
    """Return in words that the model or the dataset has another digest."""
    was, name = (str(getattr(of, part).get("name", "")) for of in (before, now))
    if was == name:
        return f"the {part} {shown(name)} has other content, or is another of that name"
    return f"the {part} was {shown(was)} and is now {shown(name)}"


def _shown(*values: object) -> tuple[str, ...]:
    """Return the values as short texts which begin just before they differ."""
    texts = [
        "not given" if value is None else json.dumps(value, ensure_ascii=False) for value in values
    ]
    if max(map(len, texts)) <= SHOWN:
        return tuple(texts)
    pairs = enumerate(zip(*texts, strict=False))
    differ = next((i for i, pair in pairs if len(set(pair)) > 1), min(map(len, texts)))
    same = max(0, differ - SHOWN // 3)
    return tuple(f"{'...' if same else ''}{_short(text[same:])}" for text in texts)


def _short(text: str) -> str:
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 3]}..."


EXAMPLE_PREFIX = "example:"

EXAMPLES = {
    "fp32": "the FP32 original of serval-tiny, on 1,999 clips of acted speech",
    "int8": "serval-tiny, which is INT8, on the same clips",
}
"""Every stored run with what it is; `tools/make_examples.py` makes them."""


def is_example(name: Path | str) -> bool:
    """Tell whether a name means a run that comes with serval, if there is one of that name."""
    return str(name).startswith(EXAMPLE_PREFIX)


def example_journal(name: Path | str) -> Path:
    """Return where the journal of an example lies, compressed.

    Raises:
        RunError: There is no such example.
    """
    short = str(name).removeprefix(EXAMPLE_PREFIX)
    if short not in EXAMPLES:
        known = ", ".join(f"{EXAMPLE_PREFIX}{each}" for each in EXAMPLES)
        raise RunError(f"no example '{printable(short[:60])}'; there are: {known}")
    return Path(str(resources.files("serval"))) / "builtin" / "examples" / f"{short}.jsonl.gz"


def example_folder(name: Path | str) -> Path:
    """Return the folder that files of an example are written to, as its own place is read-only."""
    return Path(f"example-{str(name).removeprefix(EXAMPLE_PREFIX)}")
