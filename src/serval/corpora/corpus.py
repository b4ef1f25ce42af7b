"""What is known of a corpus: its names, its labels, its speakers, and what it should hold."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

SEXES = {
    **dict.fromkeys(("F", "f", "Female", "FEMALE"), "female"),
    **dict.fromkeys(("M", "m", "Male", "MALE"), "male"),
    **dict.fromkeys(("Unknown", "unknown"), ""),
}
"""How corpora write the sex of a speaker."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelTable:
    """A file of a corpus that says something of its clips.

    Attributes:
        files: Pattern of its path in the corpus; named groups are cells of all of its rows.
        key: Which clip a row is about, with `{cells}` in it; without folder and suffix.
        of: The column of the clips that a row is about instead: `speaker`.
        columns: Column of serval -> cell of the row.
        votes: The cell with one rater's answer, where a clip has a row for each; counted into a
            column `votes`.
        meanings: What codes of votes stand for; another vote is written as it is.
        answers: Pattern of each rater's answer in the cell `votes`, where one cell has all.
        where: Cell -> the value that a row must have to be read.
        lines: Pattern of one entry, for files that are no tables; its named groups are cells.
        required: The file names say too little: without it the corpus is not recognised.
    """

    files: str
    key: str
    of: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)
    votes: str = ""
    meanings: Mapping[str, str] = field(default_factory=dict)
    answers: str = ""
    where: Mapping[str, str] = field(default_factory=dict)
    lines: str = ""
    required: bool = False

    @property
    def shown(self) -> str:
        """Its path for people, with `*` for what differs."""
        return re.sub(r"\(\?P.*?\)|\[[^]]*\]\+?", "*", self.files).replace("\\.", ".")


@dataclass(frozen=True, slots=True, kw_only=True)
class Corpus:
    """One corpus, as data.

    A named group of `grammar`, or a column of a table, is a column of each clip. `label` and
    `speaker` must be among them; `gender`, `text` and `intensity` are those that most have.

    Attributes:
        name: As its authors write it.
        what: What is in it.
        language: That is spoken.
        clips: Number of clips that it should hold, without those of no agreed label; 0 where
            that differs between its releases.
        speakers: Number of speakers; 0 where that is not known.
        labels: Its codes -> emotions; `""` for codes of clips without an agreed label.
        licence: Of the audio.
        source: Where to get it.
        cite: Authors, title, year.
        grammar: Pattern of the end of a clip's path, without suffix.
        layout: Pattern of some part of the path, which recognition wants beside the grammar
            where the names alone could be anybody's.
        folders: Pattern of some part of the path, which tells it from a corpus whose names are
            alike.
        beside: Kind of recording -> pattern of the end of its path, of audio that has no label.
        derived: Column -> what it is made of, with other `{columns}` in it.
        codes: Column -> its codes -> what they mean; others stay as they are, or are put for `{}`
            in what the code `""` means.
        genders: Speaker -> `female` or `male`.
        counts: Emotion -> number of clips, where that is known.
        kinds: Kind of recording that is no clip of the corpus by default -> its column and value.
        tables: Further files that speak of the clips.
        key: Names a clip in the tables, with `{columns}` in it and its file's `{stem}`.
        folds: The speakers of each published test part, where they are in one part only.
        official: The corpus comes with splits of its own: no folds are made.
        suspects: File names of clips that may be without sound.
        videos: Its clips are the sound of videos.
        scale: Of its ratings of dimensions, such as `1..7`.
        caveats: One sentence each on what a score on it does not mean.
        location: `hf:ORG/NAME` or `builtin`, of a set that needs no path.
    """

    name: str
    what: str
    language: str
    clips: int
    speakers: int
    labels: Mapping[str, str]
    licence: str
    source: str
    cite: str
    grammar: str = ""
    layout: str = ""
    folders: str = ""
    beside: Mapping[str, str] = field(default_factory=dict)
    derived: Mapping[str, str] = field(default_factory=dict)
    codes: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    genders: Mapping[str, str] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)
    kinds: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    tables: tuple[LabelTable, ...] = ()
    key: str = "{stem}"
    folds: tuple[tuple[str, ...], ...] = ()
    official: bool = False
    suspects: tuple[str, ...] = ()
    videos: bool = False
    scale: str = ""
    caveats: tuple[str, ...] = ()
    location: str = ""

    @property
    def emotions(self) -> tuple[str, ...]:
        """The emotions that its labels stand for, each once."""
        return tuple(sorted({emotion for emotion in self.labels.values() if emotion}))

    @property
    def speaker_names(self) -> tuple[str, ...]:
        """All of its speakers, as far as it is known who they are."""
        names = [*self.genders, *(speaker for fold in self.folds for speaker in fold)]
        known = dict.fromkeys(self._meaning("speaker", name) for name in names)
        return tuple(known) if len(known) == self.speakers else ()

    def named(self, path: str) -> dict[str, str] | None:
        """Return what the path of a clip says, in the corpus's own codes; `None` of no clip."""
        match = _pattern(self.grammar).fullmatch(posixpath.splitext(path)[0])
        if match is None:
            return None
        found = {name: text for name, text in match.groupdict().items() if text is not None}
        return found | {name: made.format_map(found) for name, made in self.derived.items()}

    def kind_beside(self, path: str) -> str | None:
        """Return the kind of recording that lies at a path and has no label, if it is one."""
        if not self.beside or self.named(path) is not None:
            return None
        stem = posixpath.splitext(path)[0]
        kinds = (kind for kind, end in self.beside.items() if _pattern(end).fullmatch(stem))
        return next(kinds, None)

    def key_of(self, path: str, said: Mapping[str, str]) -> str:
        """Return what the tables call the clip at a path, whose name says `said`."""
        return self.key.format_map({**said, "stem": posixpath.splitext(path)[0].rpartition("/")[2]})

    def columns(self, said: Mapping[str, str]) -> dict[str, str]:
        """Return what is known of a clip, its codes in words and its speaker with the corpus."""
        speaker, label = said.get("speaker", ""), said.get("label", "")
        gender = {"gender": self.genders[speaker]} if speaker in self.genders else {}
        found = {name: self._meaning(name, text) for name, text in {**gender, **said}.items()}
        found["label"] = self.labels.get(label) or label
        if found.get("speaker"):
            found["speaker"] = f"{self.name}_{found['speaker']}"
        return {name: text for name, text in found.items() if text}

    def _meaning(self, column: str, code: str) -> str:
        codes = self.codes.get(column, SEXES if column == "gender" else {})
        return codes.get(code, codes.get("", "{}").format(code))


