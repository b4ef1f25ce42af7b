"""Every cell of a plan -> what became of it.

A cell that is complete is only scored again, one that was interrupted goes on, and one that cannot
be done keeps its reason.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from serval.datasets.card import CARD, head_of
from serval.errors import DatasetError, ServalError
from serval.evaluation import Evaluation, Step, evaluate_named, too_many_failures
from serval.files import is_file
from serval.probe import ProbeOptions, probe
from serval.results import write_results
from serval.results.document import corpus_names
from serval.run import load_run
from serval.scores import HEADLINES, METRICS
from serval.stopping import stop_if_asked
from serval.sweep.plan import Cell, Plan
from serval.sweep.standings import (
    Answers,
    Standings,
    answers_of,
    of_one_task,
    standings_of,
    together,
)
from serval.tasks import CATEGORICAL
from serval.trained_on import HEARD, Training, corpora_of, training_of
from serval.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from serval.probe.encoder import EncoderCost
    from serval.run import Run
    from serval.scores.stats import Interval


NAN = math.nan


@dataclass(frozen=True, slots=True, kw_only=True)
class CellResult:
    """What became of one cell.

    Attributes:
        cell: Which one.
        scores: By name, of the clips that any model on the set has a label for, of which each
            without an answer is an error; empty where the cell could not be done.
        rank: The best and the worst that it may be among these, by `ranked_by`.
        own: Scores of the clips that were answered, as `results.json` has them.
        answers: What the model said of each clip; `None` where the cell could not be done, and of
            a model of another task.
        run: What a model of dimensions, or of several emotions a clip, said: it has no `scores`.
        label_space: The part of `results.json` on labels that model and set do not share.
        training: Whether the model was trained on the corpus, as far as anybody says.
        clips: With a prediction.
        failed: Without one.
        labels: How many the run has.
        left_out: Clips that were dropped on request, their label having no counterpart.
        rtfx: Seconds of audio in one second; NaN where nothing was timed.
        reused: Whether the run was complete before.
        problem: Why there are no scores, or `""`.
        warning: What is wrong although there are scores, or `""`.
        layer: Of a probe, the level of the encoder.
        cost: Of a probe, what the encoder costs up to that level.
    """

    cell: Cell
    scores: Mapping[str, Interval] = field(default_factory=dict)
    rank: tuple[int, int] | None = None
    own: Mapping[str, Any] = field(default_factory=dict)
    answers: Answers | None = None
    run: Run | None = None
    label_space: Mapping[str, Any] = field(default_factory=dict)
    training: Training = "unknown"
    clips: int = 0
    failed: int = 0
    labels: int = 0
    left_out: int = 0
    rtfx: float = NAN
    reused: bool = False
    problem: str = ""
    warning: str = ""
    layer: str = ""
    cost: EncoderCost | None = None

    @property
    def contender(self) -> str:
        """What is ranked: the model, with the name of its options if there is one."""
        return ", ".join(part for part in (self.cell.model, self.cell.options) if part)

    @property
    def full_set_uar(self) -> Mapping[str, float | None] | None:
        """UAR with each clip as an error that has no answer or whose label the model lacks."""
        full = self.label_space.get("full_set")
        return full["scores"]["uar"] if full else self.own.get("uar")

    @property
    def probed(self) -> dict[str, Any]:
        """Of a probe, for a row: the encoder, its level, and the cost up to there."""
        if self.cost is None:
            return {}
        return {"encoder": self.cell.model, "layer": self.layer, "cost": asdict(self.cost)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Contest:
    """Models on one dataset that agree on the emotion of every clip, and where each stands."""

    name: str
    results: tuple[CellResult, ...]
    standings: Standings

    def as_dict(self) -> dict[str, Any]:
        """Return what ranks rest on, and the tests of every pair."""
        facts = asdict(self.standings)
        return {"dataset": self.name} | {k: facts[k] for k in facts if k not in {"ranks", "scores"}}

    def ranked(self, contender: str) -> dict[str, dict[str, float]]:
        """Return value, interval and range of ranks of a contender, by score."""
        return {
            rank.score: {**asdict(rank.value), "best": rank.best, "worst": rank.worst}
            for rank in self.standings.ranks
            if rank.name == contender
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """A finished sweep: its plan, who was ranked with whom, and all results, the best first."""

    plan: Plan
    contests: tuple[Contest, ...]
    results: tuple[CellResult, ...]

    @property
    def problems(self) -> list[CellResult]:
        """The cells that could not be done, or in which too many clips failed."""
        return [result for result in self.results if result.problem or result.warning]

    @property
    def of_probes(self) -> bool:
        """Whether its cells are probes of encoders."""
        return any(isinstance(cell.settings, ProbeOptions) for cell in self.plan.cells)


Watch = Callable[[Cell, Step], None]


def sweep(plan: Plan, watch: Watch | None = None, *, fresh: bool = False) -> Sweep:
    """Return the results of every cell; what is wrong with one does not stop the others.

    A cell that is a probe has one result for each level of its encoder.

    Args:
        plan: What to evaluate.
        watch: Called for every clip.
        fresh: Start every cell over: what a plan whose options have changed needs.
    """
    watch = watch or (lambda _cell, _step: None)
    results = [one for cell in plan.cells for one in _results(cell, watch, fresh=fresh)]
    return sweep_of(replace(plan, cells=tuple(result.cell for result in results)), results)


def sweep_of(plan: Plan, results: Sequence[CellResult]) -> Sweep:
    """Return a finished sweep, its results ranked and sorted by the score of the plan.

    Args:
        plan: With a cell for each result.
        results: In the order of the plan.
    """
    contests = tuple(_contests(results, ranked_by(plan.sort_by)))
    ranked = {one.cell.settings.output: one for own in contests for one in own.results}
    placed = [ranked.get(result.cell.settings.output, result) for result in results]
    order = METRICS[plan.sort_by].order
    return Sweep(
        plan=plan,
        contests=contests,
        results=tuple(
            sorted(placed, key=lambda r: order(r.scores[plan.sort_by].value if r.scores else NAN))
        ),
    )


def ranked_by(sort_by: str) -> str:
    """Return the score that models are ranked by: the plan's own, if ranks are made by it."""
    return sort_by if sort_by in HEADLINES else "uar"


