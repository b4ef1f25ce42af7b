"""The rows of one split of a table whose column `split` says which row belongs to which.

Also who speaks both there and in the train part of the same set.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from serval.datasets.columns import text_of
from serval.datasets.listing import as_left_out
from serval.datasets.splits import TRAIN, choose_split
from serval.errors import ServalError
from serval.wording import composed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from serval.datasets.columns import Columns, Schema
    from serval.datasets.rows import ClipSource, Row, Table
    from serval.records import LeftOut

__all__ = ["OfSplit", "RowsByColumn", "Voices", "rows_of_split", "shared_with_train"]

Voices = tuple[AbstractSet[str], AbstractSet[str]]
"""Who speaks in the clips that are read, and in those that a model of them is trained on."""


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

    @abstractmethod
    def voices(self, speakers: Mapping[str, set[str]]) -> Voices:
        """Return the speakers of the rows that are kept, and of their train part.

        Args:
            speakers: What stands in the column -> who speaks in those rows.
        """

    def all_voices(self, columns: Columns) -> Voices:
        """Return the same of the whole table."""
        speakers: defaultdict[str, set[str]] = defaultdict(set)
        for row in self.table.rows(0, None, [self.column, columns.speaker or ""]):
            if (speaker := columns.cell(row.cells, columns.speaker)) is not None:
                speakers[self._name(row)].add(speaker)
        return self.voices(speakers)

    def _kept(self, columns: Sequence[str]) -> Iterator[Row]:
        wanted = list(dict.fromkeys((*columns, self.column)))
        return (row for row in self.table.rows(0, None, wanted) if self.keeps(self._name(row)))

    def _name(self, row: Row) -> str:
        names = self.schema.class_names.get(self.column, ())
        return composed(text_of(row.cells.get(self.column), names) or "")


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

    def voices(self, speakers: Mapping[str, set[str]]) -> Voices:
        """Return the speakers of the split, and of the train split unless it is that one."""
        here = set().union(*(some for name, some in speakers.items() if self.keeps(name)))
        train = (some for name, some in speakers.items() if name.casefold() in TRAIN)
        return here, set() if _trains(self.split) else set().union(*train)

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


def shared_with_train(
    source: ClipSource,
    splits: Iterable[str] = (),
    opened: Callable[[str], ClipSource] | None = None,
) -> Iterator[str]:
    """Yield one sentence if speakers of the part that is read are in its train part too.

    Args:
        source: Reads a split or a fold of a table, or a split of files.
        splits: Those of files that are there.
        opened: From the name of one of them to what reads it.
    """
    here, train = _voices(source, splits, opened)
    if shared := here & train:
        yield (
            f"{len(shared)} of {len(here)} speakers of the whole split also occur in train: "
            f"the score says {'nothing' if shared == here else 'too little'} about new speakers"
        )


def _voices(
    source: ClipSource, splits: Iterable[str], opened: Callable[[str], ClipSource] | None
) -> Voices:
    """Return the speakers of the part that is read and of its train part; none where none is."""
    if source.columns.speaker is None:
        return set(), set()
    if isinstance(source.table, RowsByColumn):
        return source.table.all_voices(source.columns)
    train = [name for name in splits if name.casefold() in TRAIN]
    if opened is None or not train or _trains(source.split):
        return set(), set()
    try:
        return set(source.speakers()), set().union(*(opened(name).speakers() for name in train))
    except ServalError:
        # A train split of another shape, or out of reach, is no reason not to read this one.
        return set(), set()


def _trains(split: str) -> bool:
    """Tell whether a split is one that models are trained on, or the only one."""
    return split.casefold() in ("", *TRAIN)
