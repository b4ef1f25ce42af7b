"""What a checkpoint is once it is open: a network with the head that was trained for it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from serval.tasks import CATEGORICAL, Task

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import nn


Normalization = Literal["zscore", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A classifier as its weights are, in torch.

    Attributes:
        model: Takes what the extractor gives; its answer has `logits`, `(B, K) float32`. In
            evaluation mode and FP32, with `config`.
        extractor: The feature extractor of transformers that it was published with.
        front_end: The same as layers of a network: `(B, T)` samples -> the inputs of `model`;
            `None` where the samples themselves go in.
        head: Its layers, as a reader knows them: `projector, mean over time, classifier`.
        head_layers: Names of the linear layers of the head within `model`, the last one giving
            the scores.
        labels: K names in the order of the outputs.
        sample_rate: In Hz.
        normalize: What is done to the waveform before `front_end` and `model`.
        max_seconds: Longest clip that it takes whole; `None` where there is no limit.
        task: What the outputs are.
        sources: Where labels, sample rate, normalisation and longest clip are said.
        notes: One sentence each on what it does to clips that a user may not expect.
        source: The folder's name, or `hf:ORG/NAME`.
        revision: The commit of a hub checkpoint, else `""`.
        licence: As its card says, else `""`.
        folder: Where its files are.
        files: All files with weights, the main one first.
        cut_from: Transformer layers that it had before some were cut off; 0 where none was.
    """

    model: nn.Module
    extractor: Any = None
    front_end: nn.Module | None = None
    head: str
    head_layers: tuple[str, ...]
    labels: tuple[str, ...]
    sample_rate: int
    normalize: Normalization = "none"
    max_seconds: float | None = None
    task: Task = CATEGORICAL
    source: str
    revision: str = ""
    licence: str = ""
    folder: Path
    files: tuple[Path, ...]
    cut_from: int = 0
    sources: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def layers(self) -> int:
        """Transformer layers of the model as it is."""
        return int(self.model.config.num_hidden_layers)

    @property
    def width(self) -> int:
        """Numbers that each of them gives for a frame."""
        return int(self.model.config.hidden_size)

    @property
    def family(self) -> str:
        """The model type, as transformers calls it."""
        return str(self.model.config.model_type)
