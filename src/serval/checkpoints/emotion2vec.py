"""emotion2vec and emotion2vec+ out of FunASR's files: `config.yaml`, `model.pt`, `tokens.txt`.

FunASR's own ONNX export stops before `proj`, the layer that names emotions; here it is part of the
network. Labels that begin with `unuse` are no answer and get no output.

Source: Ma et al., "emotion2vec: self-supervised pre-training for speech emotion representation"
(2023), on data2vec 2.0.
"""

from __future__ import annotations

import math
import re
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from serval.checkpoints.checkpoint import Checkpoint
from serval.checkpoints.front_ends import WholeClip
from serval.checkpoints.heads import HeadOutput
from serval.checkpoints.weights import misfit, pickled_tensors
from serval.errors import LabelError, ModelError
from serval.labels import LabelSet
from serval.texts import text_in, yaml_in
from serval.wording import counted, one_line, printable, shown

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

CONFIG, WEIGHTS, LABELS = "config.yaml", "model.pt", "tokens.txt"
UNUSED = "unuse"
CONVS = re.compile(r"\[\s*\(\s*(\d+)\s*,\s*(\d+)\s*,\s*(\d+)\s*\)\s*\](?:\s*\*\s*(\d+))?")
"""One part of `feature_encoder_spec`, such as `[(512, 3, 2)] * 4`."""
RENAMED = (
    (r"^d2v_model\.", ""),
    (r"^modality_encoders\.AUDIO\.", ""),
    (r"^local_encoder\.conv_layers\.(\d+)\.0\.", r"convs.\1.conv."),
    (r"^local_encoder\.conv_layers\.(\d+)\.2\.1\.", r"convs.\1.norm."),
    (r"^project_features\.1\.", "features.0."),
    (r"^project_features\.2\.", "features.1."),
    (r"^relative_positional_encoder\.(\d+)\.0\.", r"positions.\1."),
    (r"^context_encoder\.", "prenet_"),
)
TRAINING_ONLY = ("decoder.", "_ema", "ema.", "recon_proj.", "cls_", "shared_decoder.")


