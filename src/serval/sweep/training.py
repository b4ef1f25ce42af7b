"""What a model card says of the model's training data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from serval.datasets.card import CARD, head_of
from serval.errors import DatasetError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["card_corpora"]

LARGEST_CARD = 10_000_000
"""Bytes; what is larger is no card."""


def card_corpora(model: Path) -> tuple[str, ...] | None:
    """Return the `datasets` that the card beside a model file names; `None` where none does.

    Args:
        model: The model file, or the folder of a checkpoint; of a folder `onnx` the card may lie
            in the one above it.
    """
    folder = model if model.is_dir() else model.parent
    above = (folder.parent,) if folder.name == "onnx" else ()
    for place in (folder, *above):
        if (found := _datasets(place / CARD)) is not None:
            return found
    return None


def _datasets(card: Path) -> tuple[str, ...] | None:
    try:
        if card.stat().st_size > LARGEST_CARD:
            return None
        named = head_of(card.read_text(encoding="utf-8"), str(card.parent)).get("datasets")
    except (OSError, ValueError, DatasetError):
        return None
    names = named if isinstance(named, list) else [named]
    found = tuple(name for name in names if isinstance(name, str))
    return found or None
