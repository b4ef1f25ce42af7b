"""What a model file says of its own making: its training clips, how they sounded, and its parts."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from serval.errors import ConfigError
from serval.trained_on import SoundRanges, TrainedOn
from serval.wording import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["made_of", "sound_ranges", "trained_on"]

MADE_OF = (
    *("encoder", "encoder_sha256", "license", "layer", "layer_weights", "pooling", "head"),
    *("data", "data_fingerprint", "folds", "cross_validated", "made_with"),
)
"""What `serval probe --save` writes into a file beside its contract, for model cards."""

LONGEST_ENTRY = 2_000
"""Characters of one of them that are read."""

Said = TypeVar("Said", TrainedOn, SoundRanges)


def trained_on(metadata: Mapping[str, str]) -> tuple[TrainedOn | None, tuple[str, ...]]:
    """Return what a model file says that it was trained on, and what is wrong with that.

    Args:
        metadata: With an entry `trained_on`, see `serval.trained_on`, or without one.

    Returns:
        That, or `None` where nothing can be read, and one sentence if something cannot.
    """
    text = metadata.get("trained_on", "")
    return _entry_of(TrainedOn.parsed, text, "no overlap is looked for")


def _entry_of(
    read: Callable[[str], Said], text: str, without: str
) -> tuple[Said | None, tuple[str, ...]]:
    if not text:
        return None, ()
    try:
        return read(text), ()
    except ConfigError as error:
        return None, (f"The model's metadata: {one_line(error)}; {without}.",)


def made_of(metadata: Mapping[str, str]) -> dict[str, str]:
    """Return what a file of `serval probe --save` says of its making; nothing of another's."""
    if not {"encoder", "encoder_sha256", "head"} <= metadata.keys():
        return {}
    return {key: metadata[key][:LONGEST_ENTRY] for key in MADE_OF if key in metadata}


def sound_ranges(metadata: Mapping[str, str]) -> tuple[SoundRanges | None, tuple[str, ...]]:
    """Return what a model file says its clips sounded like, and what is wrong with that.

    Args:
        metadata: With an entry `sound_ranges`, see `serval.trained_on`, or without one.

    Returns:
        That, or `None` where nothing can be read, and one sentence if something cannot.
    """
    text = metadata.get("sound_ranges", "")
    return _entry_of(SoundRanges.parsed, text, "no sound is compared with it")