class ConvLayer(nn.Module):
    """A convolution without bias, a layer norm over channels, a GELU."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(inputs, outputs, kernel, stride=stride, bias=False)
        self.norm = nn.LayerNorm(outputs)

    def forward(self, hidden: Tensor) -> Tensor:
        """Return `(B, C, F)`."""
        return nn.functional.gelu(self.norm(self.conv(hidden).transpose(1, 2)).transpose(1, 2))


class Attention(nn.Module):
    """Self-attention with a bias that grows with the distance of two frames."""

    def __init__(self, size: int, n_heads: int) -> None:
        super().__init__()
        self.qkv = nn.Linear(size, 3 * size)
        self.proj = nn.Linear(size, size)
        self.n_heads = n_heads

    def forward(self, hidden: Tensor, bias: Tensor | None) -> Tensor:
        """Return `(B, F, H)`; the bias is `(1, heads, F, F)`."""
        batch, frames, size = hidden.shape
        parts = self.qkv(hidden).reshape(batch, frames, 3, self.n_heads, size // self.n_heads)
        query, key, value = parts.permute(2, 0, 3, 1, 4).unbind(0)
        scores = query * (size // self.n_heads) ** -0.5 @ key.transpose(-2, -1)
        if bias is not None:
            scores = scores + bias
        mixed = torch.softmax(scores, dim=-1) @ value
        return self.proj(mixed.transpose(1, 2).reshape(batch, frames, size))


class Mlp(nn.Module):
    """Two linear layers with a GELU between them."""

    def __init__(self, size: int, inner: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(size, inner)
        self.fc2 = nn.Linear(inner, size)

    def forward(self, hidden: Tensor) -> Tensor:
        """Return `(B, F, H)`."""
        return self.fc2(nn.functional.gelu(self.fc1(hidden)))


class Block(nn.Module):
    """A transformer layer whose norms stand behind attention and MLP."""

    def __init__(self, size: int, n_heads: int, inner: int, eps: float) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(size, eps=eps)
        self.attn = Attention(size, n_heads)
        self.norm2 = nn.LayerNorm(size, eps=eps)
        self.mlp = Mlp(size, inner)

    def forward(self, hidden: Tensor, bias: Tensor | None) -> Tensor:
        """Return `(B, F, H)`."""
        hidden = self.norm1(hidden + self.attn(hidden, bias))
        return self.norm2(hidden + self.mlp(hidden))


class Positions(nn.Module):
    """Convolutions over time whose sum with their input says where a frame is."""

    def __init__(self, shapes: list[tuple[int, ...]], size: int) -> None:
        super().__init__()
        # FunASR counts them from 1.
        self.convs = nn.ModuleDict(
            {
                str(i): nn.Conv1d(size, size, k, padding=k // 2, groups=size // group)
                for i, (_, group, k) in enumerate(shapes, start=1)
            }
        )
        self.size = size

    def forward(self, hidden: Tensor) -> Tensor:
        """Return `(B, F, H)`."""
        frames = hidden.shape[1]
        waves = hidden.transpose(1, 2)
        for conv in self.convs.values():
            placed = conv(waves)[..., :frames].transpose(1, 2)
            waves = nn.functional.gelu(nn.functional.layer_norm(placed, (self.size,))).transpose(
                1, 2
            )
        return waves.transpose(1, 2)


class Emotion2vec(nn.Module):
    """Waveforms normed over the whole clip -> emotions."""

    def __init__(self, conf: Mapping[str, Any], shapes: Mapping[str, tuple[int, ...]]) -> None:
        super().__init__()
        audio = conf["modalities"]["audio"]
        size, eps = int(conf["embed_dim"]), float(conf["norm_eps"])
        n_heads = int(conf["num_heads"])

        def blocks(depth: int) -> nn.ModuleList:
            inner = int(size * float(conf["mlp_ratio"]))
            return nn.ModuleList(Block(size, n_heads, inner, eps) for _ in range(depth))

        self.convs = _convs(str(audio["feature_encoder_spec"]))
        last = self.convs[-1].norm.normalized_shape[0]
        self.features = nn.Sequential(nn.LayerNorm(last), nn.Linear(last, size))
        depth = sum(bool(re.fullmatch(r"positions\.\d+\.weight", key)) for key in shapes)
        kernels = [shapes[f"positions.{i}.weight"] for i in range(1, depth + 1)]
        self.positions = Positions(kernels, size)
        self.extra_tokens = nn.Parameter(torch.zeros(1, int(audio["num_extra_tokens"]), size))
        self.alibi_scale = None
        if audio["use_alibi_encoder"]:
            self.alibi_scale = nn.Parameter(torch.zeros(shapes["alibi_scale"]))
            self.register_buffer("slopes", _slopes(n_heads)[:, None, None], persistent=False)
        self.prenet_norm = nn.LayerNorm(size, eps=eps)
        self.prenet_blocks = blocks(int(audio["prenet_depth"]))
        self.blocks = blocks(int(conf["depth"]))
        self.proj = nn.Linear(size, shapes["proj.weight"][0])
        self.config = SimpleNamespace(model_type="emotion2vec", num_hidden_layers=len(self.blocks))

    def forward(self, input_values: Tensor) -> HeadOutput:
        """Return the scores of `(B, T)` samples."""
        hidden = input_values[:, None]
        for conv in self.convs:
            hidden = conv(hidden)
        hidden = self.features(hidden.transpose(1, 2))
        hidden = hidden + self.positions(hidden)
        n_frames, n_extra = hidden.shape[1], self.extra_tokens.shape[1]
        extra = self.extra_tokens.expand(hidden.shape[0], -1, -1)
        hidden = self.prenet_norm(torch.cat([extra, hidden], dim=1))
        distances = self._distances(n_frames, n_extra)
        for i, block in enumerate([*self.prenet_blocks, *self.blocks]):
            hidden = block(hidden, self._bias(distances, i))
        return HeadOutput(self.proj(hidden[:, n_extra:].mean(dim=1)))

    def _distances(self, n_frames: int, n_extra: int) -> Tensor | None:
        """Return `(heads, F, F)`: minus the distance of two frames, by the slope of each head."""
        if self.alibi_scale is None:
            return None
        places = torch.arange(n_frames)
        apart = -(places[None, :] - places[:, None]).abs().float()
        return nn.functional.pad(self.slopes * apart, (n_extra, 0, n_extra, 0))

    def _bias(self, distances: Tensor | None, layer: int) -> Tensor | None:
        if distances is None or self.alibi_scale is None:
            return None
        scale = self.alibi_scale[layer if len(self.alibi_scale) > 1 else 0]
        return distances[None] * scale.clamp(min=0)


def is_funasr(folder: Path) -> bool:
    """Tell whether a folder holds a model of FunASR."""
    return (folder / CONFIG).is_file() and (folder / WEIGHTS).is_file()


def funasr_model(folder: Path, name: str) -> tuple[str, Mapping[str, Any]]:
    """Return the name of FunASR's class and the whole `config.yaml`."""
    try:
        config = yaml_in(folder / CONFIG)
        return str(config["model"]), config
    except (ValueError, TypeError, LookupError) as error:
        raise ModelError(
            f"checkpoint '{name}': its {CONFIG} is not that of a model of FunASR: "
            f"{one_line(error)[:200]}"
        ) from error


