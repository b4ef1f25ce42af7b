"""A clean run, then one for each perturbation, each stored as soon as it exists; clips to hear."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from serval.audio import Waveform, decode, encoded_bytes
from serval.errors import ConfigError, DatasetError, RunError
from serval.evaluation import open_dataset, recorded
from serval.label_plan import Change
from serval.models.load import load_as_stated
from serval.options import EvalOptions, stored_options
from serval.run import JOURNAL, load_run, unfinished
from serval.stress.kept import MadeOnce, decoder
from serval.stress.panel import LookPlan
from serval.stress.suite import (
    FULL,
    Case,
    Draws,
    Voice,
    perturbed,
    suite_of,
    transform_of,
    voices_of,
)
from serval.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from serval.evaluation import Step
    from serval.models.protocol import Model
    from serval.records import Dataset
    from serval.run import Run

CLEAN = "clean"
"""Folder of the run on unchanged clips."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StressOptions:
    """Every option of a stress test, with its default.

    Attributes:
        evaluation: What is evaluated on what; `output` is the folder of the whole suite.
        suite: `quick`, `full`, families or names, with commas.
        seed: What every random number is drawn with.
        baseline: Folder of another stress test, or a model file, to compare with.
        stop_when_sure: Whether a perturbation is asked no more clips than its verdict needs.
    """

    evaluation: EvalOptions = field(default_factory=lambda: EvalOptions(output="./stress_results"))
    suite: str = "quick"
    seed: int = 0
    baseline: str | None = None
    stop_when_sure: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What is still to be done, known once the clean run is.

    Attributes:
        cases: Perturbations of the suite.
        finished: Those that an earlier session has finished.
        clips: Clips in each.
        clip_s: Seconds for one clip, as the clean run took them, all workers together.
    """

    cases: int
    finished: int
    clips: int
    clip_s: float

    @property
    def seconds(self) -> float:
        """How long the rest will take if a perturbed clip costs what a clean one does."""
        return (self.cases - self.finished) * self.clips * self.clip_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """How far a stress test is: which run it is at, from 0 for the clean one, and how far that is.

    The cost is `None` until the clean run is done.
    """

    name: str
    number: int
    cases: int
    cost: Cost | None
    step: Step


Watch = Callable[[Stage], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class StressRuns:
    """The stored runs of a stress test.

    Attributes:
        folder: Where the whole suite is stored, each run in a folder of its own.
        clean: The run on unchanged clips.
        runs: One for each perturbation, by name, in the order of the suite.
        unfinished: Perturbations that were begun only, by name; they are in no number.
    """

    folder: Path
    clean: Run
    runs: dict[str, Run]
    unfinished: tuple[str, ...] = ()

    @property
    def cases(self) -> tuple[Case, ...]:
        """The perturbations that were run."""
        return tuple(case for case in FULL if case.name in self.runs)

    @property
    def stopped(self) -> tuple[Case, ...]:
        """The perturbations that were asked fewer clips than are there, on request."""
        return tuple(case for case in self.cases if self._is_stopped(self.runs[case.name]))

    @property
    def whole(self) -> tuple[Case, ...]:
        """The perturbations that were asked all clips."""
        stopped = {case.name for case in self.stopped}
        return tuple(case for case in self.cases if case.name not in stopped)

    @property
    def newly_failed(self) -> dict[str, int]:
        """How many clips fail that do not fail clean, by perturbation under which some do."""
        before = {failure.index for failure in self.clean.failures}
        lost = {name: len({one.index for one in run.failures} - before)
                for name, run in self.runs.items()}  # fmt: skip
        return {name: n for name, n in lost.items() if n}

    def unfinished_warnings(self) -> Iterator[str]:
        """Yield a warning of perturbations that were begun only, if there are any."""
        if self.unfinished:
            names = ", ".join(self.unfinished)
            rest = "the command that made the test goes on"
            yield f"Not finished, and in no number: {names}; {rest}."

    def lost_warnings(self, numbers: str) -> Iterator[str]:
        """Yield a warning of clips that fail when perturbed and not clean, if there are any.

        Args:
            numbers: Which clips the numbers are over then, as a sentence without its end.
        """
        if lost := self.newly_failed:
            worst = max(lost, key=lambda name: lost[name])
            yield (
                f"Clips that had an answer when clean have none under {len(lost)} of "
                f"{len(self.runs)} perturbations (most, {lost[worst]}, under {worst}); {numbers}."
            )

    def _is_stopped(self, run: Run) -> bool:
        return "looks" in run.provenance.identity and len(run) + len(run.failures) < len(self.clean)

    @property
    def seconds(self) -> float:
        """How long all runs took."""
        return self.clean.seconds + sum(run.seconds for run in self.runs.values())


def stress_runs(
    model: Model, dataset: Dataset, options: StressOptions, watch: Watch | None = None
) -> StressRuns:
    """Return the runs of every perturbation of the suite; what was done before is only read.

    Raises:
        ConfigError: A perturbation is unknown.
        MissingExtraError: One needs a package that is not installed.
        LabelError: A label of the dataset has no counterpart among the model's.
        RunError: A folder holds another run.
        DatasetError: No clip can be predicted even when clean.
    """
    cases = suite_of(options.suite)
    show = watch or (lambda _stage: None)
    folder = Path(options.evaluation.output)
    clean = recorded(
        model, dataset, _within(options, CLEAN), None,
        lambda step: show(Stage(name=CLEAN, number=0, cases=len(cases), cost=None, step=step)),
    )  # fmt: skip
    if not len(clean):
        raise DatasetError(_nothing_predicted(clean))
    cost = _cost(cases, clean, folder, fresh=options.evaluation.fresh)
    voices = _voices(cases, model, dataset, options)
    runs = {}
    plan = LookPlan(clean, options.seed) if options.stop_when_sure else None
    for number, (case, change) in enumerate(_changes(cases, options, voices), start=1):
        stage = _stages(show, case, number, cost)
        asked = change if plan is None else replace(change, looks=plan.of(case))
        run = recorded(model, dataset, _within(options, case.name), asked, stage)
        if plan is not None:
            plan.note(case, run)
        runs[case.name] = run
    return StressRuns(folder=folder, clean=clean, runs=runs)


def load_stress(folder: Path | str) -> StressRuns:
    """Return the stored runs of a stress test; perturbations that were not finished are left out.

    Raises:
        ConfigError: There is no stress test in the folder.
        RunError: Its clean run is not finished, or a run cannot be read.
    """
    folder = Path(folder)
    if not (folder / CLEAN / JOURNAL).is_file():
        raise ConfigError(
            f"no stress test in {folder}: {CLEAN}/{JOURNAL} is missing; "
            "give the folder of `serval stress -o`"
        )
    clean = load_run(folder / CLEAN)
    if not clean.complete:
        raise RunError(unfinished(clean))
    found = (case.name for case in FULL if (folder / case.name / JOURNAL).is_file())
    runs = {name: load_run(folder / name) for name in found}
    return StressRuns(
        folder=folder,
        clean=clean,
        runs={name: run for name, run in runs.items() if run.complete},
        unfinished=tuple(name for name, run in runs.items() if not run.complete),
    )


def refuse_unanswered(stress: StressRuns, names: Sequence[str]) -> None:
    """Raise unless a clip has an answer clean and under each of some perturbations.

    Raises:
        ConfigError: None has, or no perturbation was finished.
    """
    if not stress.runs:
        raise ConfigError(f"{stress.folder} has no finished perturbation; run serval stress again")
    left = set(stress.clean.clip_ids).intersection(*(stress.runs[name].clip_ids for name in names))
    if left:
        return
    worst = max(names, key=lambda name: len(stress.runs[name].failures))
    every = "every perturbation; most fail under " if len(names) > 1 else ""
    raise ConfigError(
        f"no clip of {stress.folder} has an answer under {every}{worst}, the first with: "
        f"{stress.runs[worst].failures[0].reason}; leave {worst} out of --suite"
    )


def _nothing_predicted(clean: Run) -> str:
    first = clean.failures[0]
    return (
        f"no clip could be predicted ({counted(len(clean.failures), 'failure')}), so none was "
        f"perturbed; first: {first.clip_id}: {first.stage}: {first.reason}"
    )


def _within(options: StressOptions, name: str) -> EvalOptions:
    return replace(options.evaluation, output=str(Path(options.evaluation.output) / name))


def _changes(
    cases: tuple[Case, ...], options: StressOptions, voices: tuple[Voice, ...]
) -> Iterator[tuple[Case, Change]]:
    """Yield each perturbation with what it does; what is kept stays in this process."""
    here = options.evaluation.engine == "local"
    decoded = decoder() if here else decode
    for kind, levels in groupby(cases, lambda case: case.kind):
        noise = MadeOnce[NDArray[np.float64]](lambda made: made.nbytes) if here else None
        draws = Draws(options.seed, voices if kind == "babble" else (), noise)
        for case in levels:
            facts = case.facts | {"seed": options.seed}
            yield case, Change(facts=facts, transform=transform_of(case, draws), decoded=decoded)


def _voices(
    cases: tuple[Case, ...], model: Model, dataset: Dataset, options: StressOptions
) -> tuple[Voice, ...]:
    if not any(case.kind == "babble" for case in cases):
        return ()
    return voices_of(dataset, model, limit=options.evaluation.limit, seed=options.seed)


def _cost(cases: tuple[Case, ...], clean: Run, folder: Path, *, fresh: bool) -> Cost:
    clips = len(clean) + len(clean.failures)
    journals = [folder / case.name / JOURNAL for case in cases]
    finished = sum(path.is_file() and load_run(path.parent).complete for path in journals)
    return Cost(
        cases=len(cases),
        finished=0 if fresh else finished,
        clips=clips,
        clip_s=clean.seconds / max(1, clips),
    )


def _stages(show: Watch, case: Case, number: int, cost: Cost) -> Callable[[Step], None]:
    return lambda step: show(
        Stage(name=case.name, number=number, cases=cost.cases, cost=cost, step=step)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One clip that a perturbation turned into another emotion.

    Attributes:
        case: Name of the perturbation.
        clip_id: Its id in the dataset.
        truth: Its label.
        clean_label: What the model says of the clean clip.
        clean_confidence: Probability of the clean label, in [0, 1].
        label: What it says of the perturbed one.
        confidence: Probability of the label under the perturbation, in [0, 1].
        sample_rate: In Hz.
        clean: `(T,) float32`.
        perturbed: `(T',) float32`.
    """

    case: str
    clip_id: str
    truth: str
    clean_label: str
    clean_confidence: float
    label: str
    confidence: float
    sample_rate: int
    clean: Waveform
    perturbed: Waveform


