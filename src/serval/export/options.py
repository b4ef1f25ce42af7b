"""What the caller may say about an export, and what comes back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportOptions:
    """Every option of an export, with its default.

    Attributes:
        layers: Keep only the first transformer layers; without it all.
        attention_mask: Give the graph a mask input, so that clips may be padded to one length.
        revision: Branch, tag or commit of a hub checkpoint.
        normalize: `zscore` or `none`, for a checkpoint that does not say.
        model_scale: Of the values of a checkpoint of dimensions, such as `0..1`; the file says it.
        dataset: The one on whose first clips the file is compared with torch.
    """

    layers: int | None = None
    attention_mask: bool = False
    revision: str | None = None
    normalize: str | None = None
    model_scale: str | None = None
    dataset: str = "demo"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parity:
    """How close the file comes to the checkpoint, in torch with its own feature extractor.

    Attributes:
        durations_s: Length of each waveform that was compared, in seconds.
        max_abs_diff: Largest difference of any logit.
        same_argmax: Number of waveforms whose highest logit is the same one.
        padded_max_abs_diff: Largest difference between the logits of a clip alone and in a padded
            batch; `None` for a file without attention mask.
    """

    durations_s: tuple[float, ...]
    max_abs_diff: float
    same_argmax: int
    padded_max_abs_diff: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """A file that was written and checked.

    Attributes:
        path: The .onnx file.
        size_bytes: With its external weights.
        metadata: What was written into the file.
        parity: How close it comes to the checkpoint.
        notes: One sentence each on what the user should know.
    """

    path: Path
    size_bytes: int
    metadata: dict[str, str]
    parity: Parity
    notes: tuple[str, ...] = ()
