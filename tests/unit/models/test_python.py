"""Models that the user's own Python gives, by name on the command line."""

import sys
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from build import speech_set, voice
from serval.errors import AudioError, ConfigError, ModelError
from serval.models.callable import absolute, model_of_object
from serval.models.contract import Overrides
from serval.models.load import load_model, model_path, refuse_no_model
from serval.run import load_run

FEATURES = '''
import numpy as np
from scipy.fft import dct


def cepstra(waveforms):
    """Mean cepstrum of each waveform."""
    rows = []
    for samples in waveforms:
        frames = np.lib.stride_tricks.sliding_window_view(samples, 400)[::160]
        power = np.abs(np.fft.rfft(frames * np.hanning(400), axis=1)) ** 2
        bands = np.log(np.add.reduceat(power, np.arange(0, 200, 10), axis=1) + 1e-9)
        rows.append(dct(bands, axis=1, norm="ortho")[:, :13].mean(axis=0))
    return np.array(rows)
'''
PIPELINE = """
import numpy as np
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from features import cepstra


def load():
    noise = np.random.default_rng(0).normal(0, 0.1, (24, 8_000)).astype(np.float32)
    tones = np.sin(np.arange(8_000) * np.arange(1, 25)[:, np.newaxis] / 40)
    nearest = KNeighborsClassifier(5, weights="distance")
    pipeline = make_pipeline(FunctionTransformer(cepstra), nearest)
    pipeline.fit(np.concatenate([noise, tones]), ["angry", "sad"] * 24)
    pipeline.sample_rate = 16_000
    return pipeline
"""
MODULE = """
import torch


class Net(torch.nn.Module):
    labels = ["angry", "sad"]
    sample_rate = 16_000

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.bands = torch.nn.Conv1d(1, 8, 400, stride=160)
        self.head = torch.nn.Linear(8, 2)

    def forward(self, waveform):
        return self.head(self.bands(waveform[:, None]).relu().mean(dim=2))
"""
OWN = """
import numpy as np

LIMIT = 16_000


class Own:
    labels = ["angry", "sad"]
    sample_rate = 16_000

    def __call__(self, waveform):
        if waveform.shape[1] > LIMIT:
            raise ValueError("more than\\na second")
        return np.array([waveform.std(), waveform.max()])


ready = Own()


def fails():
    return 1 / 0


def nothing():
    return 3
"""


