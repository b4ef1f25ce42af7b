"""The rows of one split of a table whose column `split` says which row belongs to which."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING

from serval.datasets.columns import text_of
from serval.datasets.dataset import shared_speakers
from serval.datasets.listing import as_left_out
from serval.datasets.splits import choose_split

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from serval.datasets.columns import Schema
    from serval.datasets.rows import ClipSource, Row, Table
    from serval.records import LeftOut

__all__ = ["OfSplit", "RowsByColumn", "rows_of_split", "shared_in_table"]


@dataclass(frozen=True, kw_only=True)
class RowsByColumn(ABC):
    """Some rows of a table, chosen by what stands in one of its columns.

    Attributes:
        table: Every row.
        column: What chooses them.
    """

    table: Table
    column: str

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
        """Return what each row of the whole table has in the column, `""` for nothing."""
        return [self._name(row) for row in self.table.rows(0, None, [self.column])]

    @abstractmethod
    def keeps(self, name: str) -> bool:
        """Tell whether a row with that name in the column is kept."""

    def _kept(self, columns: Sequence[str]) -> Iterator[Row]:
        wanted = list(dict.fromkeys((*columns, self.column)))
        return (row for row in self.table.rows(0, None, wanted) if self.keeps(self._name(row)))

    def _name(self, row: Row) -> str:
        names = self.schema.class_names.get(self.column, ())
        return text_of(row.cells.get(self.column), names) or ""


@dataclass(frozen=True, kw_only=True)
class OfSplit(RowsByColumn):
    """The rows of a table that bear one split's name, in small or capital letters.

    Attributes:
        split: The one to keep; `""` for the rows that name none.
    """

    split: str

    def keeps(self, name: str) -> bool:
        """Tell whether a row with that name in the column is kept."""
        return name.casefold() == self.split.casefold()

    def of(self, split: str) -> OfSplit:
        """Return the rows of another split."""
        return OfSplit(table=self.table, column=self.column, split=split)


def rows_of_split(
    table: Table, asked: str | None, subject: str
) -> tuple[Table, str, tuple[LeftOut, ...]]:
    """Return the rows of one split, if there is a column `split`, and what is in none.

    Raises:
        DatasetNotFoundError: There is no such split, or no way to tell which one is meant.
    """
    column = next((name for name in table.schema.kinds if name.casefold() == "split"), None)
    if column is None:
        return table, choose_split([""], asked, subject), ()
    whole = OfSplit(table=table, column=column, split="")
    texts = whole.names()
    splits: dict[str, str] = {}
    for text in texts:
        if text:
            splits.setdefault(text.casefold(), text)
    split = choose_split(splits.values() or [""], asked, subject)
    unnamed = [f"row {i}" for i, text in enumerate(texts, 1) if not text and split]
    left_out = (as_left_out(f"with nothing in the column {column}", unnamed),) if unnamed else ()
    return whole.of(split), split, left_out


def shared_in_table(source: ClipSource) -> Iterator[str]:
    """Yield what the split's speakers have in common with a train split in the same table."""
    table = source.table
    if source.split.casefold() in ("", "train") or not isinstance(table, OfSplit):
        return
    yield from shared_speakers(source, replace(source, table=table.of("train")))
