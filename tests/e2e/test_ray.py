"""The same evaluation on a cluster of two nodes, both on 127.0.0.1, whose parts go missing."""

import json
import os
import signal
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from build import EMOTIONS, encoder, labels_metadata, speech_set
from serval.datasets import DatasetOptions, load_dataset
from serval.distributed import Job, imported_ray, predict_on_ray
from serval.errors import ConfigError, MissingExtraError
from serval.evaluation import evaluate_named
from serval.labels import LabelMap, LabelSet
from serval.models.load import load_model
from serval.models.options import InferenceOptions
from serval.options import EvalOptions
from serval.predict import predict
from serval.probe import ProbeOptions, probe
from serval.records import Failure
from serval.run import load_run

try:
    ray = imported_ray()
except MissingExtraError as missing:
    pytest.skip(str(missing), allow_module_level=True)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("ray"),
    pytest.mark.filterwarnings("default"),  # Ray's own
    pytest.mark.skipif(sys.platform == "win32", reason="the cluster is started on POSIX"),
]
CLIPS = 300


@dataclass(frozen=True, kw_only=True)
class Deadly:
    """Kills the worker that comes to some clips, each so many times, and notes each of them."""

    marks: Path
    times: dict[int, int]

    def __call__(self, samples, sample_rate, clip):
        died = len(self.deaths(clip.index))
        if died < self.times.get(clip.index, 0):
            (self.marks / f"{clip.index}-{died}").write_text(f"process {os.getpid()} died here")
            os.kill(os.getpid(), signal.SIGKILL)
        return samples

    def deaths(self, index):
        return list(self.marks.glob(f"{index}-*"))


class Fatal(str):
    """The name of a set; who takes it out of its box dies."""

    __slots__ = ()

    def __reduce__(self):
        return os.kill, (0, signal.SIGKILL)


@pytest.fixture(scope="module")
def cluster():
    from ray.cluster_utils import Cluster

    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    bare = {"include_dashboard": False, "include_log_monitor": False, "no_monitor": True}
    started = Cluster(initialize_head=True, head_node_args={"num_cpus": 1} | bare)
    started.second = started.add_node(num_cpus=1)
    yield started
    ray.shutdown()
    started.shutdown()


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    return speech_set(tmp_path_factory.mktemp("set"), CLIPS, seconds=0.2)


@pytest.fixture
def job(model_file, clips):
    return Job(
        model=str(model_file),
        model_sha256=load_model(str(model_file)).facts["sha256"],
        external={},
        model_options=InferenceOptions(),
        dataset=str(clips),
        fingerprint=load_dataset(str(clips)).fingerprint,
        dataset_options=DatasetOptions(),
        mapping=LabelMap(labels=LabelSet(EMOTIONS), explicit={}),
    )


def local(job):
    return predict(load_model(job.model), load_dataset(job.dataset).clips(0, None), workers=2)


def told(records):
    return [
        (record.index, record.stage if isinstance(record, Failure) else record.logits)
        for record in records
    ]


def stored_features(folder):
    """The features of a probe as bytes, and what is known of each clip but for the time it took."""
    (numbers,) = folder.glob("features/*/features.f32")
    lines = numbers.with_name("clips.jsonl").read_text(encoding="utf-8").splitlines()
    return numbers.read_bytes(), [json.loads(line) | {"inference_s": 0} for line in lines]


def without_timing(folder):
    """Every file of a run, without what a clock says, and without the name of the engine."""
    document = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    for timing in ("speed", "platform"):
        document.pop(timing)
    for option in ("engine", "ray_address", "output"):
        document["options"].pop(option)
    timed = {"evaluation_time_seconds", "samples_per_second", "timestamp"}
    document["metadata"] = {k: v for k, v in document["metadata"].items() if k not in timed}
    rows = (folder / "detailed_results.csv").read_text(encoding="utf-8").splitlines()
    column = rows[0].split(",").index("inference_s")
    cells = [[c for i, c in enumerate(row.split(",")) if i != column] for row in rows]
    logits = load_run(folder).logits.tobytes()
    pictures = [path.read_bytes() for path in sorted(folder.glob("*.png"))]
    return document, cells, logits, pictures


def test_the_result_files_are_those_of_the_local_engine(cluster, model_file, clips, tmp_path):
    """With more workers than there are cores, some of which wait."""
    options = EvalOptions(
        model=str(model_file), dataset=str(clips), output=str(tmp_path / "here"), workers=3
    )
    there = replace(
        options, engine="ray", ray_address=cluster.address, output=str(tmp_path / "there")
    )
    evaluate_named(options)
    evaluate_named(there)
    here, there = without_timing(tmp_path / "here"), without_timing(tmp_path / "there")
    assert [k for k in here[0] if here[0][k] != there[0][k]] == []
    assert here == there
    indices = [
        json.loads(line).get("index")
        for line in (tmp_path / "there" / "journal.jsonl").read_text("utf-8").splitlines()
    ]
    assert [index for index in indices if index is not None] == list(range(CLIPS))