def _contests(results: Iterable[CellResult], score: str) -> Iterator[Contest]:
    of_dataset: defaultdict[str, list[tuple[CellResult, Answers]]] = defaultdict(list)
    for result in results:
        if result.answers is not None:
            of_dataset[result.cell.dataset].append((result, result.answers))
    for dataset, own in of_dataset.items():
        groups = of_one_task([answers for _, answers in own])
        for members in groups:
            chosen = [own[i][0] for i in members]
            apart = f" ({chosen[0].contender})" if len(groups) > 1 else ""
            standings = standings_of(
                [result.contender for result in chosen], together([own[i][1] for i in members])
            )
            ranks = {rank.name: rank for rank in standings.ranks if rank.score == score}
            ranked = (
                replace(
                    result,
                    scores=standings.scores[result.contender],
                    rank=(ranks[result.contender].best, ranks[result.contender].worst),
                )
                for result in chosen
            )
            yield Contest(name=f"{dataset}{apart}", results=tuple(ranked), standings=standings)


def _results(cell: Cell, watch: Watch, *, fresh: bool) -> list[CellResult]:
    try:
        settings = replace(cell.settings, fresh=fresh)
        if isinstance(settings, ProbeOptions):
            if settings.head != "logistic":  # of a plan's heads, only that one weighs labels
                settings = replace(settings, class_weight=ProbeOptions.class_weight)
            return list(_probed(cell, settings, watch))
        evaluation = evaluate_named(settings, lambda step: watch(cell, step))
        return [_evaluated(cell, evaluation)]
    except ServalError as error:
        stop_if_asked()
        return [CellResult(cell=cell, problem=str(error))]


