"""Whether the speakers of a split are strangers to a model trained on the set."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from serval.datasets.rows import ClipSource

__all__ = ["shared_speakers"]


def shared_speakers(source: ClipSource, train: ClipSource) -> Iterator[str]:
    """Yield one sentence if speakers of `source` occur in the train split too, else nothing."""
    here = set(source.speakers())
    shared = here & set(train.speakers())
    if shared:
        yield (
            f"{len(shared)} of {len(here)} speakers of this split also occur in train: "
            f"the score says {'nothing' if shared == here else 'too little'} about new speakers"
        )
