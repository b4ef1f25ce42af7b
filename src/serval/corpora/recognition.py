"""Which corpus a folder holds, by the names of its files alone.

A corpus that is taken for another, or a folder of one's own that is taken for a corpus, is worse
than one that is not recognised. So nearly all of the audio files must fit one grammar, those of
two corpora that fit alike are told apart by their folders or not at all, and a corpus whose names
could be anybody's must have its folders or its tables beside them.
"""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING

from serval.corpora.known import known_corpora
from serval.trained_on import same_corpus

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from serval.corpora.corpus import Corpus

ENOUGH = 0.95
"""Share of the audio files whose names must be those of a corpus."""

ANYBODYS = "audio/clip.wav"
"""A path that tells of no corpus."""


def fitting(corpus: Corpus, paths: Iterable[str]) -> float:
    """Return the share of the paths that a corpus's clips could have, in [0, 1]; 0 without any."""
    fits = [corpus.named(path) is not None for path in paths if corpus.kind_beside(path) is None]
    return sum(fits) / max(1, len(fits))


def recognised(sounds: Sequence[str], files: Sequence[str]) -> tuple[Corpus, ...]:
    """Return the corpus that a folder holds: none where that is not sure, several if alike.

    Args:
        sounds: The paths of its audio files, beginning with the name of the folder itself.
        files: The paths of all of its files.
    """
    if not sounds:
        return ()
    fits = [
        (fitting(corpus, sounds), corpus)
        for corpus in known_corpora()
        if corpus.grammar
        and _may_fit(corpus, sounds)
        and has_tables(corpus, files)
        and _share(corpus.layout, sounds) >= ENOUGH
    ]
    most = max((share for share, _ in fits), default=0.0)
    if most < ENOUGH:
        return ()
    alike = tuple(corpus for share, corpus in fits if share == most)
    told = tuple(corpus for corpus in alike if _is_told(corpus, sounds))
    return told if len(told) == 1 else alike


def lacking_tables(sounds: Sequence[str], files: Sequence[str]) -> Corpus | None:
    """Return the corpus that a folder holds without the tables that alone label its clips, if any.

    Only where the clips lie as in the corpus: folders that somebody sorted them into are labels.
    """
    for corpus in known_corpora():
        is_own = corpus.grammar and corpus.named(ANYBODYS) is None
        if not is_own or "(?P<label>" in corpus.grammar or has_tables(corpus, files):
            continue
        clips = [path for path in sounds if corpus.named(path) is not None]
        if fitting(corpus, sounds) >= ENOUGH and all(_lies_as_in(corpus, path) for path in clips):
            return corpus
    return None


def _lies_as_in(corpus: Corpus, path: str) -> bool:
    """Tell whether a clip's folder is the corpus's: it begins its name, or is needed to know it."""
    folder, _, name = path.rpartition("/")
    return name.startswith(folder.rpartition("/")[2]) or corpus.named(f"-/{name}") is None


def _may_fit(corpus: Corpus, sounds: Sequence[str]) -> bool:
    """Tell whether few enough names are strange, looking no further once they are too many."""
    few = (1 - ENOUGH) * len(sounds)
    strange = (1 for path in sounds if corpus.named(path) is None and not corpus.kind_beside(path))
    return sum(islice(strange, int(few) + 1)) <= few


def has_tables(corpus: Corpus, files: Sequence[str]) -> bool:
    """Tell whether the tables are there without which the names say too little."""
    return all(
        any(re.fullmatch(f"(?:.*/)?{table.files}", file) for file in files)
        for table in corpus.tables
        if table.required
    )


def _is_told(corpus: Corpus, sounds: Sequence[str]) -> bool:
    """Tell whether folders say that it is this corpus, and not another whose names are alike."""
    if corpus.folders and _share(corpus.folders, sounds) >= ENOUGH:
        return True
    return all(any(same_corpus(corpus.name, part) for part in path.split("/")) for path in sounds)


def _share(pattern: str, paths: Sequence[str]) -> float:
    """Return the share of paths with a part that fits."""
    found = re.compile(pattern).search
    return sum(found(path) is not None for path in paths) / len(paths)
