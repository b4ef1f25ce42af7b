"""The hidden levels of an encoder of transformers, pooled over time; its head is left out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from serval.checkpoints.config import config_in, config_of
from serval.checkpoints.quiet import quiet
from serval.checkpoints.transformers_layout import open_encoder
from serval.errors import ModelError
from serval.wording import shown

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from serval.checkpoints.checkpoint import Checkpoint

__all__ = ["HiddenLevels", "open_hidden_levels"]


class HiddenLevels(nn.Module):
    """An encoder whose answer is what its levels are over time."""

    def __init__(self, checkpoint: Checkpoint, levels: Sequence[int], *, deviation: bool) -> None:
        super().__init__()
        self.encoder: Any = checkpoint.model
        self.front_end = checkpoint.front_end
        self.levels = tuple(levels)
        self.deviation = deviation

    def forward(self, input_values: Tensor) -> Tensor:
        """Return `(B, F)` of `(B, T)` samples: of each level the mean, then the deviation."""
        inputs = {"input_values": input_values}
        if self.front_end is not None:
            inputs = self.front_end(input_values, None)
        states = self.encoder(**inputs, output_hidden_states=True).hidden_states
        parts = []
        for level in self.levels:
            parts.append(states[level].mean(dim=1))
            if self.deviation:
                parts.append(states[level].std(dim=1, correction=0))
        return torch.cat(parts, dim=1)


def open_hidden_levels(folder: Path, name: str, normalize: str | None) -> Checkpoint:
    """Return the encoder in a folder with `config.json`, without any head.

    Raises:
        ModelError: It is no encoder of speech that transformers runs on samples, or a part of it
            is missing.
    """
    if not (folder / "config.json").is_file():
        raise ModelError(
            f"checkpoint '{name}' has no config.json: the levels of an encoder are read from "
            "checkpoints of transformers and from ONNX files"
        )
    kind = str(config_of(config_in(folder, name), name).model_type)
    if kind == "whisper":
        raise ModelError(
            f"checkpoint '{name}' is a {shown(kind)}, whose levels are not read; make an ONNX file "
            "of a classifier on it with serval export, and probe that"
        )
    with quiet():
        return open_encoder(folder, name, normalize)