def examples_of(stress: StressRuns) -> Iterator[Example | None]:
    """Yield a clip for each kind of perturbation: right when clean, wrong when perturbed.

    The mildest perturbation that broke a clip gives it, the surest mistake; `None` where its file
    is no longer the one that was evaluated.

    Args:
        stress: From `load_stress`; its dataset and model must still be where they were.

    Raises:
        ServalError: The dataset or the model cannot be opened, or a clip not be decoded.
    """
    options = stored_options(stress.clean)
    model = load_as_stated(options.model, options)
    dataset = open_dataset(options)
    chosen = list(_chosen(stress))
    seed = int(next(iter(stress.runs.values())).provenance.identity["change"]["seed"])
    babble = any(case.kind == "babble" for case, _ in chosen)
    voices = voices_of(dataset, model, limit=options.limit, seed=seed) if babble else ()
    for case, position in chosen:
        index = int(stress.clean.index[position])
        for clip in dataset.clips(index, index + 1):
            encoded = encoded_bytes(clip.audio)
            if hashlib.sha256(encoded).hexdigest() != stress.clean.audio_sha256[position]:
                yield None
                continue
            audio = decode(encoded, model.sample_rate, max_seconds=model.max_seconds)
            draws = Draws(seed, voices)
            changed = perturbed(case, audio.samples, audio.sample_rate, clip, draws)
            yield _example(stress, case, position, (audio.samples, changed))


