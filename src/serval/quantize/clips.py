"""Clips in memory with the answers of the FP32 model, and how true a candidate is on them."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from serval.datasets import DatasetOptions, load_dataset
from serval.errors import DatasetError, DatasetNotFoundError, LabelError
from serval.files import is_file, is_folder
from serval.label_plan import labelled, plan_of, with_value_columns
from serval.models.protocol import logits_alone
from serval.predict import Answer, answer_of, in_order
from serval.probabilities import probabilities_of
from serval.quantize.judged import JUDGES, UNJUDGED
from serval.scores.clusters import clustering_of
from serval.scores.dimensions import ccc, moments_of
from serval.scores.uncertainty import uncertainty_of_mean
from serval.wording import counted, scored

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from serval.audio import Waveform
    from serval.label_plan import Truth
    from serval.labels import LabelSet
    from serval.models.protocol import Logits, Model
    from serval.quantize.judged import Judge, Judged
    from serval.quantize.options import QuantizeOptions
    from serval.records import Clip, Dataset, LeftOut


@dataclass(frozen=True, slots=True, kw_only=True)
class Clips:
    """N decoded clips and what the FP32 model says of them.

    Attributes:
        name: The dataset and its split.
        waveforms: N waveforms at the model's rate.
        reference: `(N, K) float32` logits in FP32.
        labels: The model's K labels.
        outputs: What its logits mean; see `serval.probabilities`.
        truth: `(N, ...)` of each, as `LabelPlan.truth_of` says; `None` where nobody asked.
        judge: What scores answers by it; `None` in the same case.
        speakers: Who speaks in each, `None` where unknown; empty if nothing is known.
        failed: Further clips that could not be decoded or run.
        unlabelled: Further clips without a label.
        unknown: Further clips by a label that the model does not have, left out on request.
        others: What else lies in the set's place and is none of its clips.
        split: The split of the set that they are of; empty where it has none.
        warnings: What of the options does nothing, a sentence each.
    """

    name: str
    waveforms: tuple[Waveform, ...]
    reference: Logits
    labels: LabelSet
    outputs: str = "logits"
    truth: Truth | None = None
    judge: Judge | None = None
    speakers: tuple[str | None, ...] = ()
    failed: int = 0
    unlabelled: int = 0
    unknown: Mapping[str, int] = field(default_factory=dict)
    others: tuple[LeftOut, ...] = ()
    split: str = ""
    warnings: tuple[str, ...] = ()

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
            judge=self.judge,
            speakers=tuple(self.speakers[i] for i in kept) if self.speakers else (),
            split=self.split,
        )

    def judged(self, reference: Logits, logits: Logits) -> Judged | None:
        """Return what `(N, K)` logits win or lose against others; `None` where nobody asked."""
        if self.judge is None or self.truth is None:
            return None
        clustering = clustering_of(self.speakers or [None] * len(logits))
        return self.judge(self.truth, (reference, logits), clustering)

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
    dataset = _train_split(options, model)
    total = dataset.n_clips
    total = sum(1 for _ in dataset.metadata(0, None)) if total is None else total
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
    options = with_value_columns(options, model)
    dataset = load_dataset(options.evaluation or "", options=options)
    plan = plan_of(model, dataset, options)
    if plan.mapping is not None and plan.mapping.preset is not None:
        raise LabelError(
            f"--label-map {plan.mapping.preset.name}: what quantization costs is measured on "
            "the model's own labels; give RAW=label,..., and evaluate the file with the preset"
        )
    clips = labelled(dataset.clips, plan.mapping, options.limit)
    known = (clip for clip in clips if plan.truth_of(clip) is not None)
    found = _answered(dataset, known, model, workers, plan.truth_of)
    return replace(
        found,
        judge=JUDGES[plan.task],
        unlabelled=plan.total - len(found.waveforms) - found.failed,
        unknown=plan.dropped,
        others=dataset.left_out,
        warnings=plan.warnings,
    )


def logits_of(model: Model, waveforms: tuple[Waveform, ...], workers: int) -> Logits:
    """Return `(N, K) float32` logits, every clip run alone."""
    rows = list(in_order(partial(logits_alone, model), waveforms, workers))
    return np.stack(rows) if rows else np.zeros((0, len(model.labels)), dtype=np.float32)


def _train_split(options: QuantizeOptions, model: Model) -> Dataset:
    """Return the train split; columns that are named are of the evaluation set, if there is one."""
    name = options.calibration or ""
    same = options.evaluation is None or is_one_set(name, options.evaluation)
    whole = replace(options, limit=None, sample=None) if same else DatasetOptions()
    whole = replace(whole, value_columns=with_value_columns(options, model).value_columns)
    try:
        return load_dataset(name, options=replace(whole, split="train"))
    except DatasetNotFoundError:
        return load_dataset(name, options=replace(whole, split=None))


def is_one_set(one: str, other: str) -> bool:
    """Tell whether two names of datasets name one set: equal, or two paths to one place."""
    if one == other or not all(is_file(name) or is_folder(name) for name in (one, other)):
        return one == other
    return Path(one).samefile(other)


def _answered(
    dataset: Dataset,
    clips: Iterable[Clip],
    model: Model,
    workers: int,
    truth_of: Callable[[Clip], Truth | None] | None = None,
) -> Clips:
    """Return the clips that the model answers, with their truth if something says it of each."""
    tried = list(in_order(partial(answer_of, model), clips, workers))
    answers = [answer for answer in tried if isinstance(answer, Answer)]
    if not answers:
        raise DatasetError(f"{dataset.name} has no clip that the model can use; try another set")
    return Clips(
        name=f"{dataset.name} {dataset.split}".strip(),
        waveforms=tuple(answer.samples for answer in answers),
        reference=np.stack([answer.logits for answer in answers]),
        labels=model.labels,
        outputs=model.contract.outputs,
        truth=np.array([truth_of(answer.clip) for answer in answers]) if truth_of else None,
        speakers=tuple(answer.clip.speaker for answer in answers),
        failed=len(tried) - len(answers),
        split=dataset.split or "",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Fidelity:
    """How true a candidate is to the FP32 model on N clips.

    Attributes:
        clips: N.
        agreement: Share of clips with the same top emotion, in [0, 1]; NaN of dimensions.
        agreement_ends: Of its 95 % interval, clustered by speaker where known; `None` of dimensions
            and of too few clips.
        logit_error: Root mean square difference of the logits.
        divergence: Mean Kullback-Leibler divergence from the FP32 probabilities, in nats; NaN of
            dimensions.
        judged: The score of the task and what changed of it; `None` where the truth was not asked
            for.
        ccc: Of the values and those of FP32, by dimension; empty of emotions.
        largest_shift: The largest change of a value, by dimension, on the scale of the model; empty
            of emotions.
    """

    clips: int
    agreement: float
    agreement_ends: tuple[float, float] | None = None
    logit_error: float
    divergence: float
    judged: Judged | None = None
    ccc: Mapping[str, float] = field(default_factory=dict)
    largest_shift: Mapping[str, float] = field(default_factory=dict)

    @property
    def document(self) -> dict[str, Any]:
        """Everything as plain JSON types, what was judged beside the rest."""
        of_emotions = not self.ccc
        own = asdict(self) | {
            "agreement": self.agreement if of_emotions else None,
            "divergence": self.divergence if of_emotions else None,
        }
        del own["judged"]
        return {**own, **(self.judged.document if self.judged else UNJUDGED)}


def fidelity(logits: Logits, clips: Clips) -> Fidelity:
    """Return how true `(N, K) float32` logits are to those of FP32."""
    found = _of_values if clips.outputs == "values" else _of_emotions
    return replace(found(logits, clips), judged=clips.judged(clips.reference, logits))


def _of_emotions(logits: Logits, clips: Clips) -> Fidelity:
    same = logits.argmax(axis=1) == clips.reference.argmax(axis=1)
    return Fidelity(
        clips=len(logits),
        agreement=float(same.mean()),
        agreement_ends=_ends_of_mean(same, clips.speakers),
        logit_error=float(np.sqrt(np.square(logits - clips.reference).mean())),
        divergence=float(_divergences(clips.reference, logits, clips.outputs).mean()),
    )


def _of_values(values: Logits, clips: Clips) -> Fidelity:
    reference = clips.reference.astype(np.float64)
    agreement = ccc(moments_of(reference, values)).tolist()
    shift = np.abs(values - reference).max(axis=0).tolist()
    return Fidelity(
        clips=len(values),
        agreement=float("nan"),
        logit_error=float(np.sqrt(np.square(values - reference).mean())),
        divergence=float("nan"),
        ccc=dict(zip(clips.labels, agreement, strict=True)),
        largest_shift=dict(zip(clips.labels, shift, strict=True)),
    )


def value_words(found: Fidelity) -> str:
    """Return how near the values of dimensions are to those of FP32, as the end of a sentence."""
    each = ", ".join(
        f"{name} {'none' if math.isnan(found.ccc[name]) else f'{found.ccc[name]:.4f}'} "
        f"(moves by {found.largest_shift[name]:.2g} at most)"
        for name in found.ccc
    )
    if found.clips == 1:
        moved = ", ".join(f"{name} by {by:.2g}" for name, by in found.largest_shift.items())
        return f"one clip has no CCC with FP32, and moves {moved}"
    return f"CCC with FP32 on {counted(found.clips, 'clip')}: {each}"


def same_in_words(found: Fidelity) -> str:
    """Return on what share of how many clips the emotion is that of FP32, with its interval."""
    same = {"value": found.agreement, "low": None, "high": None}
    if found.agreement_ends is not None:
        same["low"], same["high"] = found.agreement_ends
    return f"{scored(same)} of {counted(found.clips, 'clip')}"


def _ends_of_mean(
    flags: NDArray[np.bool_], speakers: Sequence[str | None]
) -> tuple[float, float] | None:
    """Return the ends of the 95 % interval of a share of clips; `None` of too few for one."""
    clustering = clustering_of(speakers or [None] * len(flags))
    shares = flags.astype(np.float64)
    found = uncertainty_of_mean(shares, clustering).interval(float(shares.mean()))
    return None if math.isnan(found.low) else (found.low, found.high)


def _divergences(reference: Logits, logits: Logits, outputs: str) -> NDArray[np.float64]:
    """Return `(N,)` Kullback-Leibler divergences in nats.

    Where each label has a score of its own, that is a divergence a label, and their sum a clip.
    """
    p, q = (probabilities_of(some, outputs) for some in (reference, logits))
    parts = _shares(p, q)
    return np.asarray(
        (parts + _shares(1 - p, 1 - q) if outputs == "sigmoid" else parts).sum(axis=1)
    )


def _shares(p: NDArray[np.float64], q: NDArray[np.float64]) -> NDArray[np.float64]:
    tiny = np.finfo(np.float64).tiny
    return np.asarray(p * (np.log(np.maximum(p, tiny)) - np.log(np.maximum(q, tiny))))
