"""The whole flow: a model and a dataset -> a stored run -> scores, files and pictures."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from serval.datasets import load_dataset, named_corpus, only
from serval.distributed import Job, predict_on_ray, refuse_odd_engine
from serval.errors import ConfigError
from serval.files import is_file, is_folder, refuse_odd_place
from serval.label_plan import Change, LabelPlan, labelled, plan_of, with_value_columns
from serval.machine import available_cores, peak_memory_mb, platform_facts
from serval.models.callable import PREFIX, absolute
from serval.models.load import load_as_stated
from serval.options import EvalOptions
from serval.predict import in_label_space, predict
from serval.records import Dataset, Failure, Record
from serval.run import (
    IN_PYTHON,
    Journal,
    PositionSet,
    Provenance,
    Run,
    load_run,
    named_in_python,
)
from serval.trained_on import HEARD, TrainedOn
from serval.wording import printable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from serval.models.protocol import Model


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """How far an evaluation is.

    Attributes:
        done: Clips with a record, those of earlier sessions included.
        total: Clips that will have one.
        failures: Failures in this session so far.
        resumed: Clips that an earlier session had done.
    """

    done: int
    total: int
    failures: int
    resumed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """A finished evaluation.

    Attributes:
        run: As stored.
        document: The content of `results.json`.
        files: What was written, by kind.
        too_many_failures: Whether more clips failed than `max_failures` allows.
        reused: Whether the run was complete already and nothing was computed.
    """

    run: Run
    document: dict[str, Any]
    files: dict[str, Path]
    too_many_failures: bool
    reused: bool


Watch = Callable[[Step], None]


def evaluate_named(options: EvalOptions, watch: Watch | None = None) -> Evaluation:
    """Return the evaluation of the model and dataset that the options name.

    Raises:
        ServalError: Something is wrong with the model, the dataset, the labels or the folder; no
            clip was decoded then.
    """
    model = load_as_stated(options.model, options)
    options = with_value_columns(options, model)
    return evaluate(model, open_dataset(options), options, watch)


def evaluate(
    model: Model, dataset: Dataset, options: EvalOptions | None = None, watch: Watch | None = None
) -> Evaluation:
    """Return the evaluation of an opened model on an opened dataset, written to the output folder.

    A run that was interrupted goes on; one that is complete is only scored again.

    Raises:
        LabelError: A label of the dataset has no counterpart among the model's.
        RunError: The output folder holds another run.
        DatasetError: There is no clip to evaluate.
    """
    options = options or EvalOptions()
    run, reused = _recorded(model, dataset, options, None, watch)
    # Scores and pictures load scipy and matplotlib, which the first clip need not wait for.
    from serval.results import write_results

    written = write_results(
        run, plots=options.plots, restrict=options.restrict, thresholds_from=run if reused else None
    )
    return Evaluation(
        run=run,
        document=written.document,
        files=written.files,
        too_many_failures=too_many_failures(run, options.max_failures),
        reused=reused,
    )


def recorded(
    model: Model,
    dataset: Dataset,
    options: EvalOptions,
    change: Change | None = None,
    watch: Watch | None = None,
) -> Run:
    """Return the stored run of a model on clips that `change` has changed; no other file is made.

    A run that was interrupted goes on; one that is complete is only read.

    Raises:
        LabelError: A label of the dataset has no counterpart among the model's.
        RunError: The output folder holds another run.
        DatasetError: There is no clip to evaluate.
    """
    run, _ = _recorded(model, dataset, options, change, watch)
    return run


def _recorded(
    model: Model,
    dataset: Dataset,
    options: EvalOptions,
    change: Change | None,
    watch: Watch | None,
) -> tuple[Run, bool]:
    """Return the stored run, and whether it was complete already."""
    _check(options)
    plan = plan_of(model, dataset, options)
    provenance = provenance_of(model, dataset, plan, options)
    if change is not None:
        plan = replace(plan, change=change)
        looks = {} if change.looks is None else {"looks": change.looks.facts}
        identity = {**provenance.identity, "change": change.facts, **looks}
        provenance = replace(provenance, identity=identity)
    folder = Path(options.output).expanduser()
    with Journal(folder=folder, provenance=provenance, fresh=options.fresh) as journal:
        reused = journal.complete
        if not reused:
            _record_all(model, dataset, plan, options, journal, watch or (lambda _step: None))
        return load_run(folder), reused


def open_dataset(options: EvalOptions) -> Dataset:
    """Return the dataset that the options name, opened."""
    return load_dataset(options.dataset, options=options)


def too_many_failures(run: Run, allowed: float) -> bool:
    """Tell whether more of a run's clips failed than a share of them in [0, 1]."""
    clips = len(run) + len(run.failures)
    return clips > 0 and len(run.failures) / clips > allowed


def refuse_odd_shares(max_failures: float, max_left_out: float) -> None:
    """Refuse what is no share of the clips that may fail, or be none of the set's."""
    for flag, share in (("--max-failures", max_failures), ("--max-left-out", max_left_out)):
        if not 0 <= share <= 1:
            raise ConfigError(f"{flag} is {share}; give a share from 0 to 1")


def _check(options: EvalOptions) -> None:
    refuse_odd_place("--output", options.output)
    if options.name is not None and (not options.name.strip() or not options.name.isprintable()):
        raise ConfigError(f"--name '{printable(options.name)}' is no name; give one line of text")
    refuse_odd_engine(options.engine, options.ray_address, options.workers)
    refuse_odd_shares(options.max_failures, options.max_left_out)


