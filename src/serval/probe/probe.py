"""The whole probe: features once, then for each level a cross-validated head and its stored run."""

from __future__ import annotations

import hashlib
import json
import re
import time
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from serval.datasets import LabelledOptions, load_dataset
from serval.dimensions import dimension_columns
from serval.errors import ConfigError, DatasetError
from serval.evaluation import Step, labelled, plan_of, provenance_of
from serval.files import refuse_odd_place, write_text
from serval.labels import EMOTIONS, LabelMap, LabelSet, label_map_from_option
from serval.machine import available_cores, peak_memory_mb
from serval.models.options import InferenceOptions
from serval.options import EvalOptions
from serval.probe.encoder import Encoder, open_encoder
from serval.probe.features import FeatureStore, feature_rows
from serval.probe.folds import (
    PUBLISHED,
    FoldClips,
    by_speaker,
    folds_as_asked,
    mixed_folds,
    shared_by,
)
from serval.probe.runs import (
    Crossed,
    FoldScores,
    Recording,
    fold_scores,
    headline,
    leak,
    recorded_run,
)
from serval.probe.saved import refuse_unsaved, save_head, trained_on_both
from serval.records import Failure
from serval.results.verdict import in_words
from serval.wording import counted, in_points, span, without_nan

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from serval.evaluation import LabelPlan, Watch
    from serval.models.classifier import Classifier
    from serval.probe.folds import Fold
    from serval.probe.graph import Level
    from serval.probe.heads import Standardised, Trainer
    from serval.records import Clip, Dataset
    from serval.run import Provenance, Run
    from serval.scores.stats import Difference, Interval

__all__ = [
    "HEADS",
    "POOLINGS",
    "CrossValidated",
    "LayerProbe",
    "Probe",
    "ProbeOptions",
    "probe",
    "probe_verdict",
]

APART, SHARED = "speakers apart", "speakers shared"
POOLINGS = ("mean", "mean+std")
HEADS = {"logistic": "C", "ridge": "alpha", "knn": "neighbours"}
"""What scikit-learn calls the strength that inner folds choose."""

ALL_FOLDS = "folds"
"""The split that is the test parts of all folds of a set."""

DIMENSIONS = ("arousal", "valence", "dominance")


@dataclass(frozen=True, kw_only=True)
class ProbeOptions(InferenceOptions, LabelledOptions):
    """Every option of a probe, with its default.

    Attributes:
        model: The encoder, as `serval evaluate -m` takes it.
        dataset: As `serval evaluate -d` takes it.
        output: Folder of the features, of a run for each level, and of `probe.json`.
        folds: `published`, `speaker:K`, or a fold list.
        layer: `all`, `last`, `pooled`, a number, or the name of a tensor.
        pool: Over time: `mean` or `mean+std`.
        head: `logistic`, `ridge` (of dimensions) or `knn`.
        class_weight: `balanced`, so that each label weighs alike, or `none`.
        save: The .onnx file to write, of encoder and head trained on all clips.
        shared_speakers: Cross-validate with shared speakers too, and say what that adds.
        workers: Clips at once; by default one for each core.
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
    workers: int | None = None
    fresh: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CrossValidated:
    """The out-of-fold run of one level.

    Attributes:
        folder: Of the run, which every other verb takes.
        score: UAR, or of dimensions the mean CCC, with its interval.
        by_fold: The same score fold by fold.
        strengths: What inner folds chose, by fold.
    """

    folder: Path
    score: Interval
    by_fold: FoldScores
    strengths: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerProbe:
    """What one level is worth.

    Attributes:
        name: Of the level.
        features: How many a clip has.
        apart: With speakers kept apart.
        shared: With shared speakers, where that was asked for.
        leak: What sharing them adds to the score, with its interval.
    """

    name: str
    features: int
    apart: CrossValidated
    shared: CrossValidated | None = None
    leak: Difference | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """A finished probe.

    Attributes:
        encoder: Its name.
        score: `uar` or `ccc`.
        clips: With features.
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