def by_parity(speakers: Iterable[int]) -> dict[str, str]:
    """Return the sex of speakers of whom the odd ones are male.

    Examples:
        >>> by_parity([7, 8])
        {'07': 'male', '08': 'female'}
    """
    return {f"{n:02}": "male" if n % 2 else "female" for n in speakers}


def coded(text: str) -> dict[str, str]:
    """Return codes and what they mean, from `CODE meaning | CODE meaning`.

    Examples:
        >>> coded("ANG angry | SUR pleasantly surprised")
        {'ANG': 'angry', 'SUR': 'pleasantly surprised'}
    """
    pairs = (part.strip().partition(" ")[::2] for part in text.split("|"))
    return dict(pairs)


def numbers(text: str) -> dict[str, int]:
    """Return what is counted and how often, from `NAME N NAME N`.

    Examples:
        >>> numbers("angry 127 bored 81")
        {'angry': 127, 'bored': 81}
    """
    words = text.split()
    return {name: int(n) for name, n in zip(words[::2], words[1::2], strict=True)}


def parted(text: str) -> tuple[tuple[str, ...], ...]:
    """Return the speakers of each fold, from `NAME NAME | NAME NAME`.

    Examples:
        >>> parted("f1 m1 | f2")
        (('f1', 'm1'), ('f2',))
    """
    return tuple(tuple(part.split()) for part in text.split("|"))


def sexes(*, female: str = "", male: str = "") -> dict[str, str]:
    """Return the sex of speakers from their names, with blanks between them.

    Examples:
        >>> sexes(female="f1 f2", male="m1")
        {'f1': 'female', 'f2': 'female', 'm1': 'male'}
    """
    return dict.fromkeys(female.split(), "female") | dict.fromkeys(male.split(), "male")


@lru_cache(maxsize=256)
def _pattern(grammar: str) -> re.Pattern[str]:
    return re.compile(f"(?:.*/)?(?:{grammar})", re.DOTALL)