def _chosen(stress: StressRuns) -> Iterator[tuple[Case, int]]:
    seen: set[str] = set()
    for case in stress.cases:
        broken = _broken(stress.clean, stress.runs[case.name])
        if case.kind not in seen and broken:
            seen.add(case.kind)
            yield case, broken[0]


def _broken(clean: Run, run: Run) -> list[int]:
    """Return the places in the clean run of clips that only the clean run has right."""
    _, mine, its = np.intersect1d(clean.index, run.index, return_indices=True)
    wrong = (clean.predicted[mine] == clean.truth[mine]) & (run.predicted[its] != run.truth[its])
    confidence = run.probs[its].max(axis=1)
    order = np.argsort(-confidence[wrong], kind="stable")
    return [int(i) for i in mine[wrong][order]]


def _example(
    stress: StressRuns, case: Case, position: int, sound: tuple[Waveform, Waveform]
) -> Example:
    clean, run = stress.clean, stress.runs[case.name]
    there = int(np.searchsorted(run.index, clean.index[position]))
    return Example(
        case=case.name,
        clip_id=clean.clip_ids[position],
        truth=clean.labels[clean.truth[position]],
        clean_label=clean.labels[clean.predicted[position]],
        clean_confidence=float(clean.probs[position].max()),
        label=run.labels[run.predicted[there]],
        confidence=float(run.probs[there].max()),
        sample_rate=int(clean.provenance.model["contract"]["sample_rate"]),
        clean=sound[0],
        perturbed=sound[1],
    )
