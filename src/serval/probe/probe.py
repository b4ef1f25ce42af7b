"""The whole probe: features once, then for each level a cross-validated head and its stored run."""

from __future__ import annotations

import hashlib
import re
import time
from dataclasses import asdict, dataclass, fields, replace
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from serval.errors import DatasetError
from serval.evaluation import Step, provenance_of
from serval.files import is_file, write_json
from serval.machine import available_cores, peak_memory_mb
from serval.options import EvalOptions
from serval.probe.encoder import open_encoder
from serval.probe.features import FeatureStore, feature_rows
from serval.probe.options import (
    HEADS,
    POOLINGS,
    CrossValidated,
    LayerProbe,
    Probe,
    ProbeOptions,
    probe_verdict,
    refuse_unknown,
)
from serval.probe.plan import APART, SHARED, Planned, planned, wanted_folds
from serval.probe.runs import (
    Crossed,
    Recording,
    fold_scores,
    headline,
    leak,
    recorded_run,
)
from serval.probe.saved import refuse_unsaved, save_head, trained_on_both
from serval.records import Failure
from serval.run import JOURNAL, Journal, load_run
from serval.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from serval.evaluation import Watch
    from serval.probe.folds import Fold
    from serval.probe.graph import Level
    from serval.probe.heads import Standardised, Trainer
    from serval.run import Provenance, Run

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


def probe(options: ProbeOptions, watch: Watch | None = None) -> Probe:
    """Return how good the levels of an encoder are on a set; runs and features stay on disk.

    Raises:
        MissingExtraError: scikit-learn is not installed.
        ModelError: There is no such encoder or level.
        DatasetError: The set or the fold list is not what was asked for.
        ConfigError: An option is wrong, or folds share speakers and nobody said that they may.
    """
    from serval.probe.heads import Trainer  # and with it scikit-learn, an extra

    refuse_unknown(options)
    encoder = open_encoder(options.model, options, options.layer, options.pool)
    if options.save:
        refuse_unsaved(Path(options.save), encoder, options.head)
    work = planned(options, encoder)
    folds = wanted_folds(options, work.clips)
    _refuse_other_runs(work, folds)
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
    document = asdict(found) | {"options": asdict(options)}
    written = write_json(document, Path(options.output) / "probe.json")
    return replace(found, files=(written, *saved))


def _computed(
    work: Planned, store: FeatureStore, watch: Watch
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

    work: Planned
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
            "data": f"{work.dataset.name}, {len(whole)} clips",
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

    def _run(self, level: Level, how: str) -> tuple[Run, Mapping[str, float]]:
        """Return the run of a level, and what inner folds chose; a complete one is only read."""
        work, folder = self.work, _folder(self.work, level, how)
        if not work.options.fresh and is_file(folder / JOURNAL):
            run = load_run(folder)
            if run.complete:
                return run, run.provenance.options["probe"]["strengths"]
        crossed = self._crossed(level, self.folds[how])
        provenance = _provenance(work, level, how, self.folds[how])
        stored = {**provenance.options["probe"], "strengths": dict(crossed.strengths)}
        recording = Recording(
            model=work.model,
            provenance=replace(provenance, options={**provenance.options, "probe": stored}),
            clips=work.read(audio=False),
            rows=self.rows,
            failures=self.failures,
            store=self.store,
        )
        return recorded_run(folder, recording, crossed, fresh=work.options.fresh), crossed.strengths

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


def _refuse_other_runs(work: Planned, folds: Mapping[str, Sequence[Fold]]) -> None:
    """Do nothing if the folders of all runs are free, or hold the runs that are wanted.

    Raises:
        RunError: One of them holds another.
    """
    for level, how in product(work.encoder.levels, folds):
        folder = _folder(work, level, how)
        if not work.options.fresh and is_file(folder / JOURNAL):
            with Journal(folder=folder, provenance=_provenance(work, level, how, folds[how])):
                pass  # opening it is the question


def _folder(work: Planned, level: Level, how: str) -> Path:
    name = "layer-" + re.sub(r"[^\w.-]+", "_", level.name).strip("_")
    return Path(work.options.output) / (name + "-shared" * (how == SHARED))


def _provenance(work: Planned, level: Level, how: str, folds: Sequence[Fold]) -> Provenance:
    """Return what the out-of-fold predictions of a level depend on."""
    options = work.options
    own = {one.name for one in fields(options)}
    given = {one.name: getattr(options, one.name) for one in fields(EvalOptions)
             if one.name in own}  # fmt: skip
    name = f"{work.encoder.model.facts['name']} {level.name}" + f", {SHARED}" * (how == SHARED)
    found = provenance_of(work.model, work.dataset, work.plan, EvalOptions(**given, name=name))
    digest = hashlib.sha256()
    for fold in folds:
        digest.update(f"{fold.name} ".encode() + fold.train.tobytes() + fold.test.tobytes())
    facts = {
        "layer": level.tensor,
        "pooling": work.encoder.pooling,
        "head": options.head,
        "class_weight": options.class_weight,
        "folds": options.folds,
        "speakers": how,
        "assignment": digest.hexdigest(),
    }
    caveat = "its folds share speakers between train and test: the score is too good"
    caveats = (*work.dataset.caveats, *([caveat] if how == SHARED else []))
    return replace(
        found,
        dataset={**found.dataset, "caveats": caveats},
        options={**found.options, "probe": facts},
        identity={**found.identity, "probe": facts},
    )


def _validated(run: Run, strengths: Mapping[str, float]) -> CrossValidated:
    return CrossValidated(
        folder=run.folder,
        score=headline(run),
        by_fold=fold_scores(run),
        strengths=strengths,
    )
