"""What a few runs on noise, tones and silence show of a model before its first clip."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import numpy as np

from serval.errors import AudioError, ModelError
from serval.models.contract import TRIAL
from serval.models.graph import activation_of, active_dropouts, node_name, random_nodes
from serval.models.protocol import Backend, finite, white_noise
from serval.wording import counted, printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from serval.models.classifier import Classifier
    from serval.models.contract import Contract
    from serval.models.graph import Skeleton
    from serval.models.protocol import Logits
    from serval.tasks import Outputs

    Floats = NDArray[np.float32]


B = TypeVar("B", bound=Backend)

REPEATS = 16
"""Runs on the same noise where the graph has nodes that may be random: a Dropout of few outputs
often gives the same twice."""

UNEQUAL = 1e-4
"""Difference of a score, relative to the largest, that two orders of a sum do not make."""

MARGIN = 0.02
"""What an 8-bit softmax may be off by in sum."""

SCORE_MARGIN = 1e-3
SHOWN = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a model's outputs are, and what that was told by: `graph`, `trial` alone, or `said`."""

    outputs: Outputs
    source: str


def tried(model: Classifier[B], skeleton: Skeleton = b"") -> Classifier[B]:
    """Return the model with what its outputs turned out to be; of a graph its skeleton says more.

    Raises:
        ModelError: It cannot run, has not one score for each label, is no function of what goes
            in, or gives neither logits nor probabilities.
    """
    samples = _noise(model, 0.1, seed=0)
    first, again = _twice(model, samples)
    _refuse_other_labels(model, first)
    if first.shape[1] < len(model.labels):
        model = replace(model, contract=replace(model.contract, one_output=True))
        first, again = (np.pad(scores, ((0, 0), (1, 0))) for scores in (first, again))
    _refuse_random(model, (samples, first, again), skeleton)
    if model.contract.outputs == "values":  # no trial can tell values from scores
        return model
    answers = np.concatenate([first, *_further(model)]) if first.min() >= -SCORE_MARGIN else first
    stated = model.contract.stated_outputs
    if stated:
        found = _as_stated(model, answers, skeleton, stated)
    else:
        found = _outputs_of(model, answers, skeleton)
    bare = _lacks_sigmoid(model, found)
    if bare:
        found = replace(found, outputs="sigmoid")
    # A run compares where parts were found as little as it compares sources of labels.
    said = {"outputs": TRIAL} if found.source == TRIAL else {}
    contract = replace(
        model.contract,
        outputs=found.outputs,
        adds_sigmoid=bare,
        sources={**model.contract.sources, **said},
    )
    return replace(model, contract=contract)


def _lacks_sigmoid(model: Classifier[B], found: Found) -> bool:
    """Return whether the graph leaves out the sigmoids of labels that do not exclude each other.

    Shares of one label, and one output for two labels, cannot be turned into such scores.
    """
    if model.contract.asked.outputs != "sigmoid" or found.outputs == "sigmoid":
        return False
    if found.outputs == "logits" and not model.contract.one_output:
        return True
    what = "one output for two labels" if model.contract.one_output else "a softmax at its end"
    raise ModelError(
        f"{model.path}: several emotions may be heard at once, as --multi-label or its "
        f"problem_type says, but it has {what}; export it with a sigmoid for each emotion"
    )


def _scores(model: Classifier[B], samples: Floats) -> Floats:
    return model.scores(samples, np.array([samples.shape[1]]))


def _twice(model: Classifier[B], samples: Floats) -> tuple[Floats, Floats]:
    try:
        return _scores(model, samples), _scores(model, samples)
    except AudioError as error:
        raise ModelError(f"{model.path}: tried on a second of noise, {error}") from error


def _further(model: Classifier[B]) -> Iterator[Floats]:
    """Yield the scores of unlike sounds, as far as the model takes them."""
    for samples in _sounds(model):
        try:
            yield _scores(model, samples)
        except AudioError:
            continue


