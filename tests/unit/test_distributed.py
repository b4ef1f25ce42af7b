import pickle
import sys
from dataclasses import replace
from types import SimpleNamespace

import pytest

from build import EMOTIONS
from serval.datasets import DatasetOptions, load_dataset
from serval.distributed import (
    LONGEST_RANGE,
    Job,
    Ledger,
    Range,
    Worker,
    _connected,
    _range_size,
    _ranges,
    predict_on_ray,
)
from serval.errors import ConfigError, MissingExtraError
from serval.evaluation import evaluate_named
from serval.labels import LabelMap, LabelSet
from serval.models.load import load_model
from serval.models.options import InferenceOptions
from serval.options import EvalOptions
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


def without_timing(records):
    return [pickle.dumps(r) if isinstance(r, Failure) else (r.index, r.logits) for r in records]


def ledger_of(*ranges, most=8):
    return Ledger([Range(tuple(part)) for part in ranges], most=most)


def test_a_worker_gives_the_records_that_this_process_gives(job):
    worker = Worker(job)
    here = predict(load_model(job.model), load_dataset(job.dataset).clips(0, None))
    assert worker.fault() is None
    assert without_timing(
        [*worker.records((0, 1, 2)), *worker.records((3, 5, 11))]
    ) == without_timing(record for record in here if record.index in {0, 1, 2, 3, 5, 11})


def test_records_come_in_order_whichever_range_is_done_first():
    ledger = ledger_of([4, 5], [7, 9], [10])
    first, second, third = (ledger.take() for _ in range(3))
    assert ledger.take() is None
    ledger.note(third, ["10"])
    ledger.note(second, ["7", "9"])
    assert list(ledger.in_turn()) == []
    ledger.note(first, ["4", "5"])
    assert list(ledger.in_turn()) == ["4", "5", "7", "9", "10"]
    assert not ledger


def test_not_too_many_ranges_wait_for_an_earlier_one():
    ledger = ledger_of([0], [1], [2], [3], most=1)
    first, second = ledger.take(), ledger.take()
    ledger.note(second, ["1"])
    assert ledger.take() is None
    ledger.put_back(first)
    assert ledger.take() == first  # its turn, whatever waits for it
    ledger.note(first, ["0"])
    assert list(ledger.in_turn()) == ["0", "1"]
    assert ledger.take() == Range((2,))


def test_ranges_of_workers_that_died_together_are_done_in_order():
    ledger = ledger_of([0], [1], [2], [3], most=1)
    first, second, third = ledger.take(), ledger.take(), ledger.take()
    ledger.note(second, ["1"])
    ledger.put_back(first)
    ledger.put_back(third)
    assert ledger.take() == first  # nothing else may begin, since one waits for it
    ledger.note(first, ["0"])
    assert list(ledger.in_turn()) == ["0", "1"]
    assert ledger.take() == third


def test_a_range_that_dies_is_halved_until_the_clip_is_alone():
    ledger, found = ledger_of(range(100, 137)), set()
    deaths = 0
    while part := ledger.take():
        if 113 not in part.wanted:
            ledger.note(part, list(part.wanted))
            continue
        deaths += 1
        after = part.after_death()
        ledger.put_back(*after)
        if not after:
            found.add(part.wanted)
            ledger.note(part, ["given up"])
    assert found == {(113,)}
    assert deaths == 6  # of 37, 19, 9, 5, 2 clips and of that one
    records = list(ledger.in_turn())
    assert records == [*range(100, 113), "given up", *range(114, 137)]


def test_one_death_gives_no_clip_up():
    (alone,) = Range((5,)).after_death()
    assert alone == Range((5,), deaths=1)
    assert alone.after_death() == []
    assert Range((5, 6), deaths=3).after_death() == [Range((5,), 4), Range((6,), 4)]


@pytest.mark.parametrize("part", ["model_sha256", "fingerprint"])
def test_a_worker_with_other_files_says_so(job, part):
    worker = Worker(replace(job, **{part: "0" * 64}))
    assert isinstance(worker.fault(), ConfigError)
    assert "is not the driver's" in str(worker.records((0,)))


def test_a_worker_with_other_external_weights_says_so(job):
    error = Worker(replace(job, external={"weights.bin": "0" * 64})).fault()
    assert "weights.bin beside model" in str(error)


def test_ranges_hold_every_position_once_and_stay_short():
    wanted = [*range(150), *range(10_000, 10_003), 20_000]
    ranges = [part.wanted for part in _ranges(iter(wanted))]
    assert [index for part in ranges for index in part] == wanted
    assert max(len(part) for part in ranges) == LONGEST_RANGE
    assert max(part[-1] - part[0] for part in ranges) < 4 * LONGEST_RANGE


@pytest.mark.parametrize(("clips", "workers"), [(150, 8), (2_000, 64), (1_000_000, 64)])
def test_there_is_a_range_for_every_worker_and_none_is_long(clips, workers):
    ranges = [part.wanted for part in _ranges(range(clips), _range_size(clips, workers))]
    assert len(ranges) >= workers
    assert max(map(len, ranges)) <= LONGEST_RANGE


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


def test_an_unknown_engine_is_refused(model_file, manifest, tmp_path):
    options = EvalOptions(
        model=str(model_file), dataset=str(manifest), output=str(tmp_path / "o"), engine="spark"
    )
    with pytest.raises(ConfigError, match="unknown --engine 'spark'; known: local, ray"):
        evaluate_named(options)
