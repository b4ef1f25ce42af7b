"""What the tables of a corpus say of its clips: labels, votes, dimensions, ages."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from serval.datasets.columns import text_of
from serval.datasets.layout import is_audio
from serval.datasets.manifest import SUFFIXES, ManifestTable
from serval.errors import DatasetError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from serval.corpora import Corpus, LabelTable

ENCODINGS = ("utf-8-sig", "gb18030", "latin-1")
"""Of text files, the first that fits: recordings of Chinese come with Chinese lists."""

MOST_BYTES = 1 << 26
"""Of one text file; a list of a million clips is smaller."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableLabels:
    """What one kind of table says.

    Attributes:
        table: The kind.
        files: The files of that kind, relative to the corpus's folder.
        cells: Key -> the columns of that clip.
    """

    table: LabelTable
    files: tuple[str, ...]
    cells: Mapping[str, Mapping[str, str]]


def told_by_tables(corpus: Corpus, root: Path, files: Sequence[str]) -> tuple[TableLabels, ...]:
    """Return what the tables that are there say.

    Raises:
        DatasetError: A table is there and cannot be read.
    """
    return tuple(_told(table, root, files) for table in corpus.tables)


def _told(table: LabelTable, root: Path, files: Sequence[str]) -> TableLabels:
    pattern = re.compile(f"(?:.*/)?{table.files}")
    found = {file: match for file in files if (match := pattern.fullmatch(file))}
    cells: dict[str, dict[str, str]] = {}
    votes: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for file, match in found.items():
        keyed, row = False, None
        for row in _rows(root / file, table):
            known = {**match.groupdict(""), **row}
            key = _key(table, known)
            keyed = keyed or key is not None
            if key is None or any(known.get(name) != text for name, text in table.where.items()):
                continue
            cells.setdefault(key, _columns(table, known))
            if table.votes and known.get(table.votes):
                vote = known[table.votes]
                votes[key][table.meanings.get(vote, vote)] += 1
        if row is not None and not keyed:
            raise DatasetError(
                f"{file} has no columns that name a clip as {table.key}; "
                "get the corpus's own file again"
            )
    for key, counter in votes.items():
        cells[key]["votes"] = _counted(counter)
    return TableLabels(table=table, files=tuple(found), cells=cells)


def _columns(table: LabelTable, row: Mapping[str, str]) -> dict[str, str]:
    found = {ours: row.get(theirs, "") for ours, theirs in table.columns.items()}
    return {name: text for name, text in found.items() if text}


def _key(table: LabelTable, row: Mapping[str, str]) -> str | None:
    """Return which clip a row is about, or `None` where it lacks what names one."""
    try:
        key = table.key.format_map(row)
    except KeyError:
        return None
    return str(PurePosixPath(key).with_suffix("")) if is_audio(key) else key


def _counted(votes: Counter[str]) -> str:
    return ", ".join(f"{name} {n}" for name, n in votes.most_common())


def _rows(path: Path, table: LabelTable) -> Iterator[Mapping[str, str]]:
    """Yield the cells of each row, or of each entry of a text file."""
    if table.lines:
        yield from _entries(path, table)
    elif path.suffix.lower() in SUFFIXES:
        for row in ManifestTable(files=[path]).rows(0, None, ()):
            yield _texts(row.cells.items())


def _texts(cells: Iterable[tuple[str, object]]) -> dict[str, str]:
    return {name: text for name, cell in cells if (text := text_of(cell)) is not None}


def _entries(path: Path, table: LabelTable) -> Iterator[Mapping[str, str]]:
    for match in re.finditer(table.lines, _text(path), re.MULTILINE):
        cells = {name: text.strip() for name, text in match.groupdict("").items()}
        if table.answers:
            found = re.findall(table.answers, cells.get("votes", ""), re.MULTILINE)
            cells["votes"] = _counted(Counter(found))
        yield cells


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES)
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error.strerror}") from error
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16", "replace")
    for encoding in ENCODINGS:
        try:
            return content.decode(encoding).replace("\r\n", "\n")
        except UnicodeDecodeError:
            continue
    return ""
