"""A run in the stores of three loggers, each read back as its own tools read it; all offline."""

import json
import time

import numpy as np
import pytest

from runs import run_of
from serval.errors import MissingExtraError, WriteError
from serval.logs import LOGGERS, Entry, entry_of, log_entry, refuse_missing
from serval.plots.canvas import pictures_as
from serval.results import write_results


@pytest.fixture(scope="module")
def entry(tmp_path_factory):
    folder = tmp_path_factory.mktemp("log") / "int8"
    truth = np.arange(60) % 3
    run = run_of(folder, truth, np.where(np.arange(60) % 10, truth, 0), failures=2)
    written = write_results(run)
    return entry_of(written.document, written.files, folder)


def test_an_entry_has_scores_with_intervals_settings_and_pictures(entry):
    assert entry.name == "int8"
    assert entry.metrics["wa_low"] < entry.metrics["wa"] == pytest.approx(56 / 60)
    assert entry.metrics["recall/angry"] == 1
    assert (entry.metrics["clips"], entry.metrics["failed_clips"]) == (60, 2)
    assert entry.settings["options.limit"] == "None"
    assert entry.settings["model.name"] == "int8"
    assert set(entry.pictures) == {"confusion matrix", "per emotion", "reliability"}
    assert {"results", "clips", "summary", "journal"} <= set(entry.files)


@pytest.mark.usefixtures("empty_pictures")
def test_a_run_that_is_not_finished_has_no_metric_that_is_none(tmp_path):
    run = run_of(tmp_path / "run", [0, 1, 2], [0, 1, 2], end=False)
    with pictures_as("svg"):
        written = write_results(run)
    entry = entry_of(written.document, written.files, run.folder)
    assert entry.metrics["clips"] == 3
    assert None not in entry.metrics.values()
    pytest.importorskip("tensorboard")
    (line,) = log_entry(["tensorboard"], entry)
    assert line.endswith("without the pictures, of which it shows PNG only: --format png")


def test_tensorboard_keeps_scores_pictures_and_settings(entry):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    (line,) = log_entry(["tensorboard"], entry)
    assert line == f"tensorboard: event file in {entry.folder / 'tensorboard'}"
    found = EventAccumulator(str(entry.folder / "tensorboard"))
    found.Reload()
    assert found.Scalars("wa")[0].value == pytest.approx(entry.metrics["wa"], abs=1e-6)
    (image,) = found.Images("confusion matrix")
    assert image.encoded_image_string == entry.pictures["confusion matrix"].read_bytes()
    (text,) = found.Tensors("settings")
    assert b"model.name: int8" in text.tensor_proto.string_val[0]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.slow
def test_mlflow_keeps_scores_settings_and_files(entry, tmp_path, monkeypatch):
    pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", (tmp_path / "store").as_uri())
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.delenv("MLFLOW_EXPERIMENT_NAME", raising=False)
    (line,) = log_entry(["mlflow"], entry)
    import mlflow

    run = mlflow.get_run(line.split()[2])
    assert run.info.run_name == "int8"
    assert run.data.metrics["uar_high"] == pytest.approx(entry.metrics["uar_high"])
    assert run.data.params["model.name"] == "int8"
    kept = {item.path for item in mlflow.MlflowClient().list_artifacts(run.info.run_id)}
    assert kept == {path.name for path in entry.files.values()}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.slow
def test_wandb_offline_keeps_scores_and_files(entry, tmp_path, monkeypatch):
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    monkeypatch.setenv("WANDB_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("WANDB_DATA_DIR", str(tmp_path / "data"))
    (line,) = log_entry(["wandb"], entry)
    (folder,) = (tmp_path / "wandb").glob("offline-run-*")
    assert line.startswith(f"wandb: {folder}")
    (log,) = folder.glob("*.wandb")
    names = ("uar_low", "recall/angry", "model.name", "confusion matrix", "journal.jsonl")
    deadline = time.monotonic() + 30  # a process of wandb's own writes the file, at its own pace
    while missing := [name for name in names if name.encode() not in log.read_bytes()]:
        assert time.monotonic() < deadline, missing
        time.sleep(0.1)


@pytest.mark.slow
def test_wandb_without_a_login_is_refused_before_the_work_and_asks_nobody(
    serval_process, tmp_path, monkeypatch
):
    pytest.importorskip("wandb")
    for name in ("WANDB_MODE", "WANDB_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    done = serval_process("evaluate", "--log", "wandb", "-o", "run", HOME=str(tmp_path))
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == (
        "serval: --log wandb: nobody is logged in; set WANDB_MODE=offline to keep the run here, or "
        "log in before with wandb login"
    )
    assert not (tmp_path / "run").exists()


def test_a_logger_that_is_not_installed_is_one_line_before_the_work(monkeypatch):
    monkeypatch.setattr("serval.logs.find_spec", lambda name: None)
    with pytest.raises(
        MissingExtraError, match=r"--log wandb .* pip install 'serval-ser\[wandb\]'"
    ):
        refuse_missing(["wandb"])


def test_a_logger_that_fails_leaves_the_run_and_says_where(entry, monkeypatch):
    def broken(_entry: Entry):
        raise RuntimeError("no space\nleft")

    monkeypatch.setitem(LOGGERS, "tensorboard", broken)
    monkeypatch.setattr("serval.logs.find_spec", lambda name: name)
    with pytest.raises(
        WriteError, match=r"--log tensorboard failed: no space left; the run .*int8"
    ):
        log_entry(["tensorboard"], entry)


def test_score_keeps_a_run_where_it_is_told_to_and_nowhere_else(serval, tmp_path, monkeypatch):
    run_of(tmp_path / "mine", [0, 1, 2, 0], [0, 1, 2, 1])
    kept = []
    monkeypatch.setitem(LOGGERS, "tensorboard", lambda entry: kept.append(entry) or "kept")
    monkeypatch.setattr("serval.logs.find_spec", lambda name: name)
    assert serval("score", "mine", "--no-plots").returncode == 0
    assert kept == []
    done = serval("score", "mine", "--no-plots", "--json", "--log", "tensorboard")
    assert done.stderr == "tensorboard: kept\n"
    assert json.loads(done.stdout)["name"] == kept[0].name == "mine"
