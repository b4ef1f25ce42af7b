"""Clips in memory with the answers of the FP32 model, on which candidates are compared."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from serval.datasets import DatasetOptions, load_dataset
from serval.errors import DatasetError, DatasetNotFoundError, LabelError
from serval.evaluation import labelled, plan_of
from serval.predict import Answer, answer_of, in_order

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

    from serval.audio import Waveform
    from serval.labels import LabelSet
    from serval.models.protocol import Logits, Model
    from serval.quantize.options import QuantizeOptions
    from serval.records import Clip, Dataset, LeftOut

__all__ = ["Clips", "calibration_clips", "evaluation_clips", "logits_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Clips:
    """N decoded clips and what the FP32 model says of them.

    Attributes:
        name: Of the dataset, with its split.
        waveforms: N waveforms at the model's rate.
        reference: `(N, K) float32` logits in FP32.
        labels: The model's K labels.
        outputs: What its logits mean; see `serval.probabilities`.
        truth: `(N,)` classes, or `None` where nobody asked.
        speakers: Who speaks in each, `None` where unknown; empty if nothing is known.
        failed: Further clips that could not be decoded or run.
        unlabelled: Further clips without a label.
        unknown: Further clips by a label that the model does not have, left out on request.
        others: What else lies in the set's place and is none of its clips.
    """

    name: str
    waveforms: tuple[Waveform, ...]
    reference: Logits
    labels: LabelSet
    outputs: str = "logits"
    truth: NDArray[np.int64] | None = None
    speakers: tuple[str | None, ...] = ()
    failed: int = 0
    unlabelled: int = 0
    unknown: Mapping[str, int] = field(default_factory=dict)
    others: tuple[LeftOut, ...] = ()

    @property
    def left_out(self) -> str:
        """Which clips of the set are not among these, in words; empty if all of them are."""
        names = ", ".join(f"'{raw}' ({n})" for raw, n in sorted(self.unknown.items()))
        reasons = [f"label unknown to the model: {names}"] if names else []
        reasons += [f"without a label: {self.unlabelled}"] if self.unlabelled else []
        reasons += [f"not decodable: {self.failed}"] if self.failed else []
        reasons += [f"{part.reason}: {part.n}" for part in self.others]
        return "; ".join(reasons)

    def part(self, chosen: Iterable[int]) -> Clips:
        """Return the clips at those positions."""
        kept = [i for i in chosen if i < len(self.waveforms)]
        return Clips(
            name=self.name,
            waveforms=tuple(self.waveforms[i] for i in kept),
            reference=self.reference[kept],
            labels=self.labels,
            outputs=self.outputs,
            truth=None if self.truth is None else self.truth[kept],
            speakers=tuple(self.speakers[i] for i in kept) if self.speakers else (),
        )

    def every(self, step: int) -> Clips:
        """Return one clip in `step`, from the first."""
        return self.part(range(0, len(self.waveforms), step))

    def without_every(self, step: int) -> Clips:
        """Return the clips that `every(step)` leaves."""
        return self.part(i for i in range(len(self.waveforms)) if i % step)


def calibration_clips(options: QuantizeOptions, n: int, model: Model, workers: int) -> Clips:
    """Return up to n clips spread evenly over the train split of the calibration set, or its own.

    Raises:
        DatasetError: No clip of it can be used.
    """
    dataset = _train_split(options)
    total = sum(1 for _ in dataset.metadata(0, None))
    chosen = {int(i) for i in np.linspace(0, max(0, total - 1), min(n, total))}
    picked = (clip for clip in dataset.clips(0, None) if clip.index in chosen)
    return _answered(dataset, picked, model, workers)


def evaluation_clips(options: QuantizeOptions, model: Model, workers: int) -> Clips:
    """Return the labelled clips of the evaluation set, as `serval evaluate` would take them.

    Raises:
        DatasetError: There is none that can be decoded.
        LabelError: A label has no counterpart among the model's, and clips may not be dropped; or
            the label map is a preset.
    """
    dataset = load_dataset(options.evaluation or "", options=options)
    plan = plan_of(model, dataset, options)
    if plan.mapping.preset is not None:
        raise LabelError(
            f"--label-map {plan.mapping.preset.name}: accuracy after quantization is measured on "
            "the model's own labels; give RAW=label,..., and evaluate the file with the preset"
        )
    clips = labelled(dataset.clips, plan.mapping, options.limit)
    known = (clip for clip in clips if clip.label)
    found = _answered(dataset, known, model, workers, with_truth=True)
    return replace(
        found,
        unlabelled=plan.total - len(found.waveforms) - found.failed,
        unknown=plan.dropped,
        others=dataset.left_out,
    )


def logits_of(model: Model, waveforms: tuple[Waveform, ...], workers: int) -> Logits:
    """Return `(N, K) float32` logits, every clip run alone."""
    rows = list(in_order(partial(_logits, model), waveforms, workers))
    return np.stack(rows) if rows else np.zeros((0, len(model.labels)), dtype=np.float32)


def _train_split(options: QuantizeOptions) -> Dataset:
    """Return the train split; the columns that are named are those of the evaluation set."""
    name, same = options.calibration or "", options.calibration == options.evaluation
    whole = replace(options, limit=None, sample=None) if same else DatasetOptions()
    try:
        return load_dataset(name, options=replace(whole, split="train"))
    except DatasetNotFoundError:
        return load_dataset(name, options=replace(whole, split=None))


def _answered(
    dataset: Dataset, clips: Iterable[Clip], model: Model, workers: int, *, with_truth: bool = False
) -> Clips:
    """Return the clips that the model answers; for their truth they need the model's labels."""
    tried = list(in_order(partial(answer_of, model), clips, workers))
    answers = [answer for answer in tried if isinstance(answer, Answer)]
    if not answers:
        raise DatasetError(f"{dataset.name} has no clip that the model can use; try another set")
    truth = [model.labels.id_of(a.clip.label) for a in answers] if with_truth else None
    return Clips(
        name=f"{dataset.name} {dataset.split}".strip(),
        waveforms=tuple(answer.samples for answer in answers),
        reference=np.stack([answer.logits for answer in answers]),
        labels=model.labels,
        outputs=model.contract.outputs,
        truth=None if truth is None else np.array(truth),
        speakers=tuple(answer.clip.speaker for answer in answers),
        failed=len(tried) - len(answers),
    )


def _logits(model: Model, samples: Waveform) -> NDArray[np.float32]:
    answer: NDArray[np.float32] = model.logits(samples[np.newaxis], np.array([len(samples)]))[0]
    return answer
