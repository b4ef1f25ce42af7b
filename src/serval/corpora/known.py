"""Every corpus: each module of this room that holds a `CORPUS`."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING

import serval.corpora
from serval.trained_on import letters_of

if TYPE_CHECKING:
    from serval.corpora.corpus import Corpus


@cache
def known_corpora() -> tuple[Corpus, ...]:
    """Return every corpus that is known, those that need no path first, then by name."""
    names = [module.name for module in iter_modules(serval.corpora.__path__)]
    modules = [import_module(f"serval.corpora.{name}") for name in names]
    found = [module.CORPUS for module in modules if hasattr(module, "CORPUS")]
    return tuple(sorted(found, key=lambda corpus: (not corpus.location, corpus.name.casefold())))


def corpus_called(name: str) -> Corpus | None:
    """Return the corpus of that name, in whatever way its letters are written.

    Examples:
        >>> corpus_called("crema_d").name, corpus_called("C")
        ('CREMA-D', None)
    """
    wanted = letters_of(name)
    return next((corpus for corpus in known_corpora() if letters_of(corpus.name) == wanted), None)