def _sounds(model: Classifier[B]) -> Iterator[Floats]:
    n = _length(model)
    t = np.arange(n, dtype=np.float32) / model.sample_rate
    yield _noise(model, 1.0, seed=1)
    yield _noise(model, 0.001, seed=2)
    yield np.zeros((1, n), dtype=np.float32)
    for hertz in (110.0, 440.0, 1800.0):
        yield (0.5 * np.sin(2 * np.pi * hertz * t * (1 + 0.2 * t))).astype(np.float32)[np.newaxis]
    yield (_noise(model, 0.3, seed=3) * (np.sin(2 * np.pi * 3 * t) > 0)).astype(np.float32)


def _length(model: Classifier[B]) -> int:
    seconds = min(1.0, model.max_seconds)
    return model.contract.static_samples or max(1, round(seconds * model.sample_rate))


def _noise(model: Classifier[B], level: float, seed: int) -> Floats:
    return white_noise(_length(model), seed, level)


def _refuse_other_labels(model: Classifier[B], scores: Floats) -> None:
    k, labels, source = scores.shape[1], model.labels, model.contract.sources.get("labels", "")
    of_classes = model.contract.asked.has_labels
    if k == len(labels) or (of_classes and (k, len(labels)) == (1, 2)):
        return
    shown = ", ".join(labels[:SHOWN]) + (" ..." if len(labels) > SHOWN else "")
    remedy = "state them with --labels"
    if k == 1 and of_classes:
        remedy = (
            "one output tells two classes apart: name both, the second being what it is high "
            "for, such as --labels other,angry"
        )
    raise ModelError(
        f"{model.path}: {counted(k, 'output')} but {counted(len(labels), 'label')} ({shown}, from "
        f"{source}); {remedy}"
    )


def _refuse_random(
    model: Classifier[B], runs: tuple[Floats, Floats, Floats], skeleton: Skeleton
) -> None:
    samples, first, again = runs
    suspects = random_nodes(skeleton)
    active = active_dropouts(skeleton)
    if not suspects:
        if np.abs(first - again).max() <= UNEQUAL * max(1.0, float(np.abs(first).max())):
            return
        raise ModelError(_no_function(model, "nothing in the graph says why; export it again"))
    repeats = (_scores(model, samples) for _ in range(REPEATS - 2))
    same = bool(np.array_equal(first, again)) and all(
        np.array_equal(first, answer) for answer in repeats
    )
    if not same or active:
        named = ", ".join(node_name(node) for node in (active or suspects)[:SHOWN])
        remedy = f"because of {named}: export it in evaluation mode (model.eval()), without them"
        raise ModelError(_no_function(model, remedy))


def _no_function(model: Classifier[B], reason: str) -> str:
    return f"{model.path}: the model does not give the same clip the same answer twice, {reason}"


def _outputs_of(model: Classifier[B], answers: Floats, skeleton: Skeleton) -> Found:
    """Return what the scores are, by their values and by the node that makes them.

    Args:
        model: For its output's name.
        answers: `(N, K)` scores of unlike sounds.
        skeleton: Of the graph; empty where there is none.
    """
    in_range = _in_range(answers)
    sums = answers.sum(axis=1)
    made_by = activation_of(skeleton, model.contract.output_name) if in_range else None
    shares = np.abs(sums - 1).max() < MARGIN and not model.contract.one_output
    if made_by == "linear" and not shares:  # such a layer bounds nothing
        in_range = False
    if model.contract.one_output:
        of_one: Outputs = "probabilities" if in_range else "logits"
        return Found(outputs=of_one, source="graph" if made_by or not in_range else TRIAL)
    if not in_range:
        _refuse_scaled(model, answers, sums)
        return Found(outputs="logits", source="graph")
    if made_by != "sigmoid" and shares:
        return Found(outputs="probabilities", source="graph")
    if made_by == "softmax":
        raise ModelError(
            f"{model.path}: its softmax does not run over the labels, for their probabilities sum "
            f"to {sums.min():.2f} to {sums.max():.2f}; export it with the softmax over the last "
            "axis, or without it"
        )
    if made_by == "sigmoid":
        return Found(outputs="sigmoid", source="graph")
    if not np.ptp(answers, axis=0).any():  # one answer to everything tells nothing
        return Found(outputs="logits", source="graph")
    return Found(outputs="sigmoid", source=TRIAL)


