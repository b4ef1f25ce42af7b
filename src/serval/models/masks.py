"""What a one in a model's mask stands for, found by trying: padding must not be heard."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from serval.errors import AudioError, ModelError
from serval.wording import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from serval.models.classifier import Classifier
    from serval.models.contract import Contract
    from serval.models.protocol import Logits

__all__ = ["marked_by"]

Marks = Literal["valid", "padding"]
LENGTHS_S = ((0.4, 0.2), (1.0, 0.5), (3.0, 1.5))
"""Seconds of sound, and of padding behind it: the shortest that the model takes."""

SAME = 1e-3
"""Scores that differ by less, relative to their size, are the same answer."""

CLEARLY = 3.0
"""How many times more than its padding a model must hear the sound."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskTrial:
    """How much the answer changes when something is exchanged, relative to its size.

    Attributes:
        sound: What is marked as sound.
        padding: What is marked as padding.
    """

    sound: float
    padding: float

    @property
    def exact(self) -> bool:
        """Whether the sound decides, and the padding nothing."""
        return self.padding <= SAME < self.sound

    @property
    def leaning(self) -> float:
        """How many times more the sound is heard than the padding."""
        return self.sound / max(self.padding, SAME / CLEARLY)


def marked_by(model: Classifier[Any]) -> Contract:
    """Return the contract with what a one in the mask stands for.

    That of two ways is right in which noise behind the end changes nothing. Where a model lets
    padding through (normalisation over the whole input does), the way in which it hears the sound
    far more than the padding. A mask that it does not use is fed as its name is usually meant.

    Raises:
        ModelError: The mask matters, but neither way can be told to be the right one.
    """
    contract, mask = model.contract, model.contract.mask_name
    if mask is None:
        return contract
    usual = _usual(mask)
    other: Marks = "padding" if usual == "valid" else "valid"
    heard = _heard(model, usual)
    if heard is None or heard.exact:
        return replace(contract, mask_marks=usual)
    turned = _heard(model, other)
    if turned is None:
        return replace(contract, mask_marks=usual)
    if turned.exact or turned.leaning > CLEARLY * heard.leaning:
        return replace(contract, mask_marks=other)
    if heard.leaning > CLEARLY * turned.leaning or not _matters(model):
        return replace(contract, mask_marks=usual)
    raise ModelError(
        f"{model.path}: it cannot be told what a one in its mask '{printable(mask)}' stands for: "
        "with ones for sound as with ones for padding, its answer changes with what is in the "
        "padding; export the model without a mask, or with one that hides padding"
    )


def _usual(name: str) -> Marks:
    """Return what a one stands for in masks of that name.

    Source: `attention_mask` of transformers; `padding_mask` of fairseq and `key_padding_mask` of
    torch.nn.MultiheadAttention, where true is padding.
    """
    lower = name.lower()
    return "padding" if "pad" in lower and "attention" not in lower else "valid"


def _heard(model: Classifier[Any], marks: Marks) -> MaskTrial | None:
    """Return what the model hears with the mask that way, or `None` where it takes no clip."""
    for sound_s, padding_s in _lengths(model):
        try:
            plain, padding, sound = (
                _answer(model, marks, (sound_s, seed), (padding_s, behind))
                for seed, behind in ((1, 2), (1, 3), (4, 2))
            )
        except AudioError:
            continue
        size = float(max(np.abs(plain).max(), np.abs(sound).max(), 1e-6))
        return MaskTrial(
            sound=float(np.abs(sound - plain).max()) / size,
            padding=float(np.abs(padding - plain).max()) / size,
        )
    return None


def _lengths(model: Classifier[Any]) -> Sequence[tuple[float, float]]:
    fixed = model.contract.static_samples
    if fixed is None:
        return LENGTHS_S
    return ((2 * fixed / 3 / model.sample_rate, fixed / 3 / model.sample_rate),)


def _answer(
    model: Classifier[Any],
    marks: Marks,
    sound: tuple[float, int],
    padding: tuple[float, int],
) -> Logits:
    """Return the scores of noise that is marked as sound before noise that is marked as padding.

    Raises:
        AudioError: The model cannot take it, or answers with NaN.
    """
    parts = [_noise(round(s * model.sample_rate), seed) for s, seed in (sound, padding)]
    samples = np.concatenate(parts)[np.newaxis]
    if model.contract.static_samples is not None:
        samples = np.resize(samples, (1, model.contract.static_samples))
    valid = np.arange(samples.shape[1])[np.newaxis] < len(parts[0])
    return _run(model, marks, samples, valid)


def _run(
    model: Classifier[Any],
    marks: Marks,
    samples: np.ndarray[tuple[int, ...], np.dtype[np.float32]],
    valid: np.ndarray[tuple[int, ...], np.dtype[np.bool_]],
) -> Logits:
    backend = replace(model.backend, contract=replace(model.contract, mask_marks=marks))
    scores: Logits = backend.answer(backend.marked(samples, valid))
    if not np.isfinite(scores).all():
        raise AudioError("the model answered with NaN or infinite scores")
    return scores


def _matters(model: Classifier[Any]) -> bool:
    """Tell whether a clip without padding gets another answer when its mask is turned round."""
    seconds = sum(_lengths(model)[-1])
    samples = _noise(round(seconds * model.sample_rate), 1)[np.newaxis]
    if model.contract.static_samples is not None:
        samples = np.resize(samples, (1, model.contract.static_samples))
    valid = np.ones(samples.shape, dtype=np.bool_)
    try:
        one, other = (_run(model, marks, samples, valid) for marks in ("valid", "padding"))
    except AudioError:
        return True
    return float(np.abs(one - other).max()) > SAME * float(np.abs(one).max())


def _noise(n: int, seed: int) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    return np.random.default_rng(seed).normal(0, 0.1, n).astype(np.float32)
