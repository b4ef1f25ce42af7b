"""Columns of text that stay small in memory: a million clips as some arrays, not as objects each.

Each is a sequence like a tuple: indexed, sliced, gone through, and equal to a tuple of the same.
"""

from __future__ import annotations

from abc import abstractmethod
from array import array
from bisect import bisect_right
from collections.abc import Hashable, Iterator, Sequence
from typing import Generic, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T")
Value = TypeVar("Value", bound=Hashable)

Order = NDArray[np.int64]

NOTHING = object()
"""Equal to no value: what comes behind the last."""

DIGEST = 32
"""Bytes of a sha256."""


class Packed(Sequence[T]):
    """What all packed columns share; each knows how to give one value, and its length."""

    __slots__ = ()
    __hash__ = None  # type: ignore[assignment]

    @abstractmethod
    def _at(self, row: int) -> T:
        """Return the value of a row in `range(len(self))`."""

    @overload
    def __getitem__(self, rows: int) -> T: ...
    @overload
    def __getitem__(self, rows: slice) -> tuple[T, ...]: ...
    def __getitem__(self, rows: int | slice) -> T | tuple[T, ...]:
        """Return one value, or those of a slice as a tuple."""
        places = range(len(self))[rows]
        return self._at(places) if isinstance(places, int) else tuple(map(self._at, places))

    def __iter__(self) -> Iterator[T]:
        """Yield the values in order."""
        return map(self._at, range(len(self)))

    def __eq__(self, other: object) -> bool:
        """Tell whether another sequence has the same values in the same order."""
        if not isinstance(other, Packed | tuple):
            return NotImplemented
        if self is other:
            return True
        return len(self) == len(other) and all(a == b for a, b in zip(self, other, strict=True))

    def __repr__(self) -> str:
        """Return the values as a tuple shows them."""
        return repr(tuple(self))


class PackedColumn(Packed[T]):
    """A packed column that is filled value by value."""

    __slots__ = ()

    @abstractmethod
    def append(self, value: T) -> None:
        """Add a value."""

    @abstractmethod
    def ordered(self, order: Order) -> PackedColumn[T]:
        """Return the values of these rows in this order."""


class Texts(PackedColumn[str]):
    """Texts that are mostly different from each other: their bytes, and where each ends."""

    __slots__ = ("_content", "_ends")

    def __init__(self) -> None:
        self._content, self._ends = bytearray(), array("q", [0])

    def append(self, value: str) -> None:
        """Add a text without halves of characters."""
        self._content += value.encode("utf-8")
        self._ends.append(len(self._content))

    def ordered(self, order: Order) -> Texts:
        """Return the texts of these rows in this order."""
        found = Texts()
        for row in order.tolist():
            found.append(self._at(row))
        return found

    def _at(self, row: int) -> str:
        return self._content[self._ends[row] : self._ends[row + 1]].decode("utf-8")

    def __len__(self) -> int:
        """Return the number of texts."""
        return len(self._ends) - 1


class Digests(PackedColumn[str]):
    """Values of sha256 as 64 hex digits, or `""` where one is not known."""

    __slots__ = ("_content", "_known")

    def __init__(self) -> None:
        self._content, self._known = bytearray(), bytearray()

    def append(self, value: str) -> None:
        """Add 64 hex digits in lower case, or `""`."""
        self._known.append(bool(value))
        self._content += bytes.fromhex(value) if value else bytes(DIGEST)

    def ordered(self, order: Order) -> Digests:
        """Return the values of these rows in this order."""
        found = Digests()
        found._known = bytearray(np.frombuffer(self._known, np.uint8)[order])
        found._content = bytearray(np.frombuffer(self._content, f"V{DIGEST}")[order])
        return found

    def _at(self, row: int) -> str:
        return self._content[DIGEST * row : DIGEST * (row + 1)].hex() if self._known[row] else ""

    def __len__(self) -> int:
        """Return the number of values, known or not."""
        return len(self._known)


class Coded(PackedColumn[Value], Generic[Value]):
    """Values that repeat, such as speakers: the different ones, and four bytes for each row."""

    __slots__ = ("_codes", "_places", "_values")

    def __init__(self) -> None:
        self._codes = array("i")
        self._values: list[Value] = []
        self._places: dict[Value, int] = {}

    def append(self, value: Value) -> None:
        """Add a value."""
        code = self._places.setdefault(value, len(self._values))
        if code == len(self._values):
            self._values.append(value)
        self._codes.append(code)

    def ordered(self, order: Order) -> Coded[Value]:
        """Return the values of these rows in this order."""
        found: Coded[Value] = Coded()
        found._values, found._places = self._values, self._places
        found._codes = array("i", np.frombuffer(self._codes, np.int32)[order].tobytes())
        return found

    def _at(self, row: int) -> Value:
        return self._values[self._codes[row]]

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self._codes)