def probe(options: ProbeOptions, watch: Watch | None = None) -> Probe:
    """Return how good the levels of an encoder are on a set; runs and features stay on disk.

    Raises:
        MissingExtraError: scikit-learn is not installed.
        ModelError: There is no such encoder or level.
        DatasetError: The set or the fold list is not what was asked for.
        ConfigError: An option is wrong, or folds share speakers and nobody said that they may.
    """
    from serval.probe.heads import Trainer  # and with it scikit-learn, an extra

    _check(options)
    encoder = open_encoder(options.model, options, options.layer, options.pool)
    if options.save:
        refuse_unsaved(Path(options.save), encoder, options.head)
    work = _work_of(options, encoder)
    folds = _folds(options, work.clips)
    store = FeatureStore(
        folder=Path(options.output) / "features" / encoder.key, width=len(encoder.model.labels)
    )
    start = time.perf_counter()
    with store:
        rows, failures = _computed(work, store, watch or (lambda _step: None))
        heard = time.perf_counter()
        trainer = Trainer(
            kind=options.head,
            labels=work.plan.space.labels,
            balanced=options.class_weight == "balanced",
        )
        bench = _Bench(
            work=work, store=store, rows=rows, failures=failures, folds=folds, trainer=trainer
        )
        layers = tuple(bench.probed(level) for level in encoder.levels)
        saved = (bench.saved(Path(options.save), layers[0]),) if options.save else ()
    found = Probe(
        encoder=str(encoder.model.facts["name"]),
        score="ccc" if options.head == "ridge" else "uar",
        clips=int((rows >= 0).sum()),
        speakers=len({speaker for speaker in work.clips.speakers if speaker}),
        layers=layers,
        notes=tuple(bench.notes()),
        seconds={"features": round(heard - start, 2),
                 "heads": round(time.perf_counter() - heard, 2)},
        memory_mb=peak_memory_mb(),
        files=saved,
    )  # fmt: skip
    document = without_nan(asdict(found) | {"options": asdict(options)})
    text = json.dumps(document, indent=2, default=str) + "\n"
    return replace(found, files=(write_text(Path(options.output) / "probe.json", text), *saved))


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
        lines.append(
            f"With shared speakers it would be {in_words(best.shared.score)}: that adds "
            f"{in_points(gap.value, sign=True)} "
            f"({span(gap.low, gap.high)}), which new speakers would not give back."
        )
    return lines


def _check(options: ProbeOptions) -> None:
    refuse_odd_place("--output", options.output)
    for flag, value, known in (
        ("--pool", options.pool, POOLINGS),
        ("--head", options.head, HEADS),
        ("--class-weight", options.class_weight, ("balanced", "none")),
    ):
        if value not in known:
            raise ConfigError(f"unknown {flag} '{value}'; known: {', '.join(known)}")
    if options.window is not None:
        raise ConfigError("--window cuts clips for a classifier; a probe hears each clip whole")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Probed:
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


def _work_of(options: ProbeOptions, encoder: Encoder) -> _Probed:
    if options.folds == PUBLISHED and options.split is None:
        options = replace(options, split=ALL_FOLDS)
    dataset = load_dataset(options.dataset, options=options)
    model = _with_head(options, encoder, dataset)
    plan = plan_of(model, dataset, options)
    clips = FoldClips.of(labelled(dataset.metadata, plan.mapping, options.limit))
    if plan.dimensions is None:
        if "" in clips.labels:
            raise DatasetError(
                f"{dataset.name}: {counted(clips.labels.count(''), 'clip has', 'clips have')} no "
                "label; leave them out of the set"
            )
        ids = {label: i for i, label in enumerate(plan.space.labels)}
        targets = np.array([ids[label] for label in clips.labels], dtype=np.int64)
    else:
        columns = plan.dimensions["columns"].values()
        cells = (
            [float(clip.groups.get(column) or "nan") for column in columns]
            for clip in labelled(dataset.metadata, plan.mapping, options.limit)
        )
        targets = np.array(list(cells), dtype=np.float64)
    return _Probed(
        options=options,
        encoder=encoder,
        model=model,
        dataset=dataset,
        plan=plan,
        clips=clips,
        targets=targets,
    )


def _with_head(options: ProbeOptions, encoder: Encoder, dataset: Dataset) -> Classifier[Any]:
    """Return the encoder as the classifier that a head makes of it; it is never run."""
    of_values = options.head == "ridge"
    labels = _dimensions(options, dataset) if of_values else _labels(options, dataset)
    scale = options.scale or dataset.scale or "0..1"
    contract = replace(
        encoder.model.contract,
        labels=labels,
        task="dimensions" if of_values else "emotions",
        outputs="values" if of_values else "logits",
        scale=scale if of_values else "",
    )
    name = f"{encoder.model.identity.name}, {options.head} head"
    return replace(
        encoder.model, contract=contract, identity=replace(encoder.model.identity, name=name)
    )