def _as_stated(model: Classifier[B], answers: Floats, skeleton: Skeleton, stated: Outputs) -> Found:
    """Return what the scores are said to be, unless graph or unlike sounds show that they are not.

    One output for two labels is the probability of the second.
    """
    made_by = activation_of(skeleton, model.contract.output_name) if _in_range(answers) else None
    if stated == "logits" and made_by in {"sigmoid", "softmax"}:
        raise ModelError(
            f"{model.path}: its outputs are said to be logits "
            f"({model.contract.sources['outputs']}), but a {made_by} makes them; leave that out"
        )
    one, sums = model.contract.one_output, answers.sum(axis=1)
    fits = stated == "logits" or _in_range(answers)
    if stated == "probabilities" and not one:
        fits = fits and bool(np.abs(sums - 1).max() < MARGIN)
    if not fits:
        raise ModelError(
            f"{model.path}: its outputs are said to be {stated} "
            f"({model.contract.sources['outputs']}), but on noise, tones and silence they are "
            f"{answers.min():.3g} to {answers.max():.3g} and sum to {sums.min():.3g} to "
            f"{sums.max():.3g}; leave that out, or state --outputs logits"
        )
    return Found(outputs="probabilities" if one and stated == "sigmoid" else stated, source="said")


def _in_range(answers: Floats) -> bool:
    return bool(answers.min() >= -SCORE_MARGIN and answers.max() <= 1 + SCORE_MARGIN)


def _refuse_scaled(model: Classifier[B], answers: Floats, sums: Floats) -> None:
    """Raise where every answer sums to one number that is not 1: shares of something, scaled."""
    total = float(sums.mean())
    if len(answers) < 3 or answers.min() < 0 or np.abs(sums - total).max() > MARGIN * total:
        return
    if np.ptp(answers, axis=0).max() <= MARGIN * total:
        return  # the same answer to everything has the same sum too
    raise ModelError(
        f"{model.path}: its outputs '{printable(model.contract.output_name)}' are never negative "
        f"and always sum to {total:.4g}: neither logits nor probabilities; export it without the "
        "last scaling"
    )


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
    parts = [white_noise(round(s * model.sample_rate), seed) for s, seed in (sound, padding)]
    samples = _fitted(model, np.concatenate(parts, axis=1))
    valid = np.arange(samples.shape[1])[np.newaxis] < parts[0].shape[1]
    return _run(model, marks, samples, valid)


def _fitted(model: Classifier[Any], samples: Floats) -> Floats:
    """Return `(1, T)` samples in the length that the model takes."""
    return np.resize(samples, (1, model.contract.static_samples or samples.shape[1]))


def _run(model: Classifier[Any], marks: Marks, samples: Floats, valid: NDArray[np.bool_]) -> Logits:
    backend = replace(model.backend, contract=replace(model.contract, mask_marks=marks))
    return finite(backend.answer(backend.marked(samples, valid)))


def _matters(model: Classifier[Any]) -> bool:
    """Tell whether a clip without padding gets another answer when its mask is turned round."""
    seconds = sum(_lengths(model)[-1])
    samples = _fitted(model, white_noise(round(seconds * model.sample_rate), 1))
    valid = np.ones(samples.shape, dtype=np.bool_)
    try:
        one, other = (_run(model, marks, samples, valid) for marks in ("valid", "padding"))
    except AudioError:
        return True
    return float(np.abs(one - other).max()) > SAME * float(np.abs(one).max())
