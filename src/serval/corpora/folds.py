"""Folds that keep speakers apart: the published ones, or by one stated rule."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from serval.corpora.corpus import Corpus

FOLDS = 5
"""Made where none are published; fewer where there are fewer speakers."""

SEED = 0


def published_folds(corpus: Corpus) -> dict[str, str]:
    """Return the fold in whose test part each speaker is, from `1`; empty where none are known."""
    return {
        f"{corpus.name}_{speaker}": str(number)
        for number, speakers in enumerate(corpus.folds, 1)
        for speaker in speakers
    }


def folds_by_rule(clips: Iterable[tuple[str, Sequence[str]]], n: int = FOLDS) -> dict[str, str]:
    """Return the fold in whose test part each speaker is, from `1`; empty with fewer than two.

    The speakers, those with most clips first and else in the order of a seeded hash of their
    names, each go to the fold that has least of what they bring: clips, each emotion, and their
    sex, counted as shares of all clips with it. So the same clips give the same folds everywhere.

    Args:
        clips: `(speaker, what is to be balanced)` of each clip: its label and its speaker's sex.
        n: Number of folds; fewer where there are fewer speakers.

    Examples:
        >>> pairs = [(s, (e, s[0])) for s in ("m1", "m2", "f1", "f2") for e in ("sad", "happy")]
        >>> found = folds_by_rule(pairs, 2)
        >>> found["m1"] != found["m2"], found["f1"] != found["f2"]
        (True, True)
    """
    brought: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for speaker, features in clips:
        brought[speaker].update(["", *(f"{at} {text}" for at, text in enumerate(features) if text)])
    n = min(n, len(brought))
    if n < 2:
        return {}
    total = sum(brought.values(), Counter[str]())
    shares = [defaultdict[str, float](float) for _ in range(n)]
    found: dict[str, str] = {}
    for speaker in sorted(brought, key=lambda name: (-brought[name].total(), _draw(name))):
        own = {name: count / total[name] for name, count in brought[speaker].items()}
        load = [sum(share[name] * part for name, part in own.items()) for share in shares]
        fold = load.index(min(load))
        found[speaker] = str(fold + 1)
        for name, part in own.items():
            shares[fold][name] += part
    return found


def _draw(speaker: str) -> str:
    return hashlib.sha256(f"{SEED} {speaker}".encode()).hexdigest()