def _labels(options: ProbeOptions, dataset: Dataset) -> LabelSet:
    """Return the labels of the set, in the usual order and under their usual names."""
    if options.labels:
        return LabelSet(name.strip() for name in options.labels.split(","))
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
    if options.labels:
        return LabelSet(name.strip() for name in options.labels.split(","))
    had = {name.lower() for clip in dataset.metadata(0, 1) for name in clip.groups}
    wanted = dimension_columns(DIMENSIONS, options.dimension_columns)
    found = [name for name, names in wanted.items() if had & {one.lower() for one in names}]
    if len(found) < 2:
        raise DatasetError(
            f"{dataset.name} has columns of {len(found)} of {', '.join(DIMENSIONS)}, and a head of "
            "dimensions takes two or more: name them with --dimension-columns arousal=COLUMN,..."
        )
    return LabelSet(found)


def _folds(options: ProbeOptions, clips: FoldClips) -> dict[str, tuple[Fold, ...]]:
    """Return the folds that keep speakers apart, and where that is asked for those that do not.

    Raises:
        ConfigError: Those that are asked for share speakers, and nobody said that they may.
    """
    asked = folds_as_asked(options.folds, clips)
    shared = shared_by(asked, clips)
    if not options.shared_speakers:
        if shared:
            raise ConfigError(
                f"--folds {options.folds}: {shared}; use --folds speaker:{len(asked)}, or see what "
                "that adds to the score with --shared-speakers"
            )
        return {APART: asked}
    if shared:
        return {APART: by_speaker(clips, len(asked)), SHARED: asked}
    return {APART: asked, SHARED: mixed_folds(clips.labels, len(asked))}


