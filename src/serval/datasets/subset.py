"""A part of a set, said to be one."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from serval.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from serval.records import Clip, ClipReader, Dataset

__all__ = ["first_clips", "only", "sampled", "stratified"]


def first_clips(dataset: Dataset, n: int) -> Dataset:
    """Return a dataset that was cut after `n` clips, with a caveat if there are more."""
    if dataset.n_rows is not None and dataset.n_rows <= n:
        return dataset
    caveat = (
        f"only the first {counted(n, 'clip')} of the set, in its own order: the rest may be unlike "
        "them"
    )
    return replace(dataset, caveats=(*dataset.caveats, caveat))


def sampled(dataset: Dataset, n: int, seed: int) -> Dataset:
    """Return a random sample of `n` clips, with as large a share of each label as in the set.

    A clip keeps its index and its id. The labels of all clips are read for it, no audio.

    Args:
        dataset: An opened set; all of it is returned if it has no more than `n` clips.
        n: Number of clips, at least 1.
        seed: Same set, same seed, same clips.
    """
    clips = [(clip.index, clip.label) for clip in dataset.metadata(0, None)]
    if len(clips) <= n:
        return dataset
    positions = stratified([label for _, label in clips], n, seed)
    chosen = frozenset(clips[position][0] for position in positions)
    state = f"{dataset.fingerprint} sample {n} seed {seed}"
    caveat = (
        f"a random sample of {n:,} of the set's {len(clips):,} clips, drawn by label (seed {seed})"
    )
    return replace(
        dataset,
        clips=only(dataset.clips, chosen),
        metadata=only(dataset.metadata, chosen),
        n_clips=n,
        fingerprint=hashlib.sha256(state.encode()).hexdigest(),
        caveats=(*dataset.caveats, caveat),
    )


def stratified(labels: Sequence[str], n: int, seed: int) -> list[int]:
    """Return `n` positions in rising order, each label's share as in `labels`.

    Each label gets its share of `n` rounded down; what is left goes to the largest remainders. A
    label with clips gets at least one while there are places for all labels.

    Source: the largest remainder method, Hamilton (1792).

    Args:
        labels: `(N,)`, N at least n.
        n: Number of positions.
        seed: Of the random numbers.

    Examples:
        >>> chosen = stratified(["sad"] * 6 + ["happy"] * 3 + ["calm"], 5, seed=0)
        >>> sorted(["sad"] * 6 + ["happy"] * 3 + ["calm"])[0], len(chosen)
        ('calm', 5)
    """
    members: defaultdict[str, list[int]] = defaultdict(list)
    for position, label in enumerate(labels):
        members[label].append(position)
    rng = np.random.default_rng(seed)
    places = _places([len(members[label]) for label in sorted(members)], n)
    chosen: list[int] = []
    for label, some in zip(sorted(members), places, strict=True):
        chosen += rng.choice(members[label], some, replace=False).tolist()
    return sorted(chosen)


def _places(sizes: Sequence[int], n: int) -> list[int]:
    """Return how many of each stratum are taken; they sum to `n`."""
    share = np.array(sizes, dtype=np.float64) * n / sum(sizes)
    least = 1 if len(sizes) <= n else 0
    places = np.maximum(np.floor(share), least).astype(int)
    while places.sum() != n:
        short = share - places
        # Where single clips were given to rare labels, the label with most to spare gives one back.
        at = short.argmax() if places.sum() < n else np.where(places > least, short, 2.0).argmin()
        places[at] += 1 if places.sum() < n else -1
    return [int(some) for some in places]


def only(read: ClipReader, chosen: frozenset[int]) -> ClipReader:
    """Return a reader of the clips with these indices."""
    last = max(chosen, default=-1) + 1

    def clips(start: int, stop: int | None) -> Iterator[Clip]:
        end = last if stop is None else min(stop, last)
        return (clip for clip in read(start, end) if clip.index in chosen)

    return clips
