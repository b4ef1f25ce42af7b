"""The whole flow: model, dataset and suite -> stored runs -> what they say, and its files."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from serval.distributed import cluster
from serval.errors import ConfigError
from serval.evaluation import open_dataset
from serval.files import is_folder
from serval.label_plan import plan_of, with_value_columns
from serval.models.load import load_as_stated, refuse_no_model
from serval.stress.against import refuse_other_clips, refuse_other_labels
from serval.stress.dimensions import DimensionFindings, dimension_findings
from serval.stress.effects import Findings, findings_of
from serval.stress.invariance import clips_for_invariance, invariance_of
from serval.stress.outputs import StressFiles, stress_document, write_stress
from serval.stress.runs import (
    Cost,
    Example,
    Stage,
    StressOptions,
    StressRuns,
    Watch,
    examples_of,
    load_stress,
    stress_runs,
)
from serval.stress.suite import FULL, suite_of
from serval.tasks import CATEGORICAL, DIMENSIONAL, ByTask, only

if TYPE_CHECKING:
    from collections.abc import Callable

    from serval.label_plan import LabelPlan
    from serval.models.protocol import Model
    from serval.records import Dataset

__all__ = [
    "FULL",
    "Cost",
    "DimensionFindings",
    "Example",
    "Findings",
    "Stage",
    "StressFiles",
    "StressOptions",
    "StressRuns",
    "examples_of",
    "findings_of",
    "load_stress",
    "stress",
    "stress_document",
    "stress_runs",
    "suite_of",
    "write_stress",
]

OTHER = "against"
"""Folder, within the output, of the suite of a model given to compare with."""


def stress(options: StressOptions, watch: Watch | None = None) -> Findings | DimensionFindings:
    """Return what a suite of perturbations does to the model that the options name.

    Raises:
        ServalError: Something is wrong with the suite, the model, the dataset, the labels or a
            folder; no clip was decoded then.
    """
    suite_of(options.suite)
    stored = _stored_against(options)
    evaluation = options.evaluation
    model = load_as_stated(evaluation.model, evaluation)
    evaluation = with_value_columns(evaluation, model)
    options = replace(options, evaluation=evaluation)
    dataset = open_dataset(evaluation)
    plan = plan_of(model, dataset, evaluation)
    finish = FINDINGS.of(plan.task, dataset.name)
    if options.baseline is not None:
        COMPARED.of(plan.task, dataset.name)
    if options.stop_when_sure:
        STOPPED.of(plan.task, dataset.name)
    if stored is not None:
        clips = {"dataset": dataset.fingerprint, "split": dataset.split, "limit": evaluation.limit}
        refuse_other_clips(stored, model.labels, clips, options.seed)
    rival = _other_model(options, dataset, plan) if stored is None else None
    ray = evaluation.engine == "ray"
    with cluster(evaluation.ray_address) if ray else nullcontext():
        runs = stress_runs(model, dataset, options, watch)
        other = stored or _other(options, rival, dataset, watch)
    return finish(runs, other, options, model, dataset)


def _of_emotions(
    runs: StressRuns,
    other: StressRuns | None,
    options: StressOptions,
    model: Model,
    dataset: Dataset,
) -> Findings:
    waveforms = clips_for_invariance(dataset, model, limit=options.evaluation.limit)
    exact = invariance_of(model, waveforms)
    return findings_of(runs, invariance=exact, other=other, seed=options.seed)


FINDINGS: ByTask[Callable[..., Findings | DimensionFindings]] = ByTask(
    what="stress measures",
    parts={
        CATEGORICAL: _of_emotions,
        DIMENSIONAL: lambda runs, _other, options, *_: dimension_findings(runs, seed=options.seed),
    },
    instead="give it a set of those",
)
COMPARED = only(
    CATEGORICAL,
    "--baseline compares under stress",
    "give the two folders of one perturbation to serval compare",
)
STOPPED = only(CATEGORICAL, "--stop-when-sure needs the published thresholds of")


def _stored_against(options: StressOptions) -> StressRuns | None:
    """Return the stored test that `baseline` names, or `None` where it names a model or nothing.

    Raises:
        ConfigError: It is a folder without a stress test, or the output itself.
        ModelError: It is no folder and no model.
    """
    if options.baseline is None:
        return None
    if not is_folder(options.baseline):
        refuse_no_model(options.baseline)
        return None
    if Path(options.baseline).resolve() == Path(options.evaluation.output).resolve():
        raise ConfigError(
            f"--baseline is the output {options.baseline} itself; give another folder"
        )
    return load_stress(options.baseline)


def _other_model(options: StressOptions, dataset: Dataset, plan: LabelPlan) -> Model | None:
    """Return the model that `baseline` names, or `None` where there is none."""
    if options.baseline is None:
        return None
    model = load_as_stated(options.baseline, options.evaluation)
    its = plan_of(model, dataset, options.evaluation).space.labels
    refuse_other_labels(options.baseline, its, plan.space.labels)
    return model


def _other(
    options: StressOptions, rival: Model | None, dataset: Dataset, watch: Watch | None
) -> StressRuns | None:
    """Return the runs of the other model, made now; `None` where none is to be compared with."""
    if options.baseline is None or rival is None:
        return None
    folder = str(Path(options.evaluation.output) / OTHER)
    evaluation = replace(options.evaluation, model=options.baseline, output=folder)
    return stress_runs(rival, dataset, replace(options, evaluation=evaluation), watch)
