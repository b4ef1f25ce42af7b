"""Predictions that somebody has already, in Python or in a file -> a run like any other."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from serval.datasets.given import texts_of
from serval.datasets.manifest import ManifestTable
from serval.errors import ConfigError, DatasetError, LabelError
from serval.labels import LabelMap, LabelSet, label_text
from serval.probabilities import probabilities_of
from serval.run import Provenance, Run
from serval.wording import counted, one_line, printable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

TRUTH = ("truth", "true_emotion", "y_true", "label", "emotion")
PREDICTED = ("predicted", "predicted_emotion", "prediction", "y_pred")
SPEAKER = ("speaker", "speaker_id")
OWN, OWN_COUNT = ("true_emotion", "predicted_emotion"), "sample_index"
"""Columns of serval's own file, whose groups may have any other name."""
CLIP = ("clip_id", "file", "path", "file_name")
PROB = "prob_"

WHOLE = re.compile(r"(?a:^(-?\d+)\.0+$)")

HARD = "only labels were given, no probabilities: nothing here says how sure the model is"
NO_AUDIO = "the run was made of predictions, without their clips"

TRUTH_VALUES = {"False": "0", "True": "1"}

SURE = 30.0
"""The logit of a label that was given without a probability."""

TOLERANCE = 0.01
"""What rounding to two decimals may put the sum of a few probabilities off by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedFacts:
    """What is known beside the predictions: what they are called, and the columns of a file."""

    name: str = ""
    folder: Path = Path("predictions")
    clip_ids: Sequence[str] | None = None
    groups: Mapping[str, tuple[str | None, ...]] | None = None


def run_of_file(path: Path) -> Run:
    """Return the run of a .csv, .tsv, .jsonl or .parquet file with a row for each clip.

    Its columns: `truth`; `predicted`, or `prob_LABEL` for each label; `speaker` and `clip_id` if
    there are any. Others are kept as groups. `detailed_results.csv` of serval is one.

    Raises:
        ConfigError: A column is missing, or does not hold what it should.
    """
    columns = _columns(path)
    truth, predicted = _answers(columns)
    probs = [name for name in columns if name.startswith(PROB)]
    if truth is None or not (probs or predicted):
        raise ConfigError(
            f"{path} has the columns {', '.join(columns)}; predictions need truth, and predicted "
            "or prob_LABEL for each label"
        )
    columns |= _with_number_texts(columns, (truth, predicted))
    labels = [_number_text(name.removeprefix(PROB)) for name in probs] or None
    shares = _numbers(columns, probs, path)
    if labels and predicted:
        _refuse_odd_shares(shares, path)
        _refuse_other_answers(columns[predicted], shares, labels, path)
    speaker, clip = _first(columns, SPEAKER), _first(columns, CLIP)
    told = StatedFacts(
        name=printable(path.stem),
        folder=Path(path.stem),
        clip_ids=[text or "" for text in columns[clip]] if clip else None,
        groups={name: tuple(columns[name]) for name in _groups(columns)},
    )
    said = shares if probs else columns[str(predicted)]
    run = _run(columns[truth], said, labels, columns[speaker] if speaker else None, told)
    return _with_answers(run, columns[predicted]) if labels and predicted else run


def _refuse_odd_shares(shares: NDArray[np.float64], path: Path) -> None:
    if np.isfinite(shares).all() and _no_shares(shares).any():
        raise ConfigError(
            f"{path} has scores that are no shares of one, as a model of sigmoids gives; give the "
            "folder of its run instead, or a file without the columns prob_LABEL"
        )


def _answers(columns: Mapping[str, object]) -> tuple[str | None, str | None]:
    """Return which columns are truth and answer; in a file of serval's own no group is taken."""
    own = tuple(column for column in OWN if column in columns)
    if OWN_COUNT in columns and own == OWN:
        return OWN
    return _first(columns, TRUTH), _first(columns, PREDICTED)


def _with_number_texts(
    columns: Mapping[str, list[str | None]], names: Sequence[str | None]
) -> dict[str, list[str | None]]:
    return {name: [cell and _number_text(cell) for cell in columns[name]] for name in names if name}


def _number_text(text: str) -> str:
    """Return a whole number as its digits: pandas writes 1.0 for 1 where some are missing."""
    return WHOLE.sub(r"\1", text)


def _refuse_other_answers(
    said: Sequence[str | None], shares: NDArray[np.float64], labels: Sequence[str], path: Path
) -> None:
    """Raise where an answer is not of the highest probability, so that one of them is wrong."""
    places = {label: k for k, label in enumerate(labels)}
    others = sum(
        text is not None and (text not in places or row[places[text]] < row.max())
        for text, row in zip(said, shares, strict=True)
    )
    if others:
        raise ConfigError(
            f"{path}: in {counted(others, 'row')} of {len(said):,} the predicted label has not the "
            "highest probability; leave out the columns prob_LABEL to score the labels, or the "
            "labels to score the probabilities"
        )


