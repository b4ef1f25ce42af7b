"""Which inputs and output of a graph are the waveform, its mask and the scores."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from serval.errors import ModelError
from serval.wording import printable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from serval.models.contract import Layout

TYPES: Mapping[str, type[np.generic]] = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
    "tensor(uint8)": np.uint8,
    "tensor(int8)": np.int8,
    "tensor(bool)": np.bool_,
}
"""What inputs may be, by ONNX Runtime's names; any of them may be a mask."""
FLOATS = frozenset(name for name, kind in TYPES.items() if issubclass(kind, np.floating))
MOST_LABELS = 100_000
SHOWN = 12
"""Inputs or outputs that a message lists."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """An input or output of a graph.

    Attributes:
        name: As the graph calls it.
        type: As ONNX Runtime calls it: `tensor(float)`.
        shape: A number for a fixed axis, a name or `None` for a free one; empty if unknown.
    """

    name: str
    type: str
    shape: tuple[int | str | None, ...]

    def __str__(self) -> str:
        """Return it as messages show it."""
        return printable(f"'{self.name[:80]}' {self.type} {list(self.shape)[:8]}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """The slots of a graph that serval uses.

    Attributes:
        waveform: The float input.
        mask: What marks padding, or `None`.
        output: Name of the scores.
        layout: The axes of the waveform.
    """

    waveform: Slot
    mask: Slot | None
    output: str
    layout: Layout

    @property
    def static_samples(self) -> int | None:
        """The fixed number of samples, or `None` where any goes."""
        if not self.waveform.shape:
            return None
        axis = self.waveform.shape[-2 if self.layout == "batch samples 1" else -1]
        return axis if isinstance(axis, int) else None

    @property
    def alone(self) -> bool:
        """Whether the graph takes one clip at a time."""
        return self.layout == "samples" or self.waveform.shape[:1] == (1,)

    def batch_of(self, shape: tuple[int, ...]) -> int:
        """Return the number of clips in a waveform input of that shape."""
        return 1 if self.layout == "samples" else shape[0]

    def laid_out(self, samples: NDArray[np.float32], layout: Layout) -> NDArray[np.float32]:
        """Return `(B, T)` samples with the axes that the graph wants."""
        if layout == "samples":
            return np.asarray(samples[0])
        if layout == "batch 1 samples":
            return samples[:, np.newaxis]
        return samples[:, :, np.newaxis] if layout == "batch samples 1" else samples

    def mask_laid_out(self, valid: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return a `(B, T)` mask with the axes that the graph wants: `(T,)`, `(B, 1, T)`, ..."""
        rank = len(self.mask.shape) if self.mask and self.mask.shape else 2
        if rank == 1:
            return np.asarray(valid[0])
        return valid.reshape(len(valid), *(1,) * (rank - 2), -1)


Fitting = Callable[[Signature, list[str]], list[str]]
"""`(signature without output, names of outputs)` -> those of them that fit."""


def signature_of(
    path: Path,
    nodes: tuple[Sequence[Any], Sequence[Any]],
    wanted: tuple[int, str | None],
    fitting: Fitting,
) -> Signature:
    """Return which inputs and output of a graph to use.

    Args:
        path: For messages.
        nodes: Inputs and outputs of the graph, as ONNX Runtime gives them.
        wanted: How many scores are expected, and the output that the user names, or `None`.
        fitting: Tells which of several outputs give as many scores as are expected.

    Raises:
        ModelError: The graph takes no waveform, wants something else beside it, or has several
            outputs that could be the scores.
    """
    waveform, mask = _inputs(path, _slots(nodes[0]))
    layout = _layout(waveform) or "batch samples"
    batch = waveform.shape[0] if waveform.shape and layout != "samples" else None
    if isinstance(batch, int) and batch != 1:
        raise ModelError(f"{path}: input {waveform} wants batches of {batch}; export with 1")
    found = Signature(waveform=waveform, mask=mask, output="", layout=layout)
    outputs = _slots(nodes[1])
    names = _output_names(path, outputs, *wanted)
    if len(names) > 1:
        names = fitting(found, names)
    if len(names) != 1:
        raise ModelError(
            f"{path}: expected one float output (batch, K) or one named 'logits'; its outputs are "
            f"{_listed(outputs)}; {_remedy(outputs)}"
        )
    return replace(found, output=names[0])