def _computed(
    work: _Probed, store: FeatureStore, watch: Watch
) -> tuple[NDArray[np.int64], dict[int, Failure]]:
    """Return the row of each clip in the store, -1 for those that failed, and why they did."""
    total = len(work.clips.ids)
    rows, failures = np.full(total, -1, dtype=np.int64), dict[int, Failure]()
    workers = work.options.workers or available_cores()
    found = feature_rows(store, work.encoder.model, work.read(audio=True), workers)
    for place, row in enumerate(found):
        if isinstance(row, Failure):
            failures[place] = row
        else:
            rows[place] = row
        watch(Step(done=place + 1, total=total, failures=len(failures), resumed=0))
    if len(failures) == total:
        first = failures[0]
        raise DatasetError(f"every clip failed; first: {first.clip_id}: {first.reason}")
    return rows, failures


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bench:
    """Where heads are trained: features on disk, folds, and how.

    Attributes:
        work: What is probed on what.
        store: Open, with the features.
        rows: `(N,)` of the clips in it, -1 for none.
        failures: Why there is none, by place.
        folds: By what they do with speakers.
        trainer: Of the heads.
    """

    work: _Probed
    store: FeatureStore
    rows: NDArray[np.int64]
    failures: dict[int, Failure]
    folds: dict[str, tuple[Fold, ...]]
    trainer: Trainer

    def probed(self, level: Level) -> LayerProbe:
        """Return what a level is worth."""
        runs = {how: self._run(level, how) for how in self.folds}
        validated = {how: _validated(*found) for how, found in runs.items()}
        return LayerProbe(
            name=level.name,
            features=level.size(self.work.encoder.pooling),
            apart=validated[APART],
            shared=validated.get(SHARED),
            leak=leak(runs[APART][0], runs[SHARED][0]) if SHARED in runs else None,
        )

    def notes(self) -> Iterator[str]:
        """Yield what a reader must know."""
        if self.failures:
            yield f"{counted(len(self.failures), 'clip')} failed and are in no score"
        for how, folds in self.folds.items():
            tested = sum(len(fold.test) for fold in folds)
            if tested < len(self.rows):
                left = len(self.rows) - tested
                yield f"{counted(left, 'clip')} in no fold ({how}) are in no score"
        yield from (note for note in self.work.dataset.caveats if "folds" in note)

    def saved(self, path: Path, found: LayerProbe) -> Path:
        """Return the path of the file with a head that was trained on all clips."""
        from serval.probe.heads import linear_of

        work, level = self.work, self.work.encoder.levels[0]
        whole = self._usable(np.arange(len(self.rows)))
        head, strength = self._fitted(level, whole)
        score = found.apart.score
        trained = trained_on_both(
            work.encoder,
            ((work.clips.ids[i], self.store.facts(int(self.rows[i]))["sha256"]) for i in whole),
            (work.dataset.corpus or work.dataset.name,),
            ": ".join(filter(None, (work.dataset.name, work.dataset.split))),
        )
        facts = {
            "head": self._head_words(strength),
            "data": f"{work.dataset.name}, {counted(len(whole), 'clip')}",
            "data_fingerprint": work.dataset.fingerprint,
            "folds": f"{work.options.folds}, {len(self.folds[APART])} folds, speakers apart",
            "cross_validated": {
                "ccc" if self.trainer.kind == "ridge" else "uar": [score.value, score.low,
                                                                   score.high],
                "mean_of_folds": found.apart.by_fold.mean,
                "deviation_of_folds": found.apart.by_fold.deviation,
            },
            "trained_on": trained.metadata(),
            **({"task": "dimensions", "scale": str(work.plan.dimensions["scale"])}
               if work.plan.dimensions else {}),
        }  # fmt: skip
        save_head(path, work.encoder, linear_of(head), work.plan.space.labels, facts)
        return path

    def _run(self, level: Level, how: str) -> tuple[Run, Crossed]:
        work = self.work
        crossed = self._crossed(level, self.folds[how])
        folder = Path(work.options.output) / (_file_name(level) + "-shared" * (how == SHARED))
        recording = Recording(
            model=work.model,
            provenance=self._provenance(level, how, crossed),
            clips=work.read(audio=False),
            rows=self.rows,
            failures=self.failures,
            store=self.store,
        )
        return recorded_run(folder, recording, crossed, fresh=work.options.fresh), crossed

    def _crossed(self, level: Level, folds: Sequence[Fold]) -> Crossed:
        """Return what heads say of the test part of each fold, trained on its train part."""
        logits = np.full((len(self.rows), len(self.trainer.labels)), np.nan, dtype=np.float32)
        names, strengths = [""] * len(self.rows), dict[str, float]()
        for fold in folds:
            head, strengths[fold.name] = self._fitted(level, self._usable(fold.train))
            test = fold.test[self.rows[fold.test] >= 0]
            logits[test] = head.logits(self._features(level, test))
            for place in test:
                names[place] = fold.name
        return Crossed(logits=logits, folds=tuple(names), strengths=strengths)

    def _usable(self, places: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the clips that a head can be trained on: with features and with all values."""
        targets = self.work.targets[places]
        whole = ~np.isnan(targets.reshape(len(places), -1).astype(np.float64)).any(axis=1)
        return places[(self.rows[places] >= 0) & whole]

    def _fitted(self, level: Level, places: NDArray[np.int64]) -> tuple[Standardised, float]:
        # A clip whose speaker nobody knows is a speaker of its own.
        speakers = [self.work.clips.speakers[i] or f"clip {i}" for i in places]
        return self.trainer.fit(self._features(level, places), self.work.targets[places], speakers)

    def _features(self, level: Level, places: NDArray[np.int64]) -> NDArray[np.float32]:
        columns = self.work.encoder.columns(level)
        return np.ascontiguousarray(self.store.features()[self.rows[places], columns])

    def _head_words(self, strength: float) -> str:
        weights = f", class weights {self.work.options.class_weight}"
        name = HEADS[self.trainer.kind]
        return f"{self.trainer.kind}, {name} = {strength:g}" + weights * (
            self.trainer.kind == "logistic"
        )

    def _provenance(self, level: Level, how: str, crossed: Crossed) -> Provenance:
        work, options = self.work, self.work.options
        own = {one.name for one in fields(options)}
        given = {one.name: getattr(options, one.name) for one in fields(EvalOptions)
                 if one.name in own}  # fmt: skip
        name = f"{work.encoder.model.facts['name']} {level.name}"
        found = provenance_of(
            work.model,
            work.dataset,
            work.plan,
            EvalOptions(**given, name=name + f", {SHARED}" * (how == SHARED)),
        )
        facts = {
            "layer": level.tensor,
            "pooling": work.encoder.pooling,
            "head": options.head,
            "class_weight": options.class_weight,
            "folds": options.folds,
            "speakers": how,
            "assignment": hashlib.sha256("\n".join(crossed.folds).encode()).hexdigest(),
        }
        caveat = ("its folds share speakers between train and test: the score is too good",)
        more = {"caveats": (*work.dataset.caveats, *caveat)} if how == SHARED else {}
        return replace(
            found,
            dataset={**found.dataset, **more},
            options={**found.options, "probe": {**facts, "strengths": dict(crossed.strengths)}},
            identity={**found.identity, "probe": facts},
        )


def _validated(run: Run, crossed: Crossed) -> CrossValidated:
    return CrossValidated(
        folder=run.folder,
        score=headline(run),
        by_fold=fold_scores(run),
        strengths=crossed.strengths,
    )


def _file_name(level: Level) -> str:
    """Return the name of a level's folder."""
    return "layer-" + re.sub(r"[^\w.-]+", "_", level.name).strip("_")
