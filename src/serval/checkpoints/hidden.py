"""The hidden levels of an encoder of transformers, whole or pooled over time, without its head."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from serval.checkpoints.opened import licence_in
from serval.checkpoints.quiet import quiet
from serval.checkpoints.transformers_layout import open_encoder
from serval.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from serval.checkpoints.checkpoint import Checkpoint

WHISPER_FRAME = 320
"""Samples of one frame of Whisper's encoder, at its 16 kHz."""


class HiddenStates(nn.Module):
    """An encoder whose answers are its levels, frame by frame.

    Whisper hears each clip filled with silence up to 30 s; its frames are those of the clip.
    """

    def __init__(self, checkpoint: Checkpoint, levels: Sequence[int]) -> None:
        super().__init__()
        self.encoder: Any = checkpoint.model
        self.front_end = checkpoint.front_end
        self.fills_up = checkpoint.family == "whisper"
        self.levels = tuple(levels)

    def forward(self, input_values: Tensor) -> tuple[Tensor, ...]:
        """Return `(B, frames, F)` of each level, of `(B, T)` samples."""
        inputs = {"input_values": input_values}
        if self.front_end is not None:
            inputs = self.front_end(input_values, None)
        states = self.encoder(**inputs, output_hidden_states=True).hidden_states
        chosen = tuple(states[level] for level in self.levels)
        if not self.fills_up:
            return chosen
        heard = torch.arange((input_values.shape[1] + WHISPER_FRAME - 1) // WHISPER_FRAME)
        return tuple(state.index_select(1, heard) for state in chosen)


class HiddenLevels(nn.Module):
    """An encoder whose answer is what its levels are over time."""

    def __init__(self, states: HiddenStates, *, deviation: bool) -> None:
        super().__init__()
        self.states = states
        self.deviation = deviation

    def forward(self, input_values: Tensor) -> Tensor:
        """Return `(B, F)` of `(B, T)` samples: of each level the mean, then the deviation."""
        parts = []
        for state in self.states(input_values):
            parts.append(state.mean(dim=1))
            if self.deviation:
                parts.append(state.std(dim=1, correction=0))
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
    with quiet():
        opened = open_encoder(folder, name, normalize)
    return replace(opened, licence=licence_in(folder / "README.md"))
