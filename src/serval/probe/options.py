"""What the caller may say about a probe, and what comes back."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import mean
from typing import TYPE_CHECKING

from serval.datasets import LabelledOptions
from serval.distributed import refuse_odd_engine
from serval.errors import ConfigError
from serval.evaluation import refuse_odd_shares
from serval.files import refuse_odd_place
from serval.models.options import InferenceOptions
from serval.options import changed, refuse_unused
from serval.probe.folds import PUBLISHED
from serval.probe.layers import WEIGHTED
from serval.results.verdict import in_words
from serval.tasks import CATEGORICAL, DIMENSIONAL, Task
from serval.wording import counted, in_points, span

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from serval.probe.encoder import EncoderCost
    from serval.probe.runs import FoldScores
    from serval.scores.stats import Difference, Interval

POOLINGS = ("mean", "mean+std")
OF_A_CLASSIFIER = ("--provider", "--window", "--hop", "--window-mean")
HEADS = {"logistic": "C", "ridge": "alpha", "knn": "neighbours"}
"""What scikit-learn calls the strength that inner folds choose."""


def task_of_head(head: str) -> Task:
    """Return what a head says of a clip."""
    return DIMENSIONAL if head == "ridge" else CATEGORICAL


@dataclass(frozen=True, kw_only=True)
class ProbeOptions(InferenceOptions, LabelledOptions):
    """Every option of a probe, with its default.

    Attributes:
        model: The encoder, as `serval evaluate -m` takes it.
        dataset: As `serval evaluate -d` takes it.
        output: Folder of the features, of a run for each level, and of `probe.json`.
        folds: `published`, `speaker:K`, or a fold list.
        layer: `all`, `weighted`, `last`, `pooled`, a number, or the name of a tensor.
        pool: Over time: `mean` or `mean+std`.
        head: `logistic`, `ridge` (of dimensions) or `knn`.
        class_weight: `balanced`, so that each label weighs alike, or `none`.
        save: The .onnx file to write, of encoder and head trained on all clips.
        shared_speakers: Cross-validate with shared speakers too, and say what that adds.
        cost: Measure what each level costs: parameters, size, time for three seconds.
        workers: Clips at once; by default one for each core, with Ray of the cluster.
        engine: What computes features: `local` or `ray`.
        ray_address: `host:port` of a running cluster; by default one on this machine.
        max_failures: Share of failed clips, in [0, 1], above which the exit code is 3.
        fresh: Start the runs over; features are kept.
    """

    model: str = "serval-tiny"
    dataset: str = "demo"
    output: str = "./probes"
    folds: str = PUBLISHED
    layer: str = "last"
    pool: str = "mean+std"
    head: str = "logistic"
    class_weight: str = "balanced"
    save: str | None = None
    shared_speakers: bool = False
    cost: bool = False
    workers: int | None = None
    engine: str = "local"
    ray_address: str | None = None
    max_failures: float = 0.01
    fresh: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CrossValidated:
    """The out-of-fold run of one level.

    Attributes:
        folder: Of the run, which every other verb takes.
        score: UAR, or of dimensions the mean CCC, with its interval.
        by_fold: The same score fold by fold.
        strengths: What inner folds chose, by fold.
        shares: Of a weighted sum, the weight of each level, by fold; else empty.
    """

    folder: Path
    score: Interval
    by_fold: FoldScores
    strengths: Mapping[str, float]
    shares: Mapping[str, tuple[float, ...]]

    @property
    def mean_shares(self) -> tuple[float, ...]:
        """The weight of each level, as the mean over folds."""
        return tuple(mean(of) for of in zip(*self.shares.values(), strict=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerProbe:
    """What one level is worth.

    Attributes:
        name: Of the level.
        features: How many a head sees of a clip.
        apart: With speakers kept apart.
        shared: With shared speakers, where that was asked for.
        leak: What sharing them adds to the score, with its interval.
        cost: Of the encoder up to there, where that was asked for.
    """

    name: str
    features: int
    apart: CrossValidated
    shared: CrossValidated | None = None
    leak: Difference | None = None
    cost: EncoderCost | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """A finished probe.

    Attributes:
        encoder: Its name.
        score: `uar` or `ccc`.
        clips: In the score.
        speakers: Among them.
        layers: In the order of the encoder.
        notes: What a reader must know, one sentence each.
        seconds: Wall time of features, and of heads.
        memory_mb: Highest resident memory of the process, in 10^6 bytes.
        files: `probe.json`, and the saved model.
    """

    encoder: str
    score: str
    clips: int
    speakers: int
    layers: tuple[LayerProbe, ...]
    notes: tuple[str, ...]
    seconds: Mapping[str, float]
    memory_mb: float
    files: tuple[Path, ...]


def probe_verdict(found: Probe) -> list[str]:
    """Return what a reader takes away: the best level, and what sharing speakers would add."""
    best = max(found.layers, key=lambda layer: layer.apart.score.value)
    of_all = f", the best of {len(found.layers)}" if len(found.layers) > 1 else ""
    first = (
        f"A head on layer {best.name} of {found.encoder}{of_all}: "
        f"{found.score.upper()} {in_words(best.apart.score)} on speakers that it never heard "
        f"({counted(found.clips, 'clip')}, {counted(found.speakers, 'speaker')})."
    )
    lines = [first]
    if best.shared is not None and best.leak is not None:
        gap = best.leak
        told = "" if gap.low > 0 else "; these clips cannot tell that from nothing"
        lines.append(
            f"With shared speakers it is {in_words(best.shared.score)}: that adds "
            f"{in_points(gap.value, sign=True)} ({span(gap.low, gap.high)}){told}."
        )
    return lines


def refuse_unknown(options: ProbeOptions) -> None:
    """Refuse an option that has a value which it cannot have."""
    refuse_odd_place("--output", options.output)
    for flag, stated in (("--multi-label", options.multi_label), ("--outputs", options.outputs)):
        if stated not in {False, "auto"}:
            raise ConfigError(
                f"{flag} is of whole models: a probe trains a head for one label a clip; "
                "leave it out"
            )
    for flag, value, known in (
        ("--pool", options.pool, POOLINGS),
        ("--head", options.head, HEADS),
        ("--class-weight", options.class_weight, ("balanced", "none")),
    ):
        if value not in known:
            raise ConfigError(f"unknown {flag} '{value}'; known: {', '.join(known)}")
    if options.layer == WEIGHTED and options.head != "logistic":
        raise ConfigError(
            f"--layer weighted is learned with a logistic head; leave out --head {options.head}"
        )
    refuse_odd_engine(options.engine, options.ray_address, options.workers)
    refuse_odd_shares(options.max_failures, options.max_left_out)
    _refuse_idle(options)


def _refuse_idle(options: ProbeOptions) -> None:
    refuse_unused(
        (flag for flag in changed(options, InferenceOptions) if flag in OF_A_CLASSIFIER),
        "a probe hears each clip whole, and on the CPU",
    )
    if options.head != "logistic" and options.class_weight != "balanced":
        refuse_unused(["--class-weight"], f"--head {options.head} weighs no labels")
    if options.model_scale is not None:
        refuse_unused(["--model-scale"], "a head gives values on the scale of the set")
