import logging
import pickle
import sys
from dataclasses import replace
from types import SimpleNamespace

import pytest

from build import EMOTIONS
from serval.datasets import DatasetOptions, load_dataset
from serval.distributed import (
    RANGE,
    Job,
    Ledger,
    Worker,
    _connected,
    _is_trouble,
    _range_size,
    _ranges,
    predict_on_ray,
)
from serval.errors import ConfigError, MissingExtraError
from serval.evaluation import EvalOptions, evaluate_named
from serval.labels import LabelMap, LabelSet
from serval.models.load import load_model
from serval.models.options import InferenceOptions
from serval.predict import predict
from serval.records import Failure


@pytest.fixture
def job(model_file, manifest):
    return Job(
        model=str(model_file),
        model_sha256=load_model(str(model_file)).facts["sha256"],
        external={},
        model_options=InferenceOptions(),
        dataset=str(manifest),
        fingerprint=load_dataset(str(manifest)).fingerprint,
        dataset_options=DatasetOptions(),
        mapping=LabelMap(labels=LabelSet(EMOTIONS), explicit={}),
    )


def asked(ledger):
    return lambda method, *arguments: getattr(ledger, method)(*arguments)


def answers(worker, *wanted):
    return [pickle.loads(answer) for answer in worker({"wanted": list(wanted)})["pickled"]]


def without_timing(records):
    return [pickle.dumps(r) if isinstance(r, Failure) else (r.index, r.logits) for r in records]


def test_a_worker_gives_the_records_that_this_process_gives(job):
    worker = Worker(job, asked(Ledger()))
    here = predict(load_model(job.model), load_dataset(job.dataset).clips(0, None))
    assert without_timing(answers(worker, [0, 1, 2], [3, 5, 11])) == without_timing(
        record for record in here if record.index in {0, 1, 2, 3, 5, 11}
    )


def test_a_clip_that_two_workers_died_at_is_given_up(job):
    ledger = Ledger()
    for _ in range(2):
        assert ledger.resume(4) == []
        ledger.begin(4, 5)
    records = answers(Worker(job, asked(ledger)), [4, 5, 6])
    assert [type(record).__name__ for record in records] == ["Prediction", "Failure", "Prediction"]
    assert (records[1].index, records[1].stage) == (5, "worker")
    assert records[1].reason == "2 workers died while they were at this clip"
    assert records[1].truth in EMOTIONS


def test_a_range_that_was_done_and_lost_is_no_death():
    ledger = Ledger()
    for _ in range(3):
        assert ledger.resume(0) == []
        ledger.begin(0, 7)
        ledger.done(0)


@pytest.mark.parametrize("part", ["model_sha256", "fingerprint"])
def test_a_worker_with_other_files_says_so(job, part):
    changed = Job(**{name: getattr(job, name) for name in job.__slots__} | {part: "0" * 64})
    (error,) = answers(Worker(changed, asked(Ledger())), [0])
    assert isinstance(error, ConfigError)
    assert "is not the driver's" in str(error)


def test_a_worker_with_other_external_weights_says_so(job):
    changed = replace(job, external={"weights.bin": "0" * 64})
    (error,) = answers(Worker(changed, asked(Ledger())), [0])
    assert isinstance(error, ConfigError)
    assert "weights.bin beside model" in str(error)


def test_ranges_hold_every_position_once_and_stay_short():
    wanted = [*range(150), *range(10_000, 10_003), 20_000]
    ranges = [row["wanted"] for row in _ranges(iter(wanted))]
    assert [index for part in ranges for index in part] == wanted
    assert max(len(part) for part in ranges) == RANGE
    assert max(part[-1] - part[0] for part in ranges) < 4 * RANGE


@pytest.mark.parametrize(("clips", "workers"), [(150, 8), (2_000, 64), (1_000_000, 64)])
def test_there_is_a_range_for_every_worker_and_none_is_long(clips, workers):
    ranges = [row["wanted"] for row in _ranges(range(clips), _range_size(clips, workers))]
    assert len(ranges) >= workers
    assert max(map(len, ranges)) <= RANGE


def test_without_ray_the_extra_is_named(job, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtraError, match=r"serval-ser\[ray\]"):
        next(predict_on_ray(job, iter([0])))


def test_without_ray_nothing_is_begun(model_file, manifest, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    options = EvalOptions(
        model=str(model_file), dataset=str(manifest), output=str(tmp_path / "o"), engine="ray"
    )
    with pytest.raises(MissingExtraError, match=r"pip install"):
        evaluate_named(options)
    assert not (tmp_path / "o").exists()


def test_an_address_without_the_engine_is_refused(model_file, manifest, tmp_path):
    options = EvalOptions(
        model=str(model_file),
        dataset=str(manifest),
        output=str(tmp_path / "o"),
        ray_address="127.0.0.1:6379",
    )
    with pytest.raises(ConfigError, match="--engine ray only"):
        evaluate_named(options)


def test_a_cluster_of_this_machine_has_the_cores_that_this_process_may_use(monkeypatch):
    asked_for = {}
    fake = SimpleNamespace(
        is_initialized=lambda: False, init=lambda **given: asked_for.update(given)
    )
    monkeypatch.setattr("serval.distributed.available_cores", lambda: 3)
    assert _connected(fake, None)
    assert (asked_for["address"], asked_for["num_cpus"]) == ("local", 3)


@pytest.mark.parametrize("error", [RuntimeError(), OSError("no room in /dev/shm\nand more")])
def test_a_cluster_that_cannot_start_here_is_one_line(error):
    def init(**_):
        raise error

    fake = SimpleNamespace(is_initialized=lambda: False, init=init)
    with pytest.raises(ConfigError, match=r"on this machine: [^\n]+; use --engine local"):
        _connected(fake, None)


def test_only_trouble_of_ray_data_reaches_the_terminal():
    def record(level, message):
        return logging.LogRecord("ray.data", level, "", 0, message, (), None)

    assert not _is_trouble(record(logging.INFO, "Starting execution"))
    assert not _is_trouble(record(logging.WARNING, "Progress bars disabled. To enable, ..."))
    assert _is_trouble(record(logging.WARNING, "the cluster has not enough resources"))


def test_an_unknown_engine_is_refused(model_file, manifest, tmp_path):
    options = EvalOptions(
        model=str(model_file), dataset=str(manifest), output=str(tmp_path / "o"), engine="spark"
    )
    with pytest.raises(ConfigError, match="unknown --engine 'spark'; known: local, ray"):
        evaluate_named(options)
