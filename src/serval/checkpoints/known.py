"""What only the page of a checkpoint says, in code that people copy from there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["KNOWN", "KnownCheckpoint", "known_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownCheckpoint:
    """What the files of a checkpoint leave out.

    Attributes:
        labels: In the order of the outputs.
        clip_s: Seconds to which each clip is cut or filled with zeros.
    """

    labels: tuple[str, ...]
    clip_s: float


KNOWN: Mapping[str, KnownCheckpoint] = {
    "hubert-base-ch-speech-emotion-recognition": KnownCheckpoint(
        labels=("angry", "fear", "happy", "neutral", "sad", "surprise"), clip_s=6.0
    ),
}
"""By the name of the repository, or of the folder that it was downloaded into."""


def known_of(name: str) -> KnownCheckpoint | None:
    """Return what is known of a checkpoint beyond its files, or `None`.

    Examples:
        >>> known_of("hf:xmj2002/hubert-base-ch-speech-emotion-recognition@main").clip_s
        6.0
    """
    last = name.partition("@refs/")[0].replace("\\", "/").rstrip("/").rpartition("/")[2]
    return KNOWN.get(last.partition("@")[0])