def _with_answers(run: Run, said: Sequence[str | None]) -> Run:
    """Return the run with the answers that are stated, which may be any of equal probabilities."""
    pairs = zip(said, run.predicted.tolist(), strict=True)
    ids = [first if text is None else run.labels.id_of(text) for text, first in pairs]
    return replace(run, predicted=np.array(ids, dtype=np.int64))


def run_of_predictions(
    y_true: object,
    y_pred: object,
    labels: Sequence[str] | None,
    speakers: object,
    name: str | None,
) -> Run:
    """Return a run of labels and predictions; see `serval.score`."""
    return _run(y_true, y_pred, labels, speakers, StatedFacts(name=name or "predictions"))


def _run(
    y_true: object,
    y_pred: object,
    labels: Sequence[str] | None,
    speakers: object,
    told: StatedFacts,
) -> Run:
    said, labels = _said(y_pred, labels)
    n = len(said)
    truth, texts = _in_text(y_true, said, labels or ())
    heard = (None,) * n if speakers is None else tuple(texts_of(speakers, "speakers", n))
    known = LabelSet(tuple(map(label_text, labels or sorted({*truth, *(texts or ())}))))
    logits = _logits(said) if texts is None else _hard(texts, known)
    return Run(
        folder=told.folder,
        provenance=_provenance(known, told, () if texts is None else (HARD,), n),
        clip_ids=_distinct(tuple(told.clip_ids or (f"clip-{i:06d}" for i in range(n)))),
        index=np.arange(n),
        truth=np.array([known.id_of(text) for text in truth], dtype=np.int64),
        predicted=logits.argmax(axis=1).astype(np.int64),
        logits=logits,
        probs=probabilities_of(logits).astype(np.float32),
        duration_s=np.zeros(n),
        inference_s=np.zeros(n),
        audio_sha256=("",) * n,
        speakers=heard,
        groups=told.groups or {},
        notes=((),) * n,
        failures=(),
        complete=True,
        seconds=0.0,
        dropped={},
        started="",
        peak_memory_mb=math.nan,
    )


def _in_text(
    y_true: object, said: NDArray[Any], labels: Sequence[str]
) -> tuple[list[str], list[str] | None]:
    """Return truth and answers as text; the answers are `None` where there are shares of labels."""
    truth = _whole(y_true, "y_true", len(said), labels)
    if said.ndim == 2:
        return truth, None
    texts = _whole(said, "y_pred", len(said), labels)
    if labels:
        return truth, texts
    return _with_numbers(truth, texts), _with_numbers(texts, truth)


def _with_numbers(texts: list[str], others: list[str]) -> list[str]:
    """Return truth values as the numbers that they are for Python, where the others are numbers."""
    if set(texts) <= TRUTH_VALUES.keys() and set(others) <= set(TRUTH_VALUES.values()):
        return [TRUTH_VALUES[text] for text in texts]
    return texts


def _said(y_pred: Any, labels: Sequence[str] | None) -> tuple[Any, Sequence[str] | None]:  # noqa: ANN401
    """Return predictions as an array, and the labels: of a table of probabilities its columns."""
    columns = getattr(y_pred, "columns", None)
    if columns is not None and hasattr(y_pred, "to_numpy"):
        named = [label_text(name) for name in columns]
        y_pred = y_pred.to_numpy()
        if labels is not None and y_pred.ndim == 2:
            y_pred = y_pred[:, _places(named, labels)]
        labels = labels or named
    array = _array(y_pred)
    if array.ndim == 2 and labels is None:
        raise ConfigError("probabilities do not say of which labels; give labels=[...]")
    if array.ndim not in (1, 2) or not len(array):
        raise ConfigError(
            f"y_pred has the shape {array.shape}; give (N,) labels or (N, K) probabilities"
        )
    if array.ndim == 2 and array.shape[1] != len(labels or ()):
        raise LabelError(
            f"y_pred has {counted(array.shape[1], 'column')} for "
            f"{counted(len(labels or ()), 'label')}"
        )
    return array, labels


def _places(columns: Sequence[str], labels: Sequence[str]) -> list[int]:
    """Return which column of a table has the probabilities of each label.

    Raises:
        LabelError: They do not have the same names.
    """
    names = LabelMap(labels=LabelSet(map(label_text, labels)), explicit={})
    found = {names[column]: i for i, column in enumerate(columns)}
    if None in found or len(found) != len(names.labels) or len(columns) != len(found):
        raise LabelError(
            f"y_pred has the columns {', '.join(columns)} and labels are "
            f"{', '.join(names.labels)}; give the columns these names, or leave labels out"
        )
    return [found[label] for label in names.labels]


