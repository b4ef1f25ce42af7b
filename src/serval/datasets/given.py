"""Clips that somebody holds in Python: files, arrays, or a table -> the same dataset as any."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from serval.datasets.dataset import clip_source, dataset_here
from serval.datasets.options import DatasetOptions
from serval.datasets.parquet import Here, ParquetTable
from serval.datasets.samples import hertz_of, is_sound, wav_of
from serval.datasets.split_column import rows_of_part
from serval.errors import DatasetError
from serval.labels import label_text
from serval.records import Known
from serval.wording import composed, counted, free_name, shown

if TYPE_CHECKING:
    from serval.datasets.rows import Table
    from serval.records import Dataset

NO_AUDIO = "the clips were given from Python, and the run does not hold them"

WANTED = (
    "give a name or path, a list of files or of arrays with their labels, a table of pandas or "
    "pyarrow, or a split of a datasets.Dataset"
)

NAME = "clips"
"""What people read where a set has no name."""

GROUP_ROWS = 64
RATE = "sampling_rate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What is said beside the clips.

    Attributes:
        truth: The label of each clip, or of a table the column with it.
        speakers: Who speaks in each clip, or the column.
        sample_rate: Of arrays, in Hz.
        classes: What whole numbers among the labels stand for.
        options: Which rows of a table to read, and which columns hold what is not said here.
    """

    truth: Sequence[object] | str | None = None
    speakers: Sequence[object] | str | None = None
    sample_rate: int | None = None
    classes: Sequence[str] = ()
    options: DatasetOptions = field(default_factory=DatasetOptions)


def given_dataset(clips: object, given: Given, folder: Path) -> Dataset:
    """Return the dataset of clips that are held in Python, which `folder` holds as long as it is.

    Args:
        clips: Paths, encoded files, `(T,)` arrays, or a table with a row for each clip.
        given: What is said beside them.
        folder: A place for a file with all of them.

    Raises:
        DatasetError: They are none of these, or labels or the sample rate are missing.
    """
    table = _table(clips) if is_table(clips) else _listed(clips, given)
    table, columns = _with_columns(table, given)
    path = folder / "clips.parquet"
    pq.write_table(table, path, row_group_size=GROUP_ROWS)
    known = Known(name=NAME, location="")
    options = replace(
        given.options,
        label_column=columns.get("label", given.options.label_column),
        speaker_column=columns.get("speaker", given.options.speaker_column),
    )
    rows: Table = ParquetTable(shards=[Here(path)], folder=Path.cwd(), class_names={})
    split, left_out = "", known.left_out
    if options.split is not None:
        rows, split, left_out = rows_of_part(rows, options.split, NAME)
    source = clip_source(rows, Path.cwd(), split, options, NAME)
    return dataset_here(source, [path], replace(known, left_out=left_out))


def is_table(clips: object) -> bool:
    """Tell whether something is a table: of pyarrow, pandas, polars or `datasets`."""
    return isinstance(clips, pa.Table | pa.RecordBatch | Mapping) or any(
        hasattr(clips, name) for name in ("with_format", "to_arrow", "to_parquet")
    )


def stated_rate(rate: object) -> int | None:
    """Return a sample rate that is stated beside clips; `None` where none is.

    Raises:
        DatasetError: It is no number of samples a second.
    """
    hertz = hertz_of(rate)
    if rate is not None and hertz is None:
        raise DatasetError(
            f"sample_rate is {shown(rate)}; give a whole number of Hz, such as 16000"
        )
    return hertz


def texts_of(values: object, what: str, n: int, classes: Sequence[str] = ()) -> list[str | None]:
    """Return one text for each clip, `None` where there is none.

    Raises:
        DatasetError: There are not `n` of them, or they are no list.
    """
    if isinstance(values, str | bytes) or not hasattr(values, "__len__"):
        raise DatasetError(f"{what} is {type(values).__name__}; give a list with one for each clip")
    listed = _plain(values)
    if len(listed) != n:
        raise DatasetError(
            f"{what} has {counted(len(listed), 'entry', 'entries')} for {counted(n, 'clip')}; give "
            "one for each"
        )
    return [_text(value, what, classes) for value in listed]


def _plain(values: Any) -> list[Any]:  # noqa: ANN401 - lists, arrays, and columns of any library
    for name in ("to_pylist", "tolist", "to_list"):
        if callable(method := getattr(values, name, None)):
            return list(method())
    return [value.item() if isinstance(value, np.generic) else value for value in values]


def _text(value: object, what: str, classes: Sequence[str]) -> str | None:
    if _is_missing(value):
        return None
    text = label_text(value)
    if classes and isinstance(value, int | float) and not isinstance(value, bool):
        if text.isdecimal() and int(text) < len(classes):
            return str(classes[int(text)])
        raise DatasetError(f"{what} has {value}, but there are {len(classes)} labels, from 0")
    return composed(text) or None


