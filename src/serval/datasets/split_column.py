"""The rows of one split, or of one fold, of a table whose column says which part each row is in."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter, defaultdict
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING

from serval.datasets.columns import Schema, text_of
from serval.datasets.listing import as_left_out
from serval.datasets.splits import ALL_FOLDS, TRAIN, choose_split, is_fold
from serval.errors import ServalError
from serval.wording import composed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from serval.datasets.columns import Columns
    from serval.datasets.rows import ClipSource, Row, Table
    from serval.records import LeftOut


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