def _array(y_pred: Any) -> NDArray[Any]:  # noqa: ANN401 - lists, arrays, columns
    if isinstance(y_pred, list | tuple) and any(isinstance(one, str) for one in y_pred):
        return np.array(y_pred, dtype=object)  # so that a NaN among texts stays one
    return np.asarray(y_pred)


def _whole(values: object, what: str, n: int, classes: Sequence[str]) -> list[str]:
    texts = texts_of(values, what, n, classes)
    if None in texts:
        raise LabelError(f"{what} has no label in row {texts.index(None)}; leave such rows out")
    return [str(text) for text in texts]


def _logits(probs: NDArray[Any]) -> NDArray[np.float32]:
    if probs.dtype.kind not in "fiu":
        raise ConfigError(f"y_pred holds {probs.dtype}, no probabilities; give numbers in [0, 1]")
    wide = probs.astype(np.float64)
    odd = _no_shares(wide)
    if odd.any():
        row = int(odd.argmax())
        raise ConfigError(
            f"row {row} of the probabilities sums to {wide[row].sum():.4g}; give shares in [0, 1] "
            "that sum to 1, such as the softmax of logits"
        )
    return np.log(np.maximum(wide, np.finfo(np.float32).tiny)).astype(np.float32)


def _no_shares(probs: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which rows are not numbers in [0, 1] that sum to 1."""
    inside = ((probs >= 0) & (probs <= 1)).all(axis=1)
    return np.asarray(~inside | (np.abs(probs.sum(axis=1) - 1) > TOLERANCE))


def _hard(texts: Sequence[str], labels: LabelSet) -> NDArray[np.float32]:
    return (
        np.float32(SURE)
        * np.eye(len(labels), dtype=np.float32)[[labels.id_of(text) for text in texts]]
    )


def _distinct(ids: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(ids)) == len(ids):
        return ids
    return tuple(f"{name}#{i}" for i, name in enumerate(ids))


def _provenance(
    labels: LabelSet, told: StatedFacts, caveats: tuple[str, ...], n: int
) -> Provenance:
    data: dict[str, Any] = {"name": told.name, "location": "", "revision": "", "split": "",
                            "fingerprint": "", "licence": "not stated", "n_clips": n}  # fmt: skip
    return Provenance(
        labels=labels,
        model={"name": told.name, "path": "", "sha256": "", "size_bytes": None, "contract": {}},
        dataset=data | {"caveats": list(caveats), "left_out": [], "no_audio": NO_AUDIO},
        options={"name": told.name, "limit": None},
        platform={},
        identity={},
    )


def _columns(path: Path) -> dict[str, list[str | None]]:
    if path.suffix.lower() == ".parquet":
        return _parquet_columns(path)
    table = ManifestTable(files=[path])
    names = list(table.schema.kinds)
    rows = [row.cells for row in table.rows(0, None, names)]
    if not rows:
        raise DatasetError(f"{path} has no rows; give it one for each clip")
    return {name: [_cell(row.get(name)) for row in rows] for name in names}


def _parquet_columns(path: Path) -> dict[str, list[str | None]]:
    """Return the columns that are text; `probs` of serval's own file in a column for each label."""
    try:
        table = pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise DatasetError(f"{path} cannot be read as parquet: {one_line(error)}") from error
    columns = {
        name: [_cell(value) for value in table[name].to_pylist()]
        for name in table.column_names
        if not pa.types.is_nested(table.schema.field(name).type)
    }
    stored = (table.schema.metadata or {}).get(b"serval.labels")
    if stored and "probs" in table.column_names:
        rows = table["probs"].to_pylist()
        for k, label in enumerate(json.loads(stored)):
            columns[f"{PROB}{label}"] = [str(row[k]) for row in rows]
    return columns


def _cell(value: object) -> str | None:
    text = "" if value is None else str(value).strip()
    # What a spreadsheet must not take for a formula has an apostrophe in front.
    text = text[1:] if text[:1] == "'" and text[1:2] in "=+-@" else text
    return text or None


def _first(columns: Mapping[str, object], names: Sequence[str]) -> str | None:
    return next((name for name in names if name in columns), None)


def _numbers(
    columns: Mapping[str, list[str | None]], names: Sequence[str], path: Path
) -> NDArray[np.float64]:
    try:
        return np.array([[float(cell or "nan") for cell in columns[name]] for name in names]).T
    except ValueError as error:
        raise ConfigError(f"{path}: {one_line(error)} in the columns of probabilities") from error


def _groups(columns: Mapping[str, object]) -> list[str]:
    own = {*TRUTH, *PREDICTED, *SPEAKER, *CLIP}
    numbers = {"sample_index", "predicted_id", "true_id", "correct", "confidence", "duration_s",
               "inference_s", "index", "notes", "audio_sha256"}  # fmt: skip
    return [n for n in columns if n not in own | numbers and not n.startswith(PROB)]
