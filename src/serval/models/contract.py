"""What a model file expects and what it gives, and where each part of that is stated."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from serval.errors import ModelError
from serval.labels import EMOTIONS, LabelSet

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Contract", "Declared", "Overrides", "declared_contract"]

Normalize = Literal["peak", "zscore", "none"]
NORMALIZE: Mapping[str, Normalize] = {
    "peak": "peak",
    "zscore": "zscore",
    "none": "none",
    "true": "zscore",
    "false": "none",
}
"""What a source may say; true and false are the hub's `do_normalize`."""
HUB_FILES = ("config.json", "preprocessor_config.json")
DEFAULT_NORMALIZE: Normalize = "peak"
DEFAULT_MAX_SECONDS = 120.0
"""Longest clip where a model declares none: attention grows with the square of the length."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Overrides:
    """What the user states about a model; `None` leaves it to the model file.

    Attributes:
        labels: Label names in the order of the outputs.
        sample_rate: In Hz.
        normalize: `peak`, `zscore` or `none`.
        max_seconds: Longest clip in seconds.
    """

    labels: tuple[str, ...] | None = None
    sample_rate: int | None = None
    normalize: Normalize | None = None
    max_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """The part of a contract that is stated in words, with the source of each part."""

    labels: LabelSet
    sample_rate: int
    normalize: Normalize
    max_seconds: float
    masks_padding: bool
    sources: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """The whole contract of a model file: what is declared and what its graph shows.

    Attributes:
        labels: K labels in the order of the outputs.
        sample_rate: In Hz.
        normalize: `peak` (divide by the largest magnitude), `zscore` or `none`.
        max_seconds: A longer clip is a Failure.
        input_name: The float input, `(batch, samples)`.
        output_name: The output, `(batch, K)`.
        mask_name: The attention mask input, or `None`: then nothing may be padded.
        masks_padding: Whether the mask marks what is padded. The hub's models that were trained
            without a mask (`return_attention_mask` is false) get ones everywhere.
        static_samples: The fixed input length, or `None` where any length goes.
        outputs: `logits`, or `probabilities` where the graph ends in a softmax.
        sources: Where each part was found.
    """

    labels: LabelSet
    sample_rate: int
    normalize: Normalize
    max_seconds: float
    input_name: str
    output_name: str
    mask_name: str | None = None
    masks_padding: bool = True
    static_samples: int | None = None
    outputs: Literal["logits", "probabilities"] = "logits"
    sources: Mapping[str, str] = field(default_factory=dict)

    @property
    def may_pad(self) -> bool:
        """Whether clips of different lengths may share a batch."""
        return self.mask_name is not None and self.masks_padding


Source = tuple[str, Mapping[str, Any]]
T = TypeVar("T")


def declared_contract(path: Path, metadata: Mapping[str, str], overrides: Overrides) -> Declared:
    """Return labels, sample rate, normalisation and the like, each from its first source.

    The order: the command line, the ONNX file's metadata, `config.json` and
    `preprocessor_config.json` beside the file, the published default. On the hub, files for ONNX
    Runtime lie in a folder `onnx` of their own, and those two files in the one above it.

    Args:
        path: The model file; the hub's own files are searched beside it.
        metadata: The ONNX file's custom metadata.
        overrides: What the user states.

    Raises:
        ModelError: A source states something that cannot be read.
    """
    sources: list[Source] = [
        ("command line", _stated(overrides)),
        ("model metadata", metadata),
        *((name, _hub_file(path.parent, name)) for name in HUB_FILES),
    ]
    labels, labels_from = _first(sources, ("labels", "id2label"), _labels, LabelSet(EMOTIONS))
    rate, rate_from = _first(sources, ("sample_rate", "sampling_rate"), _sample_rate, 16_000)
    normalize, normalize_from = _first(
        sources, ("normalize", "do_normalize"), _normalize, DEFAULT_NORMALIZE
    )
    masks, masks_from = _first(sources, ("return_attention_mask",), _yes_or_no, default=True)
    longest, longest_from = _first(sources, ("max_seconds",), _seconds, DEFAULT_MAX_SECONDS)
    return Declared(
        labels=labels,
        sample_rate=rate,
        normalize=normalize,
        max_seconds=longest,
        masks_padding=masks,
        sources={
            "labels": labels_from,
            "sample_rate": rate_from,
            "normalize": normalize_from,
            "max_seconds": longest_from,
            "masks_padding": masks_from,
        },
    )


def _stated(overrides: Overrides) -> dict[str, Any]:
    stated = {
        "labels": overrides.labels,
        "sample_rate": overrides.sample_rate,
        "normalize": overrides.normalize,
        "max_seconds": overrides.max_seconds,
    }
    return {name: value for name, value in stated.items() if value is not None}


def _hub_file(folder: Path, name: str) -> Mapping[str, Any]:
    path = folder / name
    if not path.is_file():
        above = folder.absolute()
        return _hub_file(above.parent, name) if above.name == "onnx" else {}
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} is not readable JSON: {error}") from error
    if not isinstance(content, dict):
        raise ModelError(f"{path} must hold one JSON object")
    return content


def _first(
    sources: list[Source], keys: tuple[str, ...], parse: Callable[[object], T], default: T
) -> tuple[T, str]:
    for source, values in sources:
        for key in keys:
            if values.get(key) is not None:
                return _parsed(values[key], parse, f"{source}: {key}"), source
    return default, "default"


def _parsed(value: object, parse: Callable[[object], T], where: str) -> T:
    try:
        return parse(value)
    except (ValueError, TypeError, KeyError) as error:
        raise ModelError(f"{where} is {value!r}, which cannot be used: {error}") from error


def _labels(value: object) -> LabelSet:
    """Read a list, `id2label` (`{"0": "angry"}`), either of them as JSON, or `a,b,c`."""
    if isinstance(value, str):
        value = json.loads(value) if value.lstrip().startswith(("[", "{")) else value.split(",")
    if isinstance(value, Mapping):
        value = [value.get(str(i), value.get(i)) for i in range(len(value))]
        if None in value:
            raise ValueError("ids must run from 0 without a gap")
    if not isinstance(value, list | tuple):
        raise TypeError("expected a list of names")
    return LabelSet(str(name).strip() for name in value)


def _sample_rate(value: object) -> int:
    rate = int(float(str(value)))
    if not 1_000 <= rate <= 192_000:
        raise ValueError("expected 1,000 to 192,000 Hz")
    return rate


def _normalize(value: object) -> Normalize:
    """Read `peak`, `zscore` or `none`, or the hub's `do_normalize` (true: zscore)."""
    name = str(value).strip().lower()
    if name not in NORMALIZE:
        raise ValueError(f"expected one of {', '.join(NORMALIZE)}")
    return NORMALIZE[name]


def _yes_or_no(value: object) -> bool:
    name = str(value).strip().lower()
    if name not in {"true", "false"}:
        raise ValueError("expected true or false")
    return name == "true"


def _seconds(value: object) -> float:
    seconds = float(str(value))
    if not 0 < seconds < math.inf:
        raise ValueError("expected a positive number of seconds")
    return seconds
