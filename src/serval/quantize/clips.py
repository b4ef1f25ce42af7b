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
from serval.label_plan import labelled, plan_of, value_columns
from serval.models.protocol import logits_alone
from serval.predict import Answer, answer_of, in_order
from serval.probabilities import probabilities_of
from serval.scores.clusters import clustering_of
from serval.scores.dimensions import ccc, moments_of
from serval.scores.paired import PairOptions
from serval.scores.stats import Difference, Verdict, mcnemar_exact, verdict
from serval.scores.uncertainty import uncertainty_of_mean
from serval.tasks import CATEGORICAL, only
from serval.wording import counted, in_points, scored, span

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from serval.audio import Waveform
    from serval.labels import LabelSet
    from serval.models.protocol import Logits, Model
    from serval.quantize.options import QuantizeOptions
    from serval.records import Clip, Dataset, LeftOut

MEASURED = only(
    CATEGORICAL,
    "--eval measures the accuracy of",
    "leave it out, and give runs of both files to serval compare",
)

MARGIN = PairOptions().margin
"""The loss that would not matter, in [0, 1]: that of `serval compare`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clips:
    """N decoded clips and what the FP32 model says of them.

    Attributes:
        name: The dataset and its split.
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
        split: The split of the set that they are of; empty where it has none.
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
    split: str = ""

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
            split=self.split,
        )

    def every(self, step: int) -> Clips:
        """Return one clip in `step`, from the first."""
        return self.part(range(0, len(self.waveforms), step))

    def without_every(self, step: int) -> Clips:
        """Return the clips that `every(step)` leaves."""
        return self.part(i for i in range(len(self.waveforms)) if i % step)


def calibration_clips(options: QuantizeOptions, n: int, model: Model, workers: int) -> Clips:
    """Return up to n clips spread over the calibration set, of its train split if it has one."""
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
    dataset = load_dataset(options.evaluation or "", options=options)
    plan = plan_of(model, dataset, options)
    MEASURED.of(plan.task, dataset.name)
    if plan.mapping is not None and plan.mapping.preset is not None:
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
    rows = list(in_order(partial(logits_alone, model), waveforms, workers))
    return np.stack(rows) if rows else np.zeros((0, len(model.labels)), dtype=np.float32)


def _train_split(options: QuantizeOptions, model: Model) -> Dataset:
    """Return the train split; columns that are named are of the evaluation set, if there is one."""
    name = options.calibration or ""
    same = options.evaluation is None or is_one_set(name, options.evaluation)
    whole = replace(options, limit=None, sample=None) if same else DatasetOptions()
    if not model.contract.asked.has_labels:
        whole = replace(whole, value_columns=",".join(value_columns(model, options)))
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
        right: Clips named correctly, or `None` where the truth was not asked for.
        reference_right: Clips that FP32 names correctly, or `None` in the same case.
        change: Accuracy minus that of FP32 on the same clips, with its interval, clustered by
            speaker where known; `None` where the truth was not asked for.
        p_swapped: Exact McNemar's p-value that both are right equally often.
        ccc: Of the values and those of FP32, by dimension; empty of emotions.
        largest_shift: The largest change of a value, by dimension, on the scale of the model; empty
            of emotions.
    """

    clips: int
    agreement: float
    agreement_ends: tuple[float, float] | None = None
    logit_error: float
    divergence: float
    right: int | None = None
    reference_right: int | None = None
    change: Difference | None = None
    p_swapped: float = 1.0
    ccc: Mapping[str, float] = field(default_factory=dict)
    largest_shift: Mapping[str, float] = field(default_factory=dict)

    def verdict(self, max_drop: float) -> Verdict:
        """Return whether a loss of more than `max_drop` points is ruled out, as a gate decides."""
        if self.change is None:
            return "cannot tell"
        return verdict(self.change, max_drop / 100, self.p_swapped)

    @property
    def accuracy(self) -> float:
        """Share of clips named correctly, in [0, 1]; NaN where the truth was not asked for."""
        return float("nan") if self.right is None else self.right / self.clips

    @property
    def drop(self) -> float:
        """Points of accuracy lost against FP32; negative if some were won."""
        if self.right is None or self.reference_right is None:
            return float("nan")
        return 100 * (self.reference_right - self.right) / self.clips

    @property
    def document(self) -> dict[str, Any]:
        """Everything as plain JSON types; `None` where the truth was not asked for."""
        known = self.right is not None
        return asdict(self) | {
            "agreement": None if self.ccc else self.agreement,
            "divergence": None if self.ccc else self.divergence,
            "accuracy": self.accuracy if known else None,
            "drop": self.drop if known else None,
            "p_swapped": self.p_swapped if known else None,
        }


def fidelity(logits: Logits, clips: Clips) -> Fidelity:
    """Return how true `(N, K) float32` logits are to those of FP32."""
    if clips.outputs == "values":
        return _fidelity_of_values(logits, clips)
    top, reference_top = logits.argmax(axis=1), clips.reference.argmax(axis=1)
    same = top == reference_top
    known = clips.truth is not None
    right, reference_right = top == clips.truth, reference_top == clips.truth
    broken, fixed = int((reference_right & ~right).sum()), int((right & ~reference_right).sum())
    return Fidelity(
        clips=len(logits),
        agreement=float(same.mean()),
        agreement_ends=_ends_of_mean(same, clips.speakers),
        logit_error=float(np.sqrt(np.square(logits - clips.reference).mean())),
        divergence=float(_divergences(clips.reference, logits, clips.outputs).mean()),
        right=int(right.sum()) if known else None,
        reference_right=int(reference_right.sum()) if known else None,
        change=accuracy_change(right, reference_right, clips.speakers) if known else None,
        p_swapped=mcnemar_exact(broken, fixed) if known else 1.0,
    )


def _fidelity_of_values(values: Logits, clips: Clips) -> Fidelity:
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


def accuracy_change(
    right: NDArray[np.bool_], reference_right: NDArray[np.bool_], speakers: Sequence[str | None]
) -> Difference:
    """Return the accuracy of the first minus that of the second, on the same clips."""
    gain = right.astype(np.float64) - reference_right
    clustering = clustering_of(speakers or [None] * len(gain))
    return uncertainty_of_mean(gain, clustering).difference(float(gain.mean()), 1 / len(gain))


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


def cost_in_words(found: Fidelity) -> str:
    """Return what happened to the accuracy, with the interval that decides it."""
    gap = found.change
    if gap is None or math.isnan(gap.low):
        return "change of accuracy has no interval"
    said = {
        "not worse": f"a loss of more than {in_points(MARGIN)} is ruled out",
        "worse": "that is worse",
        "cannot tell": f"whether more than {in_points(MARGIN)} is lost cannot be told",
    }[found.verdict(100 * MARGIN)]
    return (
        f"accuracy changes by {in_points(gap.value, sign=True)} (95 % interval "
        f"{span(gap.low, gap.high)}): {said}"
    )