@pytest.fixture(autouse=True)
def as_before(monkeypatch):
    """No folder of one test is searched in the next."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    for name in ("features", "own_model"):
        monkeypatch.delitem(sys.modules, name, raising=False)


@pytest.fixture
def own(tmp_path):
    path = tmp_path / "own_model.py"
    path.write_text(OWN, encoding="utf-8")
    return path


def answer(model, samples):
    return model.logits(samples[np.newaxis], np.array([len(samples)]))


@pytest.mark.parametrize(("kind", "name"), [("sklearn", "load"), ("torch", "Net")])
def test_a_pipeline_and_a_module_go_through_every_command(kind, name, tmp_path, serval):
    pytest.importorskip(kind)
    (tmp_path / "features.py").write_text(FEATURES, encoding="utf-8")
    (tmp_path / "mine.py").write_text(PIPELINE if kind == "sklearn" else MODULE, encoding="utf-8")
    speech_set(tmp_path, 8, labels=("angry", "sad"), name="set.csv")
    common = ("-m", f"python:mine.py:{name}", "-d", "set.csv")
    steps = [
        ("evaluate", *common, "-o", "one", "--no-plots", "--workers", "2"),
        ("evaluate", *common, "-o", "two", "--no-plots", "--limit", "6"),
        ("compare", "one", "two"),
        ("stress", *common, "-o", "stressed", "--suite", "pcm_8bit"),
        ("report", "one", "-o", "page.html"),
        ("predict", *common[:2], "clip0000.wav"),
    ]
    for step in steps:
        done = serval(*step)
        assert done.returncode == 0, f"{step}: {done.stdout} {done.stderr}"
    run = load_run(tmp_path / "one")
    assert len(run) == 8
    assert run.provenance.model["name"] == f"mine:{name}"
    assert run.provenance.model["runtime"] == {"name": "python"}
    assert np.ptp(run.probs[:, 0]) > 0
    assert "8 clips" in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_a_run_goes_on_until_the_source_is_another_one(own, tmp_path, serval):
    speech_set(tmp_path, 4, labels=("angry", "sad"), name="set.csv")
    common = ("evaluate", "-m", "python:own_model.py:Own", "-d", "set.csv", "--no-plots", "-o", "o")
    assert serval(*common).returncode == 0
    assert "complete already" in serval(*common).stdout
    done = serval(*(one.replace(":Own", ":ready") for one in common))
    assert (done.returncode, "model in Python was" in done.stderr) == (2, True)
    own.write_text(OWN.replace("16_000\n\n\nclass", "17_000\n\n\nclass"), encoding="utf-8")
    done = serval(*common)
    assert done.returncode == 2
    assert "holds another run: the model 'own_model:Own' has other content, " in done.stderr


def test_an_object_a_class_a_factory_and_a_module_are_the_same_model(own, monkeypatch):
    monkeypatch.chdir(own.parent)
    names = ("python:own_model.py:Own", "python:own_model.py:ready", "python:own_model:ready")
    models = [load_model(name) for name in names]
    answers = [answer(model, voice()) for model in models]
    assert np.array_equal(answers[0], answers[1])
    assert np.array_equal(answers[0], answers[2])
    assert len({model.identity.sha256 for model in models}) == 1
    assert list(models[0].labels) == ["angry", "sad"]


def test_files_that_a_model_names_are_part_of_what_it_is(own):
    own.write_text(f"{OWN}\nready.files = ['w.npz']\n", encoding="utf-8")
    with pytest.raises(ModelError, match=r"names files that are not there: .*w\.npz"):
        load_model(f"python:{own}:ready")
    (own.parent / "w.npz").write_bytes(b"one")
    first = load_model(f"python:{own}:ready").facts
    (own.parent / "w.npz").write_bytes(b"other")
    other = load_model(f"python:{own}:ready").facts
    assert first["sha256"] == other["sha256"]
    assert first["external"].keys() == {"w.npz"} == other["external"].keys()
    assert first["external"] != other["external"]


WRONG = {
    "own_model.py:fails": r"ZeroDivisionError: division by zero \(.*own_model\.py, line 21\)$",
    "own_model.py:gone": r"own_model\.py has no 'gone'; it has LIMIT, Own, fails, nothing, np",
    "own_model.py:nothing": r"int is not a model that serval can call",
    "other.py:load": r"no file other\.py; write python:FILE\.py:NAME or python:package",
    "own_model.py": r"names nothing in Python; write python:FILE\.py:NAME",
    "own_model.py:": r"names nothing in Python",
    "no.such.module:load": r"ModuleNotFoundError: No module named 'no'",
    "sys:path": r"sys is no module with a file",
    "exits.py:load": r"SystemExit: 3 \(.*exits\.py, line 2\)$",
    "typo.py:load": r"SyntaxError: .*\(.*typo\.py, line 2\)$",
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_one_line_with_its_place(name, own, monkeypatch):
    monkeypatch.chdir(own.parent)
    Path("exits.py").write_text("import sys\nsys.exit(3)\n", encoding="utf-8")
    Path("typo.py").write_text("x = 1\ndef load(:\n", encoding="utf-8")
    with pytest.raises(ModelError, match=WRONG[name]) as raised:
        load_model(f"python:{name}")
    assert "\n" not in str(raised.value)


def test_an_error_at_a_clip_is_a_fault_of_the_clip_with_its_line(own):
    model = load_model(f"python:{own}:Own")
    said = r"the model raises ValueError: more than a second \(.*own_model\.py, line 13\)$"
    with pytest.raises(AudioError, match=said):
        answer(model, voice(seconds=1.5))
    own.write_text(
        OWN.replace('raise ValueError("more than\\na second")', "exit(0)"), encoding="utf-8"
    )
    with pytest.raises(AudioError, match=r"raises SystemExit: 0 \(.*own_model\.py, line 13\)$"):
        answer(load_model(f"python:{own}:Own"), voice(seconds=1.5))


def test_the_command_line_says_what_the_object_does_not(own):
    own.write_text("def scores(samples): return samples[:, :3] * 0 + [1, 2, 3]\n", encoding="utf-8")
    with pytest.raises(ModelError, match=r"scores does not say what its outputs are; .*--labels"):
        load_model(f"python:{own}:scores")
    stated = Overrides(labels=("a", "b", "c"), sample_rate=8_000)
    model = load_model(f"python:{own}:scores", stated)
    assert (model.sample_rate, list(model.labels)) == (8_000, ["a", "b", "c"])
    assert model.contract.sources["labels"] == "command line"
    called = model_of_object(lambda samples: samples[:, :3], stated)
    assert called.contract.sources["labels"] == "stated"
    with pytest.raises(ConfigError, match=r"--output-name .* and scores has one; leave it out"):
        load_model(f"python:{own}:scores", replace(stated, output_name="logits"))


def test_no_other_command_looks_into_an_object(own, serval):
    name = f"python:{own}:Own"
    with pytest.raises(ModelError, match="is an object of Python, and what this looks at is a fi"):
        model_path(name)
    for step in (("inspect", name), ("quantize", name, "-o", "x.onnx", "--method", "dynamic")):
        done = serval(*step)
        assert done.returncode == 2
        assert len(done.stderr.splitlines()) == 1
    with pytest.raises(ConfigError, match=r"--runtime python runs python:FILE.py:NAME alone"):
        load_model("serval-tiny", runtime="python")
    refuse_no_model(name)
    with pytest.raises(ModelError, match="no file"):
        refuse_no_model("python:gone.py:load")


def test_a_name_is_the_same_in_every_folder(own, monkeypatch):
    monkeypatch.chdir(own.parent)
    assert absolute("python:own_model.py:Own") == f"python:{own}:Own"
    assert absolute("python:own_model:Own") == "python:own_model:Own"


@pytest.mark.parametrize("several", [False, True])
def test_one_call_at_a_time_unless_the_object_takes_several(several, own):
    source = f"""
import threading, numpy as np
class Counting:
    labels, sample_rate, thread_safe = ["a", "b"], 16_000, {several}
    def __init__(self):
        self.inside, self.most, self.met = 0, 0, threading.Barrier(2)
    def __call__(self, waveform):
        self.inside += 1
        self.most = max(self.most, self.inside)
        if waveform.shape[1] == 99 and self.thread_safe:
            self.met.wait(20)
        self.inside -= 1
        return np.array([waveform.std(), 1.5])
counting = Counting()
"""
    own.write_text(source, encoding="utf-8")
    model = load_model(f"python:{own}:counting")
    calls = [
        threading.Thread(target=answer, args=(model, np.ones(99, np.float32))) for _ in range(2)
    ]
    for call in calls:
        call.start()
    for call in calls:
        call.join()
    assert model.backend.answer.most == (2 if several else 1)
