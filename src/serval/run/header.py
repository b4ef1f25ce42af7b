"""The header of a journal -> provenance, with the types that everybody else relies on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from serval.errors import LabelError
from serval.labels import LabelSet
from serval.run.lines import line_error, whole_text
from serval.run.stored import Provenance

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

__all__ = ["provenance_of"]

DEEPEST = 20
"""Levels of lists and objects in a part of the header: whoever walks through it gets to its end."""

PARTS = ("model", "dataset", "options", "platform", "identity")


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_text_or_none(value: object) -> bool:
    return value is None or _is_text(value)


def _is_count(value: object) -> bool:
    return type(value) is int and value >= 0


def _is_count_or_none(value: object) -> bool:
    return value is None or _is_count(value)


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(map(_is_text, value))


def _is_shallow(value: object, levels: int) -> bool:
    if not isinstance(value, dict | list):
        return True
    parts = value.values() if isinstance(value, dict) else value
    return levels > 0 and all(_is_shallow(part, levels - 1) for part in parts)


def _is_object(value: object) -> bool:
    return isinstance(value, dict)


def _is_left_out(value: object) -> bool:
    return isinstance(value, list) and all(
        isinstance(part, dict)
        and _is_text(part.get("reason"))
        and _is_count(part.get("n"))
        and _is_texts(part.get("examples"))
        for part in value
    )


KNOWN: Mapping[tuple[str, str], Callable[[object], bool]] = {
    ("model", "name"): _is_text,
    ("model", "path"): _is_text,
    ("model", "sha256"): _is_text,
    ("model", "size_bytes"): _is_count_or_none,
    ("model", "contract"): _is_object,
    ("dataset", "name"): _is_text,
    ("dataset", "location"): _is_text,
    ("dataset", "revision"): _is_text,
    ("dataset", "split"): _is_text,
    ("dataset", "fingerprint"): _is_text,
    ("dataset", "labels_as"): lambda value: (
        isinstance(value, dict) and _is_texts([*value.values()])
    ),
    ("dataset", "licence"): _is_text,
    ("dataset", "n_clips"): _is_count_or_none,
    ("dataset", "caveats"): _is_texts,
    ("dataset", "left_out"): _is_left_out,
    ("dataset", "no_audio"): _is_text,
    ("options", "limit"): _is_count_or_none,
    ("options", "name"): _is_text_or_none,
}
"""What a part of the header must be where it is there; earlier versions wrote fewer."""

CONTRACT: Mapping[str, Callable[[object], bool]] = {
    "outputs": _is_text,
    "static_samples": _is_count_or_none,
    "sample_rate": lambda value: _is_count(value) and value != 0,
}


def provenance_of(path: Path, header: Mapping[str, Any]) -> Provenance:
    """Return what was evaluated on what.

    Raises:
        RunError: A part of the header is missing or of another type.
    """
    for part in PARTS:
        if not _is_object(header.get(part)):
            raise line_error(path, 1, f"has no object '{part}'")
        if not _is_shallow(header[part], DEEPEST):
            raise line_error(path, 1, f"has a '{part}' of more than {DEEPEST} levels")
    for (part, name), fits in KNOWN.items():
        if name in header[part] and not fits(header[part][name]):
            raise line_error(path, 1, f"has an odd '{name}' of its {part}")
    contract = header["model"].get("contract", {})
    for name, fits in CONTRACT.items():
        if name in contract and not fits(contract[name]):
            raise line_error(path, 1, f"has an odd '{name}' in its model's contract")
    return Provenance(labels=_labels(path, header), **{part: header[part] for part in PARTS})


def _labels(path: Path, header: Mapping[str, Any]) -> LabelSet:
    labels: Any = header.get("labels")
    if not _is_texts(labels) or any(whole_text(label) != label for label in labels):
        raise line_error(path, 1, "has labels that are not a list of text")
    try:
        return LabelSet(labels)
    except LabelError as error:
        raise line_error(path, 1, f"has labels that no model has: {error}") from None