def _is_missing(value: object) -> bool:
    """Tell whether a value stands for none: None, NaN, or pandas' own, which is like nothing."""
    try:
        return value is None or bool(value != value)
    except (TypeError, ValueError):
        return True


def _listed(clips: Any, given: Given) -> pa.Table:  # noqa: ANN401 - checked here
    if isinstance(clips, str | bytes | Mapping) or not hasattr(clips, "__len__"):
        raise DatasetError(f"{_kind(clips)} is no set of clips; {WANTED}")
    if given.truth is None:
        raise DatasetError(
            f"{counted(len(clips), 'clip')} without labels; give truth=[...], one for each"
        )
    if not len(clips):
        raise DatasetError("the list of clips is empty; give at least one")
    cells = [_cell(clip, i, given.sample_rate) for i, clip in enumerate(clips)]
    if len({type(cell) for cell in cells}) > 1:
        raise DatasetError("some clips are files and others are arrays; give all in one form")
    return pa.table({"audio": cells})


def _cell(clip: Any, i: int, rate: int | None) -> str | bytes:  # noqa: ANN401 - checked here
    """Return the path of a file, or the encoded content of one."""
    if isinstance(clip, bytes):
        return clip
    if isinstance(clip, str | os.PathLike):
        return os.fspath(clip)
    if callable(detach := getattr(clip, "detach", None)):
        clip = detach().cpu().numpy()
    values = np.asarray(clip) if isinstance(clip, np.ndarray | list | tuple) else None
    if values is None or not is_sound(values.dtype) or values.ndim not in (1, 2):
        kind = _kind(clip) if values is None else f"an array of {values.dtype}, {values.shape}"
        raise DatasetError(
            f"clip {i} is {kind}; a clip is a path, the bytes of a file, or a (T,) array of floats "
            "in [-1, 1], int16, int32 or uint8"
        )
    if rate is None:
        raise DatasetError("arrays do not say how fast they are; give sample_rate=16000")
    return wav_of(values, rate)  # type: ignore[arg-type]


def _table(clips: Any) -> pa.Table:  # noqa: ANN401 - of several libraries
    if isinstance(clips, Mapping):
        parts = ", ".join(map(str, clips))
        raise DatasetError(f"{_kind(clips)} has the parts {parts}; give one of them, as {WANTED}")
    if isinstance(clips, pa.RecordBatch):
        return pa.Table.from_batches([clips])
    if isinstance(clips, pa.Table):
        return clips
    if not hasattr(clips, "__len__"):
        raise DatasetError(f"{_kind(clips)} is a stream without an end; {WANTED}")
    if hasattr(clips, "with_format"):
        return clips.with_format("arrow")[:]
    if hasattr(clips, "to_arrow"):
        return clips.to_arrow()
    try:
        return pa.Table.from_pandas(clips, preserve_index=False)
    except (pa.ArrowException, ValueError, TypeError, AttributeError) as error:
        raise DatasetError(f"the table cannot be read: {error}; {WANTED}") from error


def _with_columns(table: pa.Table, given: Given) -> tuple[pa.Table, dict[str, str]]:
    """Return the table with what was given beside it, and which columns hold what."""
    columns: dict[str, str] = {}
    for part, values, classes in (
        ("label", given.truth, given.classes),
        ("speaker", given.speakers, ()),
    ):
        if isinstance(values, str):
            columns[part] = values
        elif values is not None:
            what = "truth" if part == "label" else "speakers"
            texts = texts_of(values, what, len(table), classes)
            cells = pa.array(texts, pa.string())
            if part == "label" and _are_lists(values):
                cells = pa.array([_several(one, classes) for one in values])
            column = free_name(part, "given_", table.column_names)
            table = table.append_column(column, cells)
            columns[part] = column
    if given.sample_rate is not None and RATE not in table.column_names:
        table = table.append_column(RATE, pa.array([given.sample_rate] * len(table)))
    return table, columns


def _are_lists(values: Sequence[object]) -> bool:
    """Tell whether some clip is given a list of labels, or a set of them."""
    return any(isinstance(one, list | tuple | set | frozenset | np.ndarray) for one in values)


def _several(labels: Any, classes: Sequence[str]) -> list[str] | None:  # noqa: ANN401 - checked here
    """Return the labels of a clip in a list, a single one too; `None` where nothing is said."""
    if not _are_lists([labels]):
        one = _text(labels, "truth", classes)
        return None if one is None else [one]
    texts = (_text(one, "truth", classes) for one in _plain(labels))
    return [text for text in texts if text is not None]


def _kind(value: object) -> str:
    return type(value).__name__