class Following(PackedColumn[T]):
    """A column that most often says what one of another run says: while it does, it takes no room.

    Runs that are compared are mostly of the same clips, in the same order.
    """

    __slots__ = ("_ahead", "_leader", "_n", "_own")

    def __init__(self, leader: PackedColumn[T]) -> None:
        self._leader, self._n = leader, 0
        self._ahead: Iterator[T | object] = iter(leader)
        self._own: PackedColumn[T] | None = None

    def append(self, value: T) -> None:
        """Add a value; the first that is another than the leader's parts them."""
        if self._own is None and next(self._ahead, NOTHING) == value:
            self._n += 1
        else:
            self._parted().append(value)

    def whole(self) -> PackedColumn[T]:
        """Return the column once it is filled: the leader itself where that says the same."""
        is_leader = self._own is None and self._n == len(self._leader)
        return self._leader if is_leader else self._parted()

    def ordered(self, order: Order) -> PackedColumn[T]:
        """Return the values of these rows in this order."""
        return self.whole().ordered(order)

    def _parted(self) -> PackedColumn[T]:
        if self._own is None:
            self._own = type(self._leader)()
            for value in self._leader[: self._n]:
                self._own.append(value)
        return self._own

    def _at(self, row: int) -> T:
        return self._leader[row] if self._own is None else self._own[row]

    def __len__(self) -> int:
        """Return the number of rows."""
        return self._n if self._own is None else len(self._own)


class Scattered(Packed[str | None]):
    """A column that not every row has: memory grows with the rows that have a value.

    A journal may name a new column on every line, and each has no value on all other lines.
    """

    __slots__ = ("_rows", "_some", "n")

    def __init__(self) -> None:
        self._rows, self._some = array("q"), Coded[str]()
        self.n = 0

    def put(self, row: int, value: str) -> None:
        """Set the value of a row behind all those that have one."""
        self._rows.append(row)
        self._some.append(value)

    def ordered(self, order: Order | None, n: int) -> Packed[str | None]:
        """Return the column of n rows; one that most rows have is no longer scattered."""
        self.n = n
        if 2 * len(self._rows) >= n:
            return self._dense(order)
        if order is None:
            return self
        found, place = Scattered(), np.empty(n, dtype=np.int64)
        place[order] = np.arange(n)
        new = place[np.frombuffer(self._rows, np.int64)]
        for i in np.argsort(new).tolist():
            found.put(int(new[i]), self._some[i])
        found.n = n
        return found

    def _dense(self, order: Order | None) -> Packed[str | None]:
        found: Coded[str | None] = Coded()
        for value in self:
            found.append(value)
        return found if order is None else found.ordered(order)

    def __iter__(self) -> Iterator[str | None]:
        """Yield the value of each row, `None` where it has none."""
        last = 0
        for row, value in zip(self._rows, self._some, strict=True):
            yield from (None for _ in range(last, row))
            yield value
            last = row + 1
        yield from (None for _ in range(last, self.n))

    def _at(self, row: int) -> str | None:
        i = bisect_right(self._rows, row) - 1
        return self._some[i] if i >= 0 and self._rows[i] == row else None

    def __len__(self) -> int:
        """Return the number of rows, with and without a value."""
        return self.n


class PositionSet:
    """A set of positions that are mostly neighbours: the first and the end of each stretch.

    Examples:
        >>> some = PositionSet([0, 1, 2, 7])
        >>> some.add(3)
        >>> len(some), 3 in some, 4 in some, some.first_missing
        (5, True, False, 4)
    """

    __slots__ = ("_ends", "_n", "_starts")

    def __init__(self, positions: Sequence[int] | Order = ()) -> None:
        each = np.unique(np.asarray(positions, dtype=np.int64))
        gaps = np.flatnonzero(np.diff(each) > 1)
        self._starts: list[int] = each[[0, *(gaps + 1)]].tolist() if len(each) else []
        self._ends: list[int] = (each[[*gaps, -1]] + 1).tolist() if len(each) else []
        self._n = len(each)

    def add(self, position: int) -> None:
        """Take one position in; one that is there already changes nothing."""
        i = bisect_right(self._starts, position)
        if i and position < self._ends[i - 1]:
            return
        self._n += 1
        joins_before = bool(i) and self._ends[i - 1] == position
        joins_after = i < len(self._starts) and self._starts[i] == position + 1
        start = self._starts[i - 1] if joins_before else position
        end = self._ends[i] if joins_after else position + 1
        self._starts[i - joins_before : i + joins_after] = [start]
        self._ends[i - joins_before : i + joins_after] = [end]

    @property
    def first_missing(self) -> int:
        """The lowest position, from 0, that is not among them."""
        return self._ends[0] if self._starts and self._starts[0] == 0 else 0

    def __contains__(self, position: int) -> bool:
        """Tell whether a position is among them."""
        i = bisect_right(self._starts, position)
        return bool(i) and position < self._ends[i - 1]

    def __len__(self) -> int:
        """Return how many there are."""
        return self._n
