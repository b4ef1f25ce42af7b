"""The whole probe: features once, then for each level a cross-validated head and its stored run."""

from __future__ import annotations

import hashlib
import re
import time
from dataclasses import asdict, dataclass, fields, replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from serval.distributed import Job
from serval.errors import DatasetError
from serval.evaluation import Step, absolute_name, provenance_of
from serval.files import is_file, write_json
from serval.machine import available_cores, peak_memory_mb, platform_facts
from serval.options import EvalOptions
from serval.probe.encoder import (
    COSTS,
    EncoderCost,
    cost_cells,
    cost_of,
    features_model,
    open_encoder,
    refuse_unsaved,
    save_head,
    trained_on_both,
)
from serval.probe.features import FeatureStore, feature_rows, feature_rows_on_ray
from serval.probe.folds import clips_tested
from serval.probe.options import (
    HEADS,
    POOLINGS,
    CrossValidated,
    LayerProbe,
    Probe,
    ProbeOptions,
    probe_verdict,
    refuse_unknown,
    task_of_head,
)
from serval.probe.plan import APART, SHARED, Planned, apart_name, planned, wanted_folds
from serval.probe.runs import Crossed, Recording, fold_scores, leak, recorded_run
from serval.records import Failure
from serval.results import results_of
from serval.run import JOURNAL, Journal, load_run
from serval.stopping import stop_if_asked
from serval.texts import json_in
from serval.wording import counted, percent

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from serval.evaluation import Watch
    from serval.probe.encoder import Encoder, HeadInput
    from serval.probe.folds import Fold
    from serval.probe.heads import Standardised, Trainer
    from serval.run import Provenance, Run

__all__ = [
    "COSTS",
    "HEADS",
    "POOLINGS",
    "CrossValidated",
    "EncoderCost",
    "LayerProbe",
    "Probe",
    "ProbeOptions",
    "cost_cells",
    "probe",
    "probe_verdict",
]

COST = "cost.json"
"""What a level costs, beside its run."""
NUMBERS = {"parameters": int, "size_mb": float, "ms": float}
"""In that file."""


def probe(options: ProbeOptions, watch: Watch | None = None) -> Probe:
    """Return how good the levels of an encoder are on a set; runs and features stay on disk.

    Raises:
        MissingExtraError: scikit-learn is not installed.
        ModelError: There is no such encoder or level.
        DatasetError: The set or the fold list is not what was asked for.
        ConfigError: An option is wrong, or folds share speakers and nobody said that they may.
    """
    import serval.probe.heads  # noqa: F401 - needs scikit-learn, an extra: better known at once

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
    with store:
        found = _probed(work, folds, store, watch or (lambda _step: None))
    document = asdict(found) | {"options": asdict(options)}
    written = write_json(document, Path(options.output) / "probe.json")
    return replace(found, files=(written, *found.files))


def _probed(
    work: Planned, folds: dict[str, tuple[Fold, ...]], store: FeatureStore, watch: Watch
) -> Probe:
    """Return what each level is worth; the one file is that of a head that was asked for."""
    options, encoder, start = work.options, work.encoder, time.perf_counter()
    rows, failures = _computed(work, store, watch)
    heard, trainer = time.perf_counter(), _trainer(work)
    bench = _Bench(
        work=work, store=store, rows=rows, failures=failures, folds=folds, trainer=trainer
    )
    layers = tuple(bench.probed(of) for of in encoder.inputs)
    saved = (bench.saved(Path(options.save), layers[0]),) if options.save else ()
    heads_s = time.perf_counter() - heard
    scored = [i for i in clips_tested(folds[APART]) if rows[i] >= 0]
    return Probe(
        encoder=str(encoder.model.facts["name"]),
        score=task_of_head(options.head).headline,
        clips=len(scored),
        speakers=len({work.clips.speakers[i] for i in scored}),
        layers=layers,
        notes=(*bench.notes(), *_shares(encoder, layers)),
        seconds={"features": round(heard - start, 2), "heads": round(heads_s, 2)},
        memory_mb=peak_memory_mb(),
        files=saved,
    )


def _trainer(work: Planned) -> Trainer:
    from serval.probe.heads import Trainer

    encoder = work.encoder
    return Trainer(
        kind=work.options.head,
        labels=work.plan.space.labels,
        balanced=work.options.class_weight == "balanced",
        levels=len(encoder.levels) if encoder.weighted else 1,
    )


