"""Fixtures that more than one folder of tests needs."""

import os

# As many tests run at once as there are cores: one thread for each, before numpy is imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Ray's workers would give way to every other test.
os.environ.setdefault("RAY_worker_niceness", "0")
# The workers of xdist have a width of their own; what a pipe is given must not depend on it.
os.environ.pop("COLUMNS", None)

import gc
import importlib
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import settings

from build import classifier, labels_metadata, speech_set
from commandline import called
from serval.groups.gaps import PERMUTATIONS
from serval.plots.canvas import DPI

ROOT = Path(__file__).resolve().parents[1]

settings.register_profile("serval", deadline=None)
settings.load_profile("serval")


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """Let the garbage collector pass by what is imported, a million objects with torch."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()


def pytest_collection_finish():
    gc.collect()
    gc.freeze()


@pytest.fixture
def model_file(tmp_path):
    return classifier(tmp_path / "emo.onnx", metadata=labels_metadata())


@pytest.fixture
def manifest(tmp_path):
    return speech_set(tmp_path / "clips")


@pytest.fixture(scope="session", autouse=True)
def coarse_pictures():
    """Draw at 50 dpi, since most tests look at no picture; `fine_pictures` are for the others."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("serval.plots.canvas.DPI", 50)
        yield


@pytest.fixture(scope="session", autouse=True)
def few_permutations():
    """Judge gaps between groups by 199 permutations; `all_permutations` are for tests of gaps."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("serval.groups.gaps.PERMUTATIONS", 199)
        yield


@pytest.fixture
def all_permutations(monkeypatch):
    """Judge gaps as users have it."""
    monkeypatch.setattr("serval.groups.gaps.PERMUTATIONS", PERMUTATIONS)


@pytest.fixture
def fine_pictures(monkeypatch):
    """Draw as users have it."""
    monkeypatch.setattr("serval.plots.canvas.DPI", DPI)


@pytest.fixture
def empty_pictures(monkeypatch):
    """Save pictures with nothing in them, where others of the same room are drawn and looked at."""
    from matplotlib.figure import Figure

    monkeypatch.setattr(Figure, "draw", lambda _figure, _renderer: None)


@pytest.fixture
def brief_bench(monkeypatch):
    """Time one duration and one setup, where a test looks at no figure of a benchmark."""
    room = importlib.import_module("serval.bench.bench")
    few = replace(room.QUICK.latency, most=room.QUICK.latency.fewest)
    brief = replace(
        room.QUICK, durations=(1.0,), clips=2, repetitions=1, latency=few, throughput=few
    )
    for pace in ("QUICK", "FULL"):
        monkeypatch.setattr(room, pace, brief)
    monkeypatch.setattr(room, "available_cores", lambda: 1)


@pytest.fixture
def serval(tmp_path):
    """Call the command line in this process, in an empty folder.

    What is about the process itself (start-up, signals, its memory, variables that libraries read
    once, such as HF_HOME) takes `serval_process`.
    """

    def run(*args, cwd=tmp_path, **env):
        return called(args, cwd, {key: str(value) for key, value in env.items()})

    return run


@pytest.fixture
def serval_process(tmp_path):
    """Run the command line in a process of its own, in an empty folder."""

    def run(*args, timeout=120, cwd=tmp_path, **env):
        return subprocess.run(
            [sys.executable, "-m", "serval", *map(str, args)],
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=timeout,
            cwd=cwd,
            env=process_environment(**env),
            check=False,
        )

    return run


def process_environment(**extra):
    paths = [str(ROOT / "src"), os.environ.get("PYTHONPATH", "")]
    known = {"PYTHONPATH": os.pathsep.join(p for p in paths if p), "PYTHONUTF8": "1"}
    return os.environ | known | {key: str(value) for key, value in extra.items()}


@pytest.fixture(scope="session")
def shared():
    """Real speech and a real model beside the project, where they are."""
    folder = ROOT.parent / "shared"
    if not (folder / "corpora" / "ssi-like").is_dir():
        pytest.skip("the real corpus is not on this machine")
    return folder


def pytest_collection_modifyitems(items):
    """Test signals first: Ray and others, once loaded by a test, hear them in ways of their own."""
    items.sort(key=lambda item: "test_stopping.py" not in item.nodeid)