def _evaluated(cell: Cell, evaluation: Evaluation) -> CellResult:
    run = evaluation.run
    return replace(
        _scored(cell, run, evaluation.document),
        rtfx=float(run.duration_s.sum()) / run.seconds if run.seconds else NAN,
        reused=evaluation.reused,
    )


def _probed(cell: Cell, settings: ProbeOptions, watch: Watch) -> Iterator[CellResult]:
    """Yield the result of each level of an encoder; nothing was timed but what it costs."""
    found = probe(replace(settings, cost=True), lambda step: watch(cell, step))
    for layer in found.layers:
        folder, run = layer.apart.folder, load_run(layer.apart.folder)
        reused = is_file(folder / "results.json") and not settings.fresh
        several = len(found.layers) > 1 or not cell.options
        named = ", ".join(part for part in (cell.options, f"layer {layer.name}" * several) if part)
        own = replace(cell, options=named, settings=replace(settings, output=str(folder)))
        result = _scored(own, run, write_results(run, plots=False).document)
        yield replace(result, reused=reused, layer=layer.name, cost=layer.cost)


def _scored(cell: Cell, run: Run, document: Mapping[str, Any]) -> CellResult:
    if not len(run):
        return CellResult(cell=cell, failed=len(run.failures), problem="every clip failed")
    is_ranked = run.provenance.task is CATEGORICAL
    said = _of_emotions(run, document) if is_ranked else {"run": run}
    return CellResult(
        cell=cell,
        **said,
        training=_training(cell, run),
        clips=len(run),
        failed=len(run.failures),
        labels=len(run.labels),
        left_out=sum(run.dropped.values()),
        warning=_failures(run, cell.settings.max_failures),
    )


def _of_emotions(run: Run, document: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was said and its scores, in the fields of a result."""
    return {
        "own": document["scores"]["overall"],
        "answers": answers_of(run),
        "label_space": document["label_space"],
    }


def _failures(run: Run, allowed: float) -> str:
    """Return how many clips failed, where that is more than is allowed."""
    failed, total = run.failures, len(run) + len(run.failures)
    if not too_many_failures(run, allowed):
        return ""
    return (
        f"{len(failed)} of {counted(total, 'clip')} failed, more than max_failures "
        f"({allowed:g}) allows; the first: {failed[0].clip_id}: "
        f"{failed[0].reason}"
    )


def _training(cell: Cell, run: Run) -> Training:
    """Return what the model's metadata, its card and the plan say of the corpus."""
    model = run.provenance.model
    corpora = corpora_of(model.get("trained_on"))
    for more in (card_corpora(Path(str(model.get("path", "")))), cell.trained_on):
        corpora = corpora if more is None else [*(corpora or ()), *more]
    heard = sum(HEARD in notes for notes in run.notes)
    return training_of(corpora, heard, {cell.corpus, cell.dataset, *corpus_names(run)})


LARGEST_CARD = 10_000_000
"""Bytes; what is larger is no card."""


def card_corpora(model: Path) -> tuple[str, ...] | None:
    """Return the `datasets` that the card beside a model file names; `None` where none does.

    Args:
        model: The model file, or the folder of a checkpoint; of a folder `onnx` the card may lie
            in the one above it.
    """
    folder = model if model.is_dir() else model.parent
    above = (folder.parent,) if folder.name == "onnx" else ()
    for place in (folder, *above):
        if (found := _datasets(place / CARD)) is not None:
            return found
    return None


def _datasets(card: Path) -> tuple[str, ...] | None:
    try:
        if card.stat().st_size > LARGEST_CARD:
            return None
        named = head_of(card.read_text(encoding="utf-8"), str(card.parent)).get("datasets")
    except (OSError, ValueError, DatasetError):
        return None
    names = named if isinstance(named, list) else [named]
    found = tuple(name for name in names if isinstance(name, str))
    return found or None