def open_emotion2vec(folder: Path, name: str, config: Mapping[str, Any]) -> Checkpoint:
    """Return the classifier in a folder of FunASR, with all of its weights and no others."""
    tensors = _tensors(folder, name)
    labels, kept = _labels(folder, name, tensors)
    for part in ("proj.weight", "proj.bias"):
        tensors[part] = tensors[part][kept]
    model = _network(config, tensors, name)
    return Checkpoint(
        model=model.eval(),
        front_end=WholeClip() if config["model_conf"].get("normalize") else None,
        head="mean over time, proj",
        head_layers=("proj",),
        labels=labels,
        sample_rate=16_000,
        source=name,
        folder=folder,
        files=(folder / WEIGHTS,),
        sources={"labels": LABELS, "sample_rate": "architecture", "normalize": CONFIG,
                 "max_seconds": "architecture"},
    )  # fmt: skip


def _tensors(folder: Path, name: str) -> dict[str, Tensor]:
    """Return the tensors under our names, without those that only training needs."""
    tensors = pickled_tensors(folder / WEIGHTS)
    renamed = {}
    for key, tensor in tensors.items():
        for pattern, ours in RENAMED:
            key = re.sub(pattern, ours, key)
        if not key.startswith(TRAINING_ONLY):
            renamed[key] = tensor.float()
    if renamed.get("alibi_scale", torch.zeros(0)).dim() == 4:  # of an earlier version
        renamed["alibi_scale"] = renamed["alibi_scale"][None]
    for part in ("proj.weight", "proj.bias"):
        if part not in renamed:
            raise ModelError(
                f"checkpoint '{name}' lacks trained weights for {part}, without which it gives "
                "features and no emotions; take emotion2vec_plus_seed, _base or _large"
            )
    return renamed


def _network(config: Mapping[str, Any], tensors: dict[str, Tensor], name: str) -> Emotion2vec:
    shapes = {key: tuple(tensor.shape) for key, tensor in tensors.items()}
    try:
        conf = config["model_conf"]
        if conf.get("layer_norm_first") or conf["modalities"]["audio"].get("conv_pos_pre_ln"):
            raise ModelError(
                f"checkpoint '{name}': its {CONFIG} asks for norms before the layers, which no "
                "published emotion2vec has; serval does not read it"
            )
        model = Emotion2vec(conf, shapes)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise ModelError(
            f"checkpoint '{name}': its {CONFIG} is not that of an emotion2vec: "
            f"{type(error).__name__}: {one_line(error)[:200]}"
        ) from error
    placed = {re.sub(r"^positions\.", "positions.convs.", key): t for key, t in tensors.items()}
    missing = model.state_dict().keys() - placed.keys()
    unused = placed.keys() - model.state_dict().keys()
    if missing or unused:
        raise misfit(name, missing, unused, f"download {WEIGHTS} and {CONFIG} again")
    try:
        model.load_state_dict(placed)
    except RuntimeError as error:
        raise ModelError(
            f"checkpoint '{name}': {WEIGHTS} does not fit {CONFIG}: "
            f"{' '.join(str(error).split())[:300]}"
        ) from error
    return model


def _labels(
    folder: Path, name: str, tensors: Mapping[str, Tensor]
) -> tuple[tuple[str, ...], list[int]]:
    """Return the labels that are answers, and their places among the outputs."""
    try:
        tokens = [line.strip() for line in text_in(folder / LABELS).splitlines() if line.strip()]
        kept = [i for i, token in enumerate(tokens) if not token.startswith(UNUSED)]
        labels = LabelSet(printable(tokens[i]) for i in kept)
    except (ValueError, LabelError) as error:
        raise ModelError(
            f"checkpoint '{name}': its {LABELS} cannot be read: {one_line(error)}"
        ) from error
    if len(tokens) != len(tensors["proj.weight"]):
        raise ModelError(
            f"checkpoint '{name}': its weights have "
            f"{counted(len(tensors['proj.weight']), 'output')}, but {LABELS} names {len(tokens)} "
            f"({shown(', '.join(tokens))}); download both again"
        )
    return tuple(labels), kept


def _convs(spec: str) -> nn.ModuleList:
    """Return the convolutions that a text such as `[(512, 10, 5)] + [(512, 3, 2)] * 4` lists."""
    sizes = [
        (int(dim), int(kernel), int(stride))
        for dim, kernel, stride, times in CONVS.findall(spec)
        for _ in range(int(times or 1))
    ]
    if not sizes or len(sizes) > 100:
        raise ValueError(f"feature_encoder_spec is {shown(spec)}")
    inputs = [1, *(dim for dim, _, _ in sizes)]
    return nn.ModuleList(
        ConvLayer(before, dim, kernel, stride)
        for before, (dim, kernel, stride) in zip(inputs, sizes, strict=False)
    )


def _slopes(n_heads: int) -> Tensor:
    """Return `(heads,)`: how fast the attention of each head falls with distance.

    Source: Press et al., "Train short, test long: attention with linear biases" (2022).
    """
    power = 2 ** math.floor(math.log2(n_heads))
    slopes = [2 ** (-8 * (i + 1) / power) for i in range(power)]
    between = [2 ** (-8 * (i + 1) / (2 * power)) for i in range(0, 2 * power, 2)]
    return torch.tensor(slopes + between[: n_heads - power])
