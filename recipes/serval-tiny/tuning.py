"""Training: a linear head on frozen features first, then head and upper layers together."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from tiny import CLASSES, LAYERS, Tiny, pooled
from torch import Tensor, nn
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from features import Copy, Speech
    from numpy.typing import NDArray

    Batch = Sequence[tuple[int, int]]
    """Pairs of a copy and a clip."""

WARM_UP, LAST_RATE, AVERAGE_EVERY = 100, 0.02, 5
CHUNK, PREDICTED = 40, 16
LEAST_DEVIATION = 1e-6


@dataclass(slots=True)
class Head:
    """A linear layer on standardised pooled features.

    Attributes:
        mean: `(F,)`.
        deviation: `(F,)`.
        weight: `(8, F)`.
        bias: `(8,)`.
    """

    mean: Tensor
    deviation: Tensor
    weight: Tensor
    bias: Tensor

    @classmethod
    def of_raw(cls, weight: Tensor, bias: Tensor) -> Head:
        """Return a layer on features that are not standardised."""
        width = weight.shape[1]
        return cls(torch.zeros(width), torch.ones(width), weight, bias)

    def logits(self, features: Tensor, dropout: float = 0.0) -> Tensor:
        """Return `(B, 8)` of `(B, F)` raw features."""
        standard = (features - self.mean) / self.deviation
        return functional.linear(functional.dropout(standard, dropout), self.weight, self.bias)

    def folded(self) -> tuple[Tensor, Tensor]:
        """Return weight and bias for raw features."""
        weight = self.weight / self.deviation
        return weight, self.bias - weight @ self.mean


def first_head(features: NDArray[np.float32], labels: NDArray[np.int64], plan: Any) -> Head:  # noqa: ANN401 - the plan file
    """Return the multinomial logistic regression with a penalty, found by L-BFGS.

    Source: the objective of `sklearn.linear_model.LogisticRegression`.
    """
    mean = features.mean(axis=0, dtype=np.float64).astype(np.float32)
    deviation = features.std(axis=0, dtype=np.float64).astype(np.float32) + LEAST_DEVIATION
    standard = torch.from_numpy((features - mean) / deviation)
    truth = torch.from_numpy(labels)
    weight = torch.zeros(features.shape[1], CLASSES, requires_grad=True)
    bias = torch.zeros(CLASSES, requires_grad=True)
    penalty = plan["copies"] / (2 * plan["c"] * len(labels))
    steps = torch.optim.LBFGS(
        [weight, bias], max_iter=plan["head_iterations"], history_size=8,
        line_search_fn="strong_wolfe", tolerance_grad=1e-5, tolerance_change=1e-8,
    )  # fmt: skip

    def loss() -> Tensor:
        steps.zero_grad()
        error = functional.cross_entropy(standard @ weight + bias, truth)
        error = error + penalty * weight.square().sum()
        error.backward()
        return error

    steps.step(loss)
    found = (torch.from_numpy(mean), torch.from_numpy(deviation), weight.detach().T.contiguous())
    return Head(*found, bias.detach())


@dataclass(slots=True)
class Trainer:
    """Head and layers in training.

    Attributes:
        network: Its upper layers are changed in place.
        head: Changed in place.
        copies: By number; the plan names those that are trained on.
        speech: Their labels and corpora.
        plan: The plan file, with what this training has of its own.
        tuned: Names of the weights that are trained.
        frozen: The head before training.
    """

    network: Tiny
    head: Head
    copies: Mapping[int, Copy]
    speech: Speech
    plan: Any
    tuned: list[str] = field(init=False)
    frozen: Head = field(init=False)
    rng: np.random.Generator = field(init=False)

    def __post_init__(self) -> None:
        upper = tuple(f"block_{i}_" for i in range(LAYERS - self.plan["layers"], LAYERS))
        self.tuned = [name for name in self.network.weights if name.startswith(upper)]
        self.frozen = replace(
            self.head, weight=self.head.weight.clone(), bias=self.head.bias.clone()
        )
        self.rng = np.random.default_rng(self.plan["seed"])

    @property
    def parameters(self) -> list[Tensor]:
        """What is trained."""
        return [*(self.network.weights[name] for name in self.tuned),
                self.head.weight, self.head.bias]  # fmt: skip

    def logits(self, hidden: Tensor, dropout: float = 0.0) -> Tensor:
        """Return `(B, 8)` of what `frames_of` returns."""
        return self.head.logits(pooled(self.network.layers(hidden)), dropout)

    def frames_of(self, batch: Batch, frames: int) -> Tensor:
        """Return `(B, F, 384)` of clips cut to that many frames, each at a random place."""
        cut = np.stack([self._hidden(copy, clip, frames) for copy, clip in batch])
        return torch.from_numpy(cut)

    def _hidden(self, copy: int, clip: int, frames: int) -> NDArray[np.float32]:
        own = self.copies[copy]
        spare = int(own.frames[clip]) - frames
        start = own.start[clip] + (self.rng.integers(spare + 1) if spare else 0)
        return own.hidden[start : start + frames].astype(np.float32)

    def train(self, clips: NDArray[np.bool_], said: Callable[[str], None]) -> None:
        """Train on those clips; afterwards the weights are the mean over the last steps."""
        torch.manual_seed(self.plan["seed"])
        batches = [batch for _ in range(self.plan["epochs"]) for batch in self._epoch(clips)]
        for parameter in self.parameters:
            parameter.requires_grad_(True)  # noqa: FBT003 - torch's own
        optimizer, mean, recent = self._optimizer(), _Mean(), 0.0
        rates = [group["lr"] for group in optimizer.param_groups]
        for step, batch in enumerate(batches):
            part = step / len(batches)
            for group, rate in zip(optimizer.param_groups, rates, strict=True):
                group["lr"] = rate * _schedule(step, part)
            recent = 0.98 * recent + 0.02 * self._step(batch, optimizer)
            if part > self.plan["averaged_from"] and step % AVERAGE_EVERY == 0:
                mean.add(self.parameters)
            if step % 100 == 99:
                said(f"step {step + 1} of {len(batches)}: {recent / (1 - 0.98 ** (step + 1)):.4f}")
        mean.write(self.parameters)

    def average(self, others: Sequence[Trainer]) -> None:
        """Set the weights to their mean with those of further trainings.

        Source: Wortsman et al. (2022), Model soups.
        """
        every = (self, *others)
        heads = zip(*(one.head.folded() for one in every), strict=True)
        with torch.no_grad():
            self.head = Head.of_raw(*(torch.stack(own).mean(dim=0) for own in heads))
            for name in self.tuned:
                own = torch.stack([one.network.weights[name] for one in every])
                self.network.weights[name].copy_(own.mean(dim=0))

    def finished(self) -> Tiny:
        """Return the network with its head."""
        parts = zip(("head_weight", "head_bias"), self.head.folded(), strict=True)
        with torch.no_grad():
            for name, values in parts:
                self.network.weights[name].copy_(values)
        return self.network

    def _step(self, batch: Batch, optimizer: torch.optim.Optimizer) -> float:
        shortest = min(self.copies[copy].frames[clip] for copy, clip in batch)
        frames = max(10, int(shortest * self.rng.uniform(self.plan["shortest_crop"], 1)))
        hidden = self.frames_of(batch, min(frames, int(shortest)))
        truth = torch.from_numpy(self.speech.labels[[clip for _, clip in batch]])
        logits = self.logits(self._masked(hidden), self.plan["dropout"])
        smoothing = self.plan["label_smoothing"]
        loss = functional.cross_entropy(logits, truth, label_smoothing=smoothing)
        loss = loss + self.plan["head_penalty"] / 2 * self.head.weight.square().sum()
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.parameters, 2.0)
        optimizer.step()
        return float(loss.detach())

    def _masked(self, hidden: Tensor) -> Tensor:
        """Return the clips with one span of the frames of each set to zero, as long as is drawn.

        Source: time masking; Park et al. (2019), SpecAugment: A simple data augmentation method.
        """
        frames = hidden.shape[1]
        longest = int(self.plan["masked"] * frames)
        if not longest:
            return hidden
        lengths = self.rng.integers(longest + 1, size=len(hidden))
        starts = self.rng.integers(frames - lengths + 1)
        place = np.arange(frames)
        kept = (place < starts[:, None]) | (place >= (starts + lengths)[:, None])
        return hidden * torch.from_numpy(kept[:, :, None].astype(np.float32))

    def _optimizer(self) -> torch.optim.Optimizer:
        groups = [self._group(name) for name in self.tuned]
        head = {"params": self.parameters[-2:], "lr": self.plan["head_learning_rate"]}
        return torch.optim.AdamW([*groups, head], betas=(0.9, 0.98), weight_decay=0.0)

    def _group(self, name: str) -> dict[str, Any]:
        """Return a weight with its learning rate: each layer's is a share of the one above it."""
        weight, below = self.network.weights[name], LAYERS - 1 - int(name.split("_")[1])
        rate = self.plan["learning_rate"] * self.plan["rate_below"] ** below
        decay = self.plan["weight_decay"] if weight.dim() > 1 else 0.0
        return {"params": [weight], "lr": rate, "weight_decay": decay}

    def _epoch(self, clips: NDArray[np.bool_]) -> Iterator[Batch]:
        """Yield batches of clips of about one length, in random order."""
        drawn = [pair for pair in self._pairs(clips) if self._is_drawn(*pair)]
        order = [drawn[i] for i in self.rng.permutation(len(drawn))]
        size = self.plan["batch"]
        batches = []
        for chunk in _parts(order, size * CHUNK):
            by_length = sorted(chunk, key=lambda pair: self.copies[pair[0]].frames[pair[1]])
            batches += _parts(by_length, size)
        yield from (batches[i] for i in self.rng.permutation(len(batches)))

    def _pairs(self, clips: NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
        for number in self.plan["copies"]:
            yield from ((number, int(clip)) for clip in self.copies[number].clips if clips[clip])

    def _is_drawn(self, copy: int, clip: int) -> bool:
        share = self.plan["share"].get(self.speech.corpora[clip], 1.0)
        share *= self.plan["perturbed_share"] if copy else 1.0
        return bool(self.rng.random() < share)

    def predicted(self, copy: int, clips: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return `(M, 8)` logits of whole clips."""
        logits = np.zeros((len(clips), CLASSES), np.float32)
        frames = self.copies[copy].frames[clips]
        for length in np.unique(frames):
            for places in _parts(np.flatnonzero(frames == length), PREDICTED):
                with torch.inference_mode():
                    batch = [(copy, int(clips[place])) for place in places]
                    logits[places] = self.logits(self.frames_of(batch, int(length))).numpy()
        return logits


@dataclass(slots=True)
class _Mean:
    """The mean of weights over steps."""

    total: list[Tensor] = field(default_factory=list)
    steps: int = 0

    def add(self, parameters: Iterable[Tensor]) -> None:
        """Add the weights of one step."""
        now = [parameter.detach() for parameter in parameters]
        self.total = [a + b for a, b in zip(self.total, now, strict=True)] if self.total else [
            one.clone() for one in now]  # fmt: skip
        self.steps += 1

    def write(self, parameters: Iterable[Tensor]) -> None:
        """Set the weights to the mean, if there is one."""
        with torch.no_grad():
            for parameter, total in zip(parameters, self.total, strict=False):
                parameter.copy_(total / self.steps)


def _schedule(step: int, part: float) -> float:
    """Return the share of the learning rate: a short rise, then half a cosine."""
    rise = min(1.0, step / WARM_UP)
    return rise * (LAST_RATE + (1 - LAST_RATE) * 0.5 * (1 + math.cos(math.pi * part)))


def _parts(items: Any, size: int) -> list[Any]:  # noqa: ANN401 - a list or an array
    return [items[i : i + size] for i in range(0, len(items), size)]
