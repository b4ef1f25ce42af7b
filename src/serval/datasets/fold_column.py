"""The rows of one fold of a table whose column `fold` says in whose test part each row is."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from serval.datasets.columns import Schema
from serval.datasets.listing import as_left_out
from serval.datasets.split_column import RowsByColumn, rows_of_split
from serval.datasets.splits import choose_split

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from serval.datasets.rows import Row, Table
    from serval.datasets.split_column import Voices
    from serval.records import LeftOut

__all__ = ["has_part", "is_fold", "rows_of_part"]

ALL_FOLDS = "folds"
"""The test parts of all folds as one set, whose clips bear their fold's name."""

FOLD = re.compile(r"fold(?P<fold>.+)\.(?P<part>test|train)")
COLUMN = "fold"


@dataclass(frozen=True, kw_only=True)
class _OfFold(RowsByColumn):
    """The rows of a table that are in one part of one fold, or in the test part of any.

    Attributes:
        fold: The one to keep; `""` for all.
        train: Keep what is in no test part of that fold.
    """

    fold: str = ""
    train: bool = False

    def keeps(self, name: str) -> bool:
        """Tell whether a row of that fold is kept; one of no fold never is."""
        return bool(name) and (not self.fold or (name == self.fold) != self.train)

    def voices(self, speakers: Mapping[str, set[str]]) -> Voices:
        """Return the speakers of a test part and of its train part; of all folds, of any."""
        folds = {name: some for name, some in speakers.items() if name}
        here = set().union(*(some for name, some in folds.items() if self.keeps(name)))
        if self.train:
            return here, set()
        if self.fold:
            return here, set().union(*(s for name, s in folds.items() if name != self.fold))
        n_folds = Counter(speaker for some in folds.values() for speaker in some)
        return here, {speaker for speaker, n in n_folds.items() if n > 1}


@dataclass(frozen=True, kw_only=True)
class _WithoutFold:
    """The rows of a table whose column of folds is not asked for.

    Attributes:
        table: Every row.
        column: Names the fold.
    """

    table: Table
    column: str

    @cached_property
    def schema(self) -> Schema:
        """The other columns of the table."""
        known = self.table.schema
        kinds = {name: kind for name, kind in known.kinds.items() if name != self.column}
        return Schema(kinds=kinds, class_names=known.class_names)

    def n_rows(self) -> int:
        """Return the number of rows."""
        return self.table.n_rows()

    def rows(self, start: int, stop: int | None, columns: Sequence[str], /) -> Iterator[Row]:
        """Yield the rows from `start` up to `stop`."""
        return self.table.rows(start, stop, columns)


def is_fold(split: str) -> bool:
    """Tell whether a split is a part of folds.

    Examples:
        >>> is_fold("fold3.test"), is_fold("folds"), is_fold("test")
        (True, True, False)
    """
    return split == ALL_FOLDS or FOLD.fullmatch(split) is not None


def has_part(table: Table, asked: str | None) -> bool:
    """Tell whether a column of a table says which rows are in the split that is asked for."""
    wants_fold = asked is not None and is_fold(asked)
    return _column(table, "split" if not wants_fold else COLUMN) is not None


def rows_of_part(
    table: Table, asked: str | None, subject: str, *, hide: bool = False
) -> tuple[Table, str, tuple[LeftOut, ...]]:
    """Return the rows of a split or fold, its name, and what is in none.

    Args:
        table: Every row, with a column `split`, `fold`, both or none.
        asked: The split; also `folds`, `foldN.test` and `foldN.train`.
        subject: What the user calls the set.
        hide: A column `fold` is none of the clips' groups unless a fold is asked for.

    Raises:
        DatasetNotFoundError: There is no such part, or no way to tell which one is meant.
    """
    column = _column(table, COLUMN)
    if column is None:
        return rows_of_split(table, asked, subject)
    if asked is not None and (is_fold(asked) or _column(table, "split") is None):
        return _rows_of_fold(table, column, asked, subject)
    rest: Table = _WithoutFold(table=table, column=column) if hide else table
    return rows_of_split(rest, asked, subject)


def _rows_of_fold(
    table: Table, column: str, asked: str, subject: str
) -> tuple[Table, str, tuple[LeftOut, ...]]:
    whole = _OfFold(table=table, column=column)
    texts = whole.names()
    folds = sorted({text for text in texts if text}, key=lambda text: (len(text), text))
    parts = [f"fold{fold}.{part}" for fold in folds for part in ("test", "train")]
    split = choose_split([ALL_FOLDS, *parts], asked, subject)
    unnamed = [f"row {i}" for i, text in enumerate(texts, 1) if not text]
    left_out = (as_left_out(f"with nothing in the column {column}", unnamed),) if unnamed else ()
    if split == ALL_FOLDS:
        return whole, split, left_out
    fold, _, part = split.removeprefix("fold").rpartition(".")
    of = _OfFold(table=table, column=column, fold=fold, train=part == "train")
    return of, split, left_out


def _column(table: Table, name: str) -> str | None:
    return next((known for known in table.schema.kinds if known.casefold() == name), None)