def test_a_run_begun_here_goes_on_there(cluster, model_file, clips, tmp_path):
    options = EvalOptions(
        model=str(model_file), dataset=str(clips), output=str(tmp_path / "o"), plots=False
    )

    def stop(step):
        if step.done == 100:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate_named(options, stop)
    steps = []
    there = replace(options, engine="ray", ray_address=cluster.address, workers=1)
    run = evaluate_named(there, steps.append).run
    assert steps[0].resumed == 100
    assert run.index.tolist() == list(range(CLIPS))
    whole = evaluate_named(replace(options, output=str(tmp_path / "whole"))).run
    assert run.logits.tobytes() == whole.logits.tobytes()


def test_the_features_of_a_probe_are_those_of_the_local_engine(cluster, tmp_path):
    """Bit for bit, also of clips that a probe here had heard, and with one that nobody decodes."""
    pytest.importorskip("sklearn")
    made = encoder(tmp_path / "encoder.onnx", metadata=labels_metadata())
    manifest = speech_set(tmp_path / "set", 60, labels=("angry", "sad"), seconds=0.2)
    (manifest.parent / "clip0007.wav").write_bytes(b"no sound")
    (manifest.parent / "clip0009.wav").unlink()
    options = ProbeOptions(
        model=str(made), dataset=str(manifest), layer="all", folds="speaker:3", workers=2,
        output=str(tmp_path / "here"),
    )  # fmt: skip
    there = replace(
        options, engine="ray", ray_address=cluster.address, output=str(tmp_path / "there")
    )

    def stop(step):
        if step.done == 20:
            raise KeyboardInterrupt

    here = probe(options)
    with pytest.raises(KeyboardInterrupt):
        probe(replace(there, engine="local", ray_address=None), stop)
    found = probe(there)
    assert found.clips == here.clips == 58
    assert stored_features(tmp_path / "here") == stored_features(tmp_path / "there")
    assert told(load_run(tmp_path / "here" / "layer-1").failures) == told(
        load_run(tmp_path / "there" / "layer-1").failures
    )
    assert [layer.apart.score for layer in found.layers] == [
        layer.apart.score for layer in here.layers
    ]


def test_a_killed_worker_costs_repeated_work_and_a_clip_that_kills_each_is_found(
    cluster, job, tmp_path
):
    """Of 16 clips, which are two ranges, one kills each worker and another only the first."""
    deadly = Deadly(marks=tmp_path / "marks", times={70: 99, 75: 1})
    deadly.marks.mkdir()
    changed = replace(job, transform=deadly)
    records = list(predict_on_ray(changed, iter(range(64, 80)), address=cluster.address))
    (failed,) = (record for record in records if isinstance(record, Failure))
    assert (failed.index, failed.stage, failed.reason) == (
        70, "worker", "2 workers died while they were at this clip"
    )  # fmt: skip
    assert failed.truth in EMOTIONS
    assert len(deadly.deaths(75)) == 1
    assert len(deadly.deaths(70)) == 4  # of 8, 4, 2 and 1
    assert [row for row in told(records) if row[1] != "worker"] == [
        row for row in told(local(job))[64:80] if row[0] != 70
    ]


def test_workers_that_die_before_they_begin_end_the_run(cluster, job):
    changed = replace(job, dataset=Fatal(job.dataset))
    with pytest.raises(ConfigError, match=r"3 workers in a row died .*; try --engine local"):
        list(predict_on_ray(changed, iter(range(9)), address=cluster.address))


def test_a_model_that_a_worker_does_not_have_stops_the_run(cluster, job):
    with pytest.raises(ConfigError, match="is not the driver's"):
        list(
            predict_on_ray(
                replace(job, model_sha256="0" * 64), iter(range(9)), address=cluster.address
            )
        )


def test_who_stops_reading_early_leaves_the_cluster(cluster, job):
    records = predict_on_ray(job, iter(range(CLIPS)), address=cluster.address)
    next(records)
    records.close()
    assert not ray.is_initialized()


def test_a_cluster_that_is_not_there_is_named(job):
    with pytest.raises(ConfigError, match=r"no Ray cluster at 127\.0\.0\.1:1"):
        next(predict_on_ray(job, iter([0]), address="127.0.0.1:1"))


def test_a_node_that_leaves_costs_only_repeated_work(cluster, job):
    records = predict_on_ray(job, iter(range(CLIPS)), address=cluster.address)
    before = [next(records) for _ in range(10)]
    cluster.remove_node(cluster.second, allow_graceful=False)
    assert told([*before, *records]) == told(local(job))
