"""What is probed on what: labels, targets and folds, known before the first clip is decoded."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from serval.datasets import load_dataset
from serval.datasets.layout import ALL_FOLDS
from serval.dimensions import dimension_columns, ratings_of
from serval.errors import ConfigError, DatasetError
from serval.label_plan import labelled, plan_of
from serval.labels import EMOTIONS, LabelMap, LabelSet, label_map_from_option
from serval.models.options import overrides_of
from serval.probe.folds import (
    PUBLISHED,
    FoldClips,
    at_places,
    by_speaker,
    clips_tested,
    folds_as_asked,
    mixed_folds,
    refuse_unnamed,
    shared_by,
)
from serval.probe.options import task_of_head
from serval.tasks import CATEGORICAL, DIMENSIONAL, ByTask
from serval.wording import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from numpy.typing import NDArray

    from serval.label_plan import LabelPlan
    from serval.models.classifier import Classifier
    from serval.probe.encoder import Encoder
    from serval.probe.folds import Fold
    from serval.probe.options import ProbeOptions
    from serval.records import Clip, Dataset

APART, SHARED = "speakers apart", "speakers shared"
DIMENSIONS = ("arousal", "valence", "dominance")


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """What is probed on what: known before the first clip is decoded.

    Attributes:
        options: As given.
        encoder: Opened.
        model: The encoder with the labels and outputs of a head.
        dataset: Opened.
        plan: Which of its clips count, and as what.
        clips: What folds are made by.
        targets: `(N,)` label ids, or `(N, D)` values.
    """

    options: ProbeOptions
    encoder: Encoder
    model: Classifier[Any]
    dataset: Dataset
    plan: LabelPlan
    clips: FoldClips
    targets: NDArray[Any]

    def read(self, *, audio: bool) -> Iterator[Clip]:
        """Yield the clips in order, with or without their audio."""
        reader = self.dataset.clips if audio else self.dataset.metadata
        return labelled(reader, self.plan.mapping, self.options.limit)


def planned(options: ProbeOptions, encoder: Encoder) -> Planned:
    """Return what is probed on what.

    Raises:
        DatasetError: The set, its labels or its values are not what was asked for.
        LabelError: A label of it is not among those that are stated.
    """
    if options.folds == PUBLISHED and options.split is None:
        options = replace(options, split=ALL_FOLDS)
    dataset = load_dataset(options.dataset, options=options)
    model = _with_head(options, encoder, dataset)
    plan = plan_of(model, dataset, options)
    clips = FoldClips.of(labelled(dataset.metadata, plan.mapping, options.limit))
    return Planned(
        options=options,
        encoder=encoder,
        model=model,
        dataset=dataset,
        plan=plan,
        clips=clips,
        targets=PROBED.of(plan.task, dataset.name).targets(
            plan, dataset.name, labelled(dataset.metadata, plan.mapping, options.limit)
        ),
    )


def _label_ids(plan: LabelPlan, name: str, clips: Iterable[Clip]) -> NDArray[np.int64]:
    labels = [clip.label for clip in clips]
    if "" in labels:
        raise DatasetError(
            f"{name}: {counted(labels.count(''), 'clip has', 'clips have')} no label; leave them "
            "out of the set"
        )
    ids = {label: i for i, label in enumerate(plan.space.labels)}
    return np.array([ids[label] for label in labels], dtype=np.int64)


def _ratings(plan: LabelPlan, _name: str, clips: Iterable[Clip]) -> NDArray[np.float64]:
    columns = (plan.facts or {})["columns"]
    return np.array([ratings_of(clip, columns) for clip in clips], dtype=np.float64)


def _with_head(options: ProbeOptions, encoder: Encoder, dataset: Dataset) -> Classifier[Any]:
    """Return the encoder as the classifier that a head makes of it; it is never run."""
    task, stated = task_of_head(options.head), overrides_of(options).labels
    contract = replace(
        encoder.model.contract,
        labels=LabelSet(stated) if stated else PROBED.parts[task].labels(options, dataset),
        task=task.model,
        outputs=task.outputs,
        scale="" if task.has_labels else options.scale or dataset.scale or "0..1",
    )
    name = f"{encoder.model.identity.name}, {options.head} head"
    return replace(
        encoder.model, contract=contract, identity=replace(encoder.model.identity, name=name)
    )


def _labels(options: ProbeOptions, dataset: Dataset) -> LabelSet:
    """Return the labels of the set, in the usual order and under their usual names."""
    stated = label_map_from_option(options.label_map)
    explicit = {raw.casefold(): label for raw, label in stated.explicit.items()}
    usual = LabelMap(
        labels=LabelSet(EMOTIONS), explicit={}, meanings=dataset.label_map, preset=stated.preset
    )
    raw = {clip.label for clip in dataset.metadata(0, options.limit) if clip.label}
    if not raw:
        raise DatasetError(f"no clip of {dataset.name} has a label; name it: --label-column")
    names = {explicit.get(one.casefold()) or usual[one] or ("" if stated.preset else one)
             for one in raw} - {""}  # fmt: skip
    known = [emotion for emotion in EMOTIONS if emotion in names]
    return LabelSet([*known, *sorted(names - {*known})])


def _dimensions(options: ProbeOptions, dataset: Dataset) -> LabelSet:
    """Return the dimensions that the set has columns of."""
    had = {name.lower() for clip in dataset.metadata(0, options.limit) for name in clip.groups}
    wanted = dimension_columns(DIMENSIONS, options.dimension_columns)
    found = [name for name, names in wanted.items() if had & {one.lower() for one in names}]
    if len(found) < 2:
        raise DatasetError(
            f"{dataset.name} has columns of {len(found)} of {', '.join(DIMENSIONS)}, and a head of "
            "dimensions takes two or more: name them with --dimension-columns arousal=COLUMN,..."
        )
    return LabelSet(found)


def apart_name(options: ProbeOptions, clips: FoldClips) -> str:
    """Return what the folds that keep speakers apart are called: as asked, unless those share."""
    asked = folds_as_asked(options.folds, clips)
    return f"speaker:{len(asked)}" if shared_by(asked, clips) else options.folds


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbedTask:
    """What heads of a task are taught.

    Attributes:
        labels: What their outputs are called.
        targets: What they are to say of each clip.
    """

    labels: Callable[[ProbeOptions, Dataset], LabelSet]
    targets: Callable[[LabelPlan, str, Iterable[Clip]], NDArray[Any]]


PROBED = ByTask(
    what="heads are trained for",
    parts={
        CATEGORICAL: ProbedTask(labels=_labels, targets=_label_ids),
        DIMENSIONAL: ProbedTask(labels=_dimensions, targets=_ratings),
    },
    instead="give a set of those",
)


def wanted_folds(options: ProbeOptions, clips: FoldClips) -> dict[str, tuple[Fold, ...]]:
    """Return the folds that keep speakers apart, and where that is asked for those that do not.

    Both deal out the same clips, so that heads of either are trained on as many.

    Raises:
        ConfigError: Nobody knows who speaks in a clip of the folds, those that are asked for share
            speakers and nobody said that they may, or one fold is to be compared with others.
    """
    asked = folds_as_asked(options.folds, clips)
    refuse_unnamed(clips.only(np.unique(np.concatenate([[*f.train, *f.test] for f in asked]))))
    shared = shared_by(asked, clips)
    if not options.shared_speakers:
        if shared:
            compared = ", or see what that adds to the score with --shared-speakers"
            raise ConfigError(
                f"--folds {options.folds}: {shared}; {clips.apart(len(asked))}"
                + compared * (len(asked) > 1)
            )
        return {APART: asked}
    if len(asked) < 2:
        raise ConfigError(
            f"--folds {options.folds} has one fold, and --shared-speakers deals out the tested "
            "clips anew to as many: give a list of two folds or more"
        )
    places = clips_tested(asked)
    own = clips.only(places)
    if shared:
        return {APART: at_places(by_speaker(own, len(asked)), places), SHARED: asked}
    return {APART: asked, SHARED: at_places(mixed_folds(own.labels, len(asked)), places)}
