"""The baselines of the Odyssey 2024 challenge: WavLM, attentive statistics, layers with norms.

Their repositories bring Python for `transformers`, which is not run: the tensors say what there is.

Source: Okabe et al., "Attentive statistics pooling for deep speaker embedding" (2018).
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from serval.checkpoints.checkpoint import Checkpoint
from serval.checkpoints.config import config_in, labels_in, sample_rate_of, task_from, task_in
from serval.checkpoints.encoders import encoder_of
from serval.checkpoints.front_ends import Shifted
from serval.checkpoints.heads import HeadOutput
from serval.checkpoints.weights import some, tensors_of, weight_files
from serval.errors import ModelError
from serval.wording import shown

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

LEAST_VARIANCE = 1e-5
LEAST_STD = 1e-6
ENCODER = "ssl_model."


class AttentiveStatistics(nn.Module):
    """`(B, F, H)` frames -> `(B, 2 H)`: their mean and deviation, weighted by attention."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.sap_linear = nn.Linear(size, size)
        self.attention = nn.Parameter(torch.zeros(size, 1))

    def forward(self, frames: Tensor) -> Tensor:
        """Return the statistics."""
        weights = torch.softmax(torch.tanh(self.sap_linear(frames)) @ self.attention, dim=1)
        mean = (frames * weights).sum(dim=1)
        variance = (frames.square() * weights).sum(dim=1) - mean.square()
        return torch.cat([mean, variance.clamp(min=LEAST_VARIANCE).sqrt()], dim=1)


class NormedLayers(nn.Module):
    """`(B, 2 H)` -> `(B, K)`: linear layers with a norm and a ReLU each, then the scores."""

    def __init__(self, sizes: list[int], n_outputs: int) -> None:
        super().__init__()
        self.fc = nn.ModuleList(
            nn.Sequential(nn.Linear(before, after), nn.LayerNorm(after), nn.ReLU())
            for before, after in pairwise(sizes)
        )
        self.out = nn.Sequential(nn.Linear(sizes[-1], n_outputs))

    def forward(self, values: Tensor) -> Tensor:
        """Return the scores."""
        for layer in self.fc:
            values = layer(values)
        return self.out(values)


class Odyssey(nn.Module):
    """The whole network, whose parts have the names of the published ones."""

    def __init__(self, encoder: Any, pool: nn.Module, head: nn.Module) -> None:  # noqa: ANN401 - transformers' own class for each family
        super().__init__()
        self.ssl_model = encoder
        self.config = encoder.config
        self.pool_model = pool
        self.ser_model = head

    def forward(self, input_values: Tensor) -> HeadOutput:
        """Return the scores of `(B, T)` samples."""
        return HeadOutput(
            self.ser_model(self.pool_model(self.ssl_model(input_values).last_hidden_state))
        )


def is_odyssey(folder: Path, said: Mapping[str, Any]) -> bool:
    """Tell whether a `config.json` is that of such a baseline."""
    return "ssl_type" in said and {"mean", "std"} <= said.keys() and bool(weight_files(folder))


def open_odyssey(folder: Path, name: str) -> Checkpoint:
    """Return the classifier in such a folder, with all of its weights and no others."""
    said = config_in(folder, name)
    files = weight_files(folder)
    tensors = tensors_of(files)
    inner = {k.removeprefix(ENCODER): t for k, t in tensors.items() if k.startswith(ENCODER)}
    head, n_outputs = _head({k: t for k, t in tensors.items() if not k.startswith(ENCODER)}, name)
    labels, labels_from = labels_in(said, n_outputs, name)
    model = Odyssey(encoder_of(inner, name), head["pool_model"], head["ser_model"])
    return Checkpoint(
        model=model.eval(),
        front_end=Shifted(_number(said, "mean", name), _number(said, "std", name) + LEAST_STD),
        head="attentive mean and deviation over time, ser_model.fc, ser_model.out",
        head_layers=tuple(
            f"ser_model.{part}"
            for part, module in model.ser_model.named_modules()
            if isinstance(module, nn.Linear)
        ),
        labels=labels,
        sample_rate=sample_rate_of(said.get("sampling_rate", 16_000), "config.json", name),
        task=task_in(said, labels, name),
        source=name,
        folder=folder,
        files=tuple(files),
        sources={"labels": labels_from or "default", "task": task_from(said),
                 "sample_rate": "config.json", "normalize": "config.json",
                 "max_seconds": "architecture"},
    )  # fmt: skip


def _head(tensors: dict[str, Tensor], name: str) -> tuple[nn.ModuleDict, int]:
    """Return pooling and layers with their weights, and the number of outputs."""
    depths = {int(m[1]) for key in tensors if (m := re.match(r"ser_model\.fc\.(\d+)\.0\.", key))}
    try:
        size = tensors["pool_model.sap_linear.weight"].shape[0]
        widths = [tensors[f"ser_model.fc.{i}.0.weight"].shape for i in range(max(1, len(depths)))]
        n_outputs = tensors["ser_model.out.0.weight"].shape[0]
    except KeyError as error:
        raise ModelError(
            f"checkpoint '{name}' lacks trained weights for {error.args[0]}, which would be "
            f"random; beside its encoder it has {some(set(tensors))}; download it again"
        ) from error
    sizes = [widths[0][1], *(width[0] for width in widths)]
    head = nn.ModuleDict(
        {"pool_model": AttentiveStatistics(size), "ser_model": NormedLayers(sizes, n_outputs)}
    )
    try:
        head.load_state_dict({key: tensor.float() for key, tensor in tensors.items()})
    except RuntimeError as error:
        raise ModelError(
            f"checkpoint '{name}': its head is not that of an Odyssey baseline: "
            f"{' '.join(str(error).split())[:300]}"
        ) from error
    return head, n_outputs


def _number(said: Mapping[str, Any], key: str, name: str) -> float:
    try:
        return float(said[key])
    except (TypeError, ValueError) as error:
        raise ModelError(
            f"checkpoint '{name}': {key} in its config.json is {shown(said.get(key))}; "
            "expected a number"
        ) from error