def _remedy(outputs: list[Slot]) -> str:
    if any(len(slot.shape) == 3 for slot in outputs) and not any(map(_may_be_scores, outputs)):
        return "scores for each frame are none for a clip: export the model with their mean"
    return "name the one with the scores: --output-name NAME"


def _slots(nodes: Sequence[Any]) -> list[Slot]:
    return [Slot(name=n.name, type=n.type, shape=tuple(n.shape or ())) for n in nodes]


def _inputs(path: Path, slots: list[Slot]) -> tuple[Slot, Slot | None]:
    """Return the waveform input and the mask input, if any."""
    floats = [slot for slot in slots if slot.type in FLOATS and _layout(slot) is not None]
    waveforms = [slot for slot in floats if not _says_mask(slot)] or floats[:1]
    # A shape that is known to be that of a waveform goes before one that is not known.
    waveforms.sort(key=lambda slot: (len(slot.shape) != 2, not slot.shape))
    if not waveforms:
        raise ModelError(
            f"{path}: no float input (batch, samples) for a raw waveform; "
            f"its inputs are {_listed(slots)}"
        )
    others = [slot for slot in slots if slot is not waveforms[0]]
    masks = [slot for slot in others if _says_mask(slot) and slot.type in TYPES]
    unknown = [slot for slot in others if slot not in masks[:1]]
    if unknown:
        raise ModelError(
            f"{path}: unknown input {_listed(unknown)} beside '{printable(waveforms[0].name)}'; "
            "serval feeds a waveform and an attention mask: export the model so that it works out "
            "the others from the waveform (a length is its number of samples)"
        )
    return waveforms[0], masks[0] if masks else None


def _says_mask(slot: Slot) -> bool:
    name = slot.name.lower()
    return "mask" in name or "pad" in name


def _layout(slot: Slot) -> Layout | None:
    """Return the axes of an input, or `None` where it cannot be a waveform."""
    shape = slot.shape
    if len(shape) in {0, 2}:
        return "batch samples"
    if len(shape) == 1:
        return "samples"
    if len(shape) == 3 and _is_one(shape[1]):
        return "batch 1 samples"
    return "batch samples 1" if len(shape) == 3 and _is_one(shape[2]) else None


def _is_one(axis: int | str | None) -> bool:
    return axis == 1 or (isinstance(axis, str) and "channel" in axis.lower())


def _output_names(path: Path, outputs: list[Slot], n_labels: int, wanted: str | None) -> list[str]:
    """Return the outputs that may be the scores: one that is named so, or those of the shape."""
    floats = [slot for slot in outputs if slot.type in FLOATS]
    if wanted is not None:
        if wanted not in {slot.name for slot in floats}:
            raise ModelError(
                f"{path}: no float output '{printable(wanted)}', which --output-name or its "
                f"metadata names; its outputs are {_listed(outputs)}"
            )
        return [wanted]
    exact = [slot.name for slot in floats if slot.name.lower() == "logits"]
    if exact:
        return exact[:1]
    shaped = [slot for slot in floats if _may_be_scores(slot)]
    named = [slot for slot in shaped if "logit" in slot.name.lower()]
    if len(named) == 1:
        return [named[0].name]
    fitting = [slot for slot in named or shaped if slot.shape[-1:] == (n_labels,)]
    return [slot.name for slot in (fitting if len(fitting) == 1 else named or shaped)]


def _may_be_scores(slot: Slot) -> bool:
    longer = [axis for axis in slot.shape[1:] if axis != 1]
    sizes = [axis for axis in slot.shape if isinstance(axis, int)]
    return len(longer) <= 1 and max(sizes, default=1) <= MOST_LABELS


def _listed(slots: list[Slot]) -> str:
    more = f" and {len(slots) - SHOWN} more" if len(slots) > SHOWN else ""
    return ", ".join(str(slot) for slot in slots[:SHOWN]) + more
