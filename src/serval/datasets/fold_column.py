"""The rows of one fold of a table whose column `fold` says in whose test part each row is."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING

from serval.datasets.columns import Schema, text_of
from serval.datasets.listing import counted
from serval.datasets.splits import choose_split

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from serval.datasets.rows import Row, Table
    from serval.records import LeftOut

__all__ = ["ALL_FOLDS", "rows_of_fold"]

ALL_FOLDS = "folds"
"""The test parts of all folds as one set, whose clips bear their fold's name."""

FOLD = re.compile(r"fold(?P<fold>.+)\.(?P<part>test|train)")
COLUMN = "fold"


@dataclass(frozen=True, kw_only=True)
class _OfFold:
    """The rows of a table that are in one part of one fold, or in the test part of any.

    Attributes:
        table: Every row.
        column: Names the fold.
        fold: The one to keep; `""` for all.
        train: Keep what is in no test part of that fold.
    """

    table: Table
    column: str
    fold: str = ""
    train: bool = False

    @property
    def schema(self) -> Schema:
        """The columns of the table."""
        return self.table.schema

    def n_rows(self) -> int:
        """Return the number of rows that are kept."""
        return sum(1 for _ in self._kept(()))

    def rows(self, start: int, stop: int | None, columns: Sequence[str], /) -> Iterator[Row]:
        """Yield the rows from `start` up to `stop`."""
        return islice(self._kept(columns), start, stop)

    def names(self) -> list[str]:
        """Return the fold of each row of the whole table, `""` for none."""
        return [self._name(row) for row in self.table.rows(0, None, [self.column])]

    def _kept(self, columns: Sequence[str]) -> Iterator[Row]:
        wanted = list(dict.fromkeys((*columns, self.column)))
        for row in self.table.rows(0, None, wanted):
            name = self._name(row)
            if name and (not self.fold or (name == self.fold) != self.train):
                yield row

    def _name(self, row: Row) -> str:
        names = self.table.schema.class_names.get(self.column, ())
        return text_of(row.cells.get(self.column), names) or ""


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


def without_fold(table: Table) -> Table:
    """Return a table without its column `fold`, if it has one: a part is asked for by name."""
    column = _column(table, COLUMN)
    return table if column is None else _WithoutFold(table=table, column=column)


def rows_of_fold(
    table: Table, asked: str | None, subject: str
) -> tuple[Table, str, tuple[LeftOut, ...]] | None:
    """Return the rows of `folds`, `foldN.test` or `foldN.train`, and what is in no fold.

    Returns:
        `None` where the table has no column `fold`, or no fold is asked for.

    Raises:
        DatasetNotFoundError: There is no such fold.
    """
    column = _column(table, COLUMN)
    is_fold = asked is not None and (asked == ALL_FOLDS or FOLD.fullmatch(asked))
    if column is None or asked is None or (not is_fold and _column(table, "split") is not None):
        return None
    whole = _OfFold(table=table, column=column)
    texts = whole.names()
    folds = sorted({text for text in texts if text}, key=lambda text: (len(text), text))
    parts = [f"fold{fold}.{part}" for fold in folds for part in ("test", "train")]
    split = choose_split([ALL_FOLDS, *parts], asked, subject)
    unnamed = [f"row {i}" for i, text in enumerate(texts, 1) if not text]
    left_out = (counted(f"with nothing in the column {column}", unnamed),) if unnamed else ()
    if split == ALL_FOLDS:
        return whole, split, left_out
    fold, _, part = split.removeprefix("fold").rpartition(".")
    of = _OfFold(table=table, column=column, fold=fold, train=part == "train")
    return of, split, left_out


def _column(table: Table, name: str) -> str | None:
    return next((known for known in table.schema.kinds if known.casefold() == name), None)