def provenance_of(
    model: Model, dataset: Dataset, plan: LabelPlan, options: EvalOptions
) -> Provenance:
    """Return what the numbers depend on; identity leaves out what cannot change a number."""
    facts = model.facts
    contract = {k: v for k, v in facts.get("contract", {}).items() if k != "sources"}
    explicit = {} if plan.mapping is None else dict(plan.mapping.explicit)
    preset = None if plan.mapping is None else plan.mapping.preset
    of_task = plan.task_facts
    return Provenance(
        labels=plan.space.labels,
        model=facts,
        dataset=_dataset_facts(dataset)
        | {"caveats": (*dataset.caveats, *plan.warnings)}
        | of_task
        | ({"labels_as": plan.renamed} if plan.renamed else {}),
        options=asdict(options),
        platform=platform_facts(),
        identity={
            "model": facts["sha256"],
            "external weights": facts.get("external", {}),
            **{f"contract {part}": value for part, value in contract.items()},
            **_setup(facts),
            "dataset": dataset.fingerprint,
            "split": dataset.split,
            "limit": options.limit,
            "label map": explicit,
            **({} if preset is None else {"label preset": asdict(preset)}),
            "drop_unmapped": options.drop_unmapped,
            "columns": [options.audio_column, options.label_column, options.speaker_column],
            **of_task,
        },
    )


def _setup(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return what beside the model decides its numbers, without what every earlier version did."""
    runtime = {k: v for k, v in facts.get("runtime", {}).items() if k != "version"}
    setup = {
        "runtime": runtime,
        "window": facts.get("window"),
        IN_PYTHON: named_in_python(facts),
    }
    return {part: value for part, value in setup.items() if value}


def _dataset_facts(dataset: Dataset) -> dict[str, Any]:
    names = (
        "name",
        "location",
        "revision",
        "split",
        "fingerprint",
        "licence",
        "n_clips",
        "caveats",
        "corpus",
        "read_as",
    )
    facts = {name: getattr(dataset, name) for name in names}
    silent = {"no_audio": dataset.no_audio} if dataset.no_audio else {}
    return facts | silent | {"left_out": [asdict(part) for part in dataset.left_out]}


def _record_all(
    model: Model,
    dataset: Dataset,
    plan: LabelPlan,
    options: EvalOptions,
    journal: Journal,
    watch: Watch,
) -> None:
    start, resumed, failures = time.perf_counter(), len(journal.done), 0
    journal.begin(datetime.now(UTC).isoformat(timespec="seconds"))
    records = _asked(model, dataset, plan, options, journal)
    watch(Step(done=resumed, total=plan.total, failures=0, resumed=resumed))
    if plan.space.joins or plan.space.labels != model.labels:
        outputs = model.contract.outputs
        records = (in_label_space(record, plan.space, outputs) for record in records)
    for record in _marked(records, model.contract.trained_on):
        journal.append(record, time.perf_counter() - start)
        failures += isinstance(record, Failure)
        done = len(journal.done)
        watch(Step(done=done, total=plan.total, failures=failures, resumed=resumed))
    seconds = time.perf_counter() - start
    journal.finish(
        seconds,
        dropped=plan.dropped,
        dropped_indices=plan.dropped_indices,
        peak_memory_mb=peak_memory_mb(),
    )


def _marked(records: Iterator[Record], trained_on: TrainedOn | None) -> Iterator[Record]:
    """Yield the records, with a note on those of clips that the model was trained on."""
    for record in records:
        if trained_on is None or isinstance(record, Failure):
            yield record
        elif trained_on.has(record.clip_id, record.audio_sha256):
            yield replace(record, notes=(*record.notes, HEARD))
        else:
            yield record


def _asked(
    model: Model, dataset: Dataset, plan: LabelPlan, options: EvalOptions, journal: Journal
) -> Iterator[Record]:
    """Yield a record for each clip without one, or of as many clips as are enough.

    What was yielded stands in the journal before the next one is asked for.
    """
    if (looks := plan.change.looks) is not None:
        for part in looks.parts:
            here = replace(dataset, clips=only(dataset.clips, part),
                           metadata=only(dataset.metadata, part))  # fmt: skip
            yield from _records(model, here, plan, options, journal.done)
            if looks.is_enough(load_run(journal.folder), part):
                return
    yield from _records(model, dataset, plan, options, journal.done)


def _records(
    model: Model, dataset: Dataset, plan: LabelPlan, options: EvalOptions, done: PositionSet
) -> Iterator[Record]:
    """Return a record for each clip without one, made here or on a cluster."""
    change = plan.change
    if options.engine == "local":
        clips = labelled(dataset.clips, plan.mapping, options.limit, done)
        workers = options.workers or available_cores()
        return predict(
            model, clips, workers=workers, transform=change.transform, decoded=change.decoded
        )
    to_do = labelled(dataset.metadata, plan.mapping, options.limit, done)
    job = Job(
        model=absolute_name(options.model),
        model_sha256=model.facts["sha256"],
        external=model.facts.get("external", {}),
        model_options=options,
        dataset=absolute_name(options.dataset),
        fingerprint=dataset.fingerprint,
        dataset_options=options,
        mapping=plan.mapping,
        transform=change.transform,
    )
    indices = (clip.index for clip in to_do)
    return predict_on_ray(job, indices, workers=options.workers, address=options.ray_address)


def absolute_name(name: str) -> str:
    """Return a path as any process of this machine can use it; another name as it is."""
    if name.startswith(PREFIX):
        return absolute(name)
    corpus, path = named_corpus(name)
    if corpus is not None:
        return f"{corpus.name}:{Path(path).expanduser().absolute()}"
    return str(Path(name).absolute()) if is_file(name) or is_folder(name) else name
