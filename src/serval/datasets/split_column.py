"""The rows of one split, or of one fold, of a table whose column says which part each row is in."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING

from serval.datasets.columns import Schema, text_of
from serval.datasets.layout import ALL_FOLDS, TRAIN, choose_split, is_fold
from serval.datasets.listing import as_left_out
from serval.errors import ServalError
from serval.wording import composed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from serval.datasets.columns import Columns
    from serval.datasets.rows import ClipSource, Row, Table
    from serval.records import LeftOut


Voices = tuple[AbstractSet[str], AbstractSet[str]]
"""Who speaks in the clips that are read, and in those that a model of them is trained on."""


@dataclass(frozen=True, kw_only=True)
class RowsOfPart:
    """Some rows of a table, chosen by what stands in one of its columns.

    Attributes:
        table: Every row.
        column: What chooses them.
        keeps: Whether a row with that text in the column is one of them; `""` stands for nothing.
        trains: Whether a model that is judged by a row with the first text is trained on those
            with the second.
    """

    table: Table
    column: str
    keeps: Callable[[str], bool]
    trains: Callable[[str, str], bool]

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

    def voices(self, columns: Columns) -> Voices:
        """Return the speakers of the rows that are kept, and those of them who are trained on."""
        texts: defaultdict[str, set[str]] = defaultdict(set)
        for row in self.table.rows(0, None, [self.column, columns.speaker or ""]):
            if (speaker := columns.cell(row.cells, columns.speaker)) is not None:
                texts[speaker].add(_text(self.table, self.column, row))
        here = {speaker: list(filter(self.keeps, some)) for speaker, some in texts.items()}
        trained = {
            speaker
            for speaker, kept in here.items()
            if any(self.trains(one, other) for one in kept for other in texts[speaker])
        }
        return {speaker for speaker, kept in here.items() if kept}, trained

    def _kept(self, columns: Sequence[str]) -> Iterator[Row]:
        wanted = list(dict.fromkeys((*columns, self.column)))
        rows = self.table.rows(0, None, wanted)
        return (row for row in rows if self.keeps(_text(self.table, self.column, row)))


def _text(table: Table, column: str, row: Row) -> str:
    names = table.schema.class_names.get(column, ())
    return composed(text_of(row.cells.get(column), names) or "")


def shared_with_train(
    source: ClipSource,
    splits: Iterable[str] = (),
    opened: Callable[[str], ClipSource] | None = None,
) -> Iterator[str]:
    """Yield one sentence if speakers of the part that is read are in its train part too."""
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
    if isinstance(source.table, RowsOfPart):
        return source.table.voices(source.columns)
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


@dataclass(frozen=True, kw_only=True)
class _WithoutFold:
    """The rows of a table whose column of folds is not asked for."""

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
    return _column(table, "fold" if wants_fold else "split") is not None


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
    fold, split = _column(table, "fold"), _column(table, "split")
    if fold is not None and asked is not None and (is_fold(asked) or split is None):
        return _rows_of_fold(table, fold, asked, subject)
    rest: Table = _WithoutFold(table=table, column=fold) if fold and hide else table
    if split is None:
        return rest, choose_split([""], asked, subject), ()
    return _rows_of_split(rest, split, asked, subject)


def _rows_of_split(
    table: Table, column: str, asked: str | None, subject: str
) -> tuple[Table, str, tuple[LeftOut, ...]]:
    """Return the rows that bear one split's name, in small or capital letters."""
    texts = _texts(table, column)
    splits: dict[str, str] = {}
    for text in filter(None, texts):
        splits.setdefault(text.casefold(), text)
    split = choose_split(splits.values() or [""], asked, subject)
    part = RowsOfPart(
        table=table,
        column=column,
        keeps=lambda text: text.casefold() == split.casefold(),
        trains=lambda _, other: other.casefold() in TRAIN and not _trains(split),
    )
    return part, split, _unnamed(texts, column) if split else ()


def _rows_of_fold(
    table: Table, column: str, asked: str, subject: str
) -> tuple[Table, str, tuple[LeftOut, ...]]:
    """Return the rows of one part of one fold, or of the test part of any."""
    texts = _texts(table, column)
    folds = sorted({text for text in texts if text}, key=lambda text: (len(text), text))
    prefix = "" if all(text.startswith("fold") for text in folds) else "fold"
    parts = [f"{prefix}{fold}.{part}" for fold in folds for part in ("test", "train")]
    split = choose_split([ALL_FOLDS, *parts], asked, subject)
    fold, _, name = split.removeprefix(prefix).rpartition(".")
    is_train, is_any = name == "train", split == ALL_FOLDS
    part = RowsOfPart(
        table=table,
        column=column,
        keeps=lambda text: bool(text) and (is_any or (text == fold) != is_train),
        trains=lambda text, other: not is_train and bool(other) and other != text,
    )
    return part, split, _unnamed(texts, column)


def _texts(table: Table, column: str) -> list[str]:
    return [_text(table, column, row) for row in table.rows(0, None, [column])]


def _unnamed(texts: Sequence[str], column: str) -> tuple[LeftOut, ...]:
    unnamed = [f"row {i}" for i, text in enumerate(texts, 1) if not text]
    return (as_left_out(f"with nothing in the column {column}", unnamed),) if unnamed else ()


def _column(table: Table, name: str) -> str | None:
    return next((known for known in table.schema.kinds if known.casefold() == name), None)