def _shares(encoder: Encoder, layers: Sequence[LayerProbe]) -> Iterator[str]:
    """Yield how much each level counts in a weighted sum."""
    for layer in layers:
        if layer.apart.shares:
            named = zip(encoder.levels, layer.apart.mean_shares, strict=True)
            shares = ", ".join(f"{level.name} {percent(share, 0)}" for level, share in named)
            yield f"weights of the layers, as the mean over folds: {shares}"


def _computed(
    work: Planned, store: FeatureStore, watch: Watch
) -> tuple[NDArray[np.int64], dict[int, Failure]]:
    """Return the row of each clip in the store, -1 for those that failed, and why they did."""
    total = len(work.clips.ids)
    rows, failures = np.full(total, -1, dtype=np.int64), dict[int, Failure]()
    for place, row in enumerate(_rows(work, store)):
        if isinstance(row, Failure):
            failures[place] = row
        else:
            rows[place] = row
        watch(Step(done=place + 1, total=total, failures=len(failures), resumed=0))
    if len(failures) == total:
        first = failures[0]
        raise DatasetError(f"every clip failed; first: {first.clip_id}: {first.reason}")
    return rows, failures


def _rows(work: Planned, store: FeatureStore) -> Iterator[int | Failure]:
    """Return the row of each clip in the store, computed here or on a cluster."""
    options, model = work.options, work.encoder.model
    if options.engine == "local":
        workers = options.workers or available_cores()
        return feature_rows(store, model, work.read(audio=True), workers)
    job = Job(
        model=absolute_name(options.model),
        model_sha256=model.facts["sha256"],
        external=model.facts["external"],
        model_options=options,
        dataset=absolute_name(options.dataset),
        fingerprint=work.dataset.fingerprint,
        dataset_options=options,
        mapping=work.plan.mapping,
        opens=partial(features_model, asked=options.layer, pooling=options.pool),
    )
    return feature_rows_on_ray(store, job, work.read, options.workers, options.ray_address)


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

    def probed(self, of: HeadInput) -> LayerProbe:
        """Return what a level is worth, or the weighted sum of several."""
        runs = {how: self._run(of, how) for how in self.folds}
        validated = {how: _validated(run) for how, run in runs.items()}
        return LayerProbe(
            name=of.name,
            features=self.work.encoder.width(of),
            apart=validated[APART],
            shared=validated.get(SHARED),
            leak=leak(runs[APART], runs[SHARED]) if SHARED in runs else None,
            cost=self._cost(of) if self.work.options.cost else None,
        )

    def _cost(self, of: HeadInput) -> EncoderCost:
        """Return what a level costs, as it was measured when this machine was first asked."""
        place = _folder(self.work, of, APART) / COST
        known = None if self.work.options.fresh else _stored_cost(place)
        if known:
            return known
        found = cost_of(self.work.encoder, of)
        write_json({"cost": asdict(found), "platform": platform_facts()}, place)
        return found

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

        work, of = self.work, self.work.encoder.inputs[0]
        whole = self._usable(np.arange(len(self.rows)))
        head, strength = self._fitted(of, whole)
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
            "folds": f"{apart_name(work.options, work.clips)}, {len(self.folds[APART])} folds, "
            "speakers apart",
            "cross_validated": {
                work.plan.task.headline: [score.value, score.low, score.high],
                "mean_of_folds": found.apart.by_fold.mean,
                "deviation_of_folds": found.apart.by_fold.deviation,
            },
            "trained_on": trained.metadata(),
            **({"layer_weights": [round(share, 4) for share in head.shares]}
               if head.shares else {}),
            **({"task": stated, "scale": str((work.plan.facts or {})["scale"])}
               if (stated := work.plan.task.stated) else {}),
        }  # fmt: skip
        save_head(path, work.encoder, linear_of(head), work.plan.space.labels, facts)
        return path

    def _run(self, of: HeadInput, how: str) -> Run:
        """Return the run of a level; a complete one is only read."""
        work, folder = self.work, _folder(self.work, of, how)
        if not work.options.fresh and is_file(folder / JOURNAL):
            run = load_run(folder)
            if run.complete:
                return run
        crossed = self._crossed(of, self.folds[how])
        provenance = _provenance(work, of, how, self.folds[how])
        chosen = {"strengths": dict(crossed.strengths), "shares": dict(crossed.shares)}
        stored = {**provenance.options["probe"], **chosen}
        recording = Recording(
            model=work.model,
            provenance=replace(provenance, options={**provenance.options, "probe": stored}),
            clips=work.read(audio=False),
            rows=self.rows,
            failures=self.failures,
            store=self.store,
        )
        return recorded_run(folder, recording, crossed, fresh=work.options.fresh)

    def _crossed(self, of: HeadInput, folds: Sequence[Fold]) -> Crossed:
        """Return what heads say of the test part of each fold, trained on its train part."""
        logits = np.full((len(self.rows), len(self.trainer.labels)), np.nan, dtype=np.float32)
        names, strengths = [""] * len(self.rows), dict[str, float]()
        shares = dict[str, tuple[float, ...]]()
        for fold in folds:
            stop_if_asked()
            head, strengths[fold.name] = self._fitted(of, self._usable(fold.train))
            shares |= {fold.name: head.shares} if head.shares else {}
            test = fold.test[self.rows[fold.test] >= 0]
            logits[test] = head.logits(self._features(of, test))
            for place in test:
                names[place] = fold.name
        return Crossed(logits=logits, folds=tuple(names), strengths=strengths, shares=shares)

    def _usable(self, places: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the clips that a head can be trained on: with features and with all values."""
        targets = self.work.targets[places]
        whole = ~np.isnan(targets.reshape(len(places), -1).astype(np.float64)).any(axis=1)
        return places[(self.rows[places] >= 0) & whole]

    def _fitted(self, of: HeadInput, places: NDArray[np.int64]) -> tuple[Standardised, float]:
        # A clip whose speaker nobody knows is a speaker of its own.
        speakers = [self.work.clips.speakers[i] or f"clip {i}" for i in places]
        return self.trainer.fit(self._features(of, places), self.work.targets[places], speakers)

    def _features(self, of: HeadInput, places: NDArray[np.int64]) -> NDArray[np.float32]:
        columns = self.work.encoder.columns(of)
        return np.ascontiguousarray(self.store.features()[self.rows[places], columns])

    def _head_words(self, strength: float) -> str:
        weights = f", class weights {self.work.options.class_weight}"
        name = HEADS[self.trainer.kind]
        return f"{self.trainer.kind}, {name} = {strength:g}" + weights * (
            self.trainer.kind == "logistic"
        )


def _refuse_other_runs(work: Planned, folds: Mapping[str, Sequence[Fold]]) -> None:
    """Refuse a folder of a run that holds another one than is wanted."""
    for of, how in product(work.encoder.inputs, folds):
        folder = _folder(work, of, how)
        if not work.options.fresh and is_file(folder / JOURNAL):
            with Journal(folder=folder, provenance=_provenance(work, of, how, folds[how])):
                pass  # opening it is the question


def _stored_cost(place: Path) -> EncoderCost | None:
    """Return what was measured on this machine; `None` for another, or for a damaged file."""
    if not is_file(place):
        return None
    try:
        stored = json_in(place)
        found = EncoderCost(**{name: kind(stored["cost"][name]) for name, kind in NUMBERS.items()})
        return found if stored["platform"] == platform_facts() else None
    except (ValueError, TypeError, KeyError):
        return None


def _folder(work: Planned, of: HeadInput, how: str) -> Path:
    name = "layer-" + re.sub(r"[^\w.-]+", "_", of.name).strip("_")
    return Path(work.options.output) / (name + "-shared" * (how == SHARED))


def _provenance(work: Planned, of: HeadInput, how: str, folds: Sequence[Fold]) -> Provenance:
    """Return what the out-of-fold predictions of a level depend on."""
    options = work.options
    own = {one.name for one in fields(options)}
    given = {one.name: getattr(options, one.name) for one in fields(EvalOptions)
             if one.name in own}  # fmt: skip
    name = f"{work.encoder.model.facts['name']} {of.name}" + f", {SHARED}" * (how == SHARED)
    found = provenance_of(work.model, work.dataset, work.plan, EvalOptions(**given, name=name))
    digest = hashlib.sha256()
    for fold in folds:
        digest.update(f"{fold.name} ".encode() + fold.train.tobytes() + fold.test.tobytes())
    facts = {
        "layer": work.encoder.stored_name(of),
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


def _validated(run: Run) -> CrossValidated:
    chosen = run.provenance.options["probe"]
    return CrossValidated(
        folder=run.folder,
        score=results_of(run).headline,
        by_fold=fold_scores(run),
        strengths=chosen["strengths"],
        shares={name: tuple(own) for name, own in chosen.get("shares", {}).items()},
    )
