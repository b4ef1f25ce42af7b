"""One command in a child of this process, which costs milliseconds and may die as it likes."""

import importlib
import json
import os
import pkgutil
import resource
import signal
import tempfile
import time
import warnings
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

from huggingface_hub import constants

import serval
from commandline import Done, called

MOST_S = 30.0
MOST_BYTES = 2 * 2**30
"""What a command may allocate beyond what the tests hold themselves."""

POLL_S = 0.002

LEFT_OUT = ("serval.checkpoints.", "serval.export", "serval.models.torch", "serval.__main__")
"""Modules that import torch, or run."""


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What became of a command; without `done` it never came to its end."""

    done: Done | None
    death: str
    peak_mb: float


@cache
def imported():
    """Import here what commands import when they need it, but for torch and Ray."""
    for module in pkgutil.walk_packages(serval.__path__, "serval."):
        if not module.name.startswith(LEFT_OUT):
            importlib.import_module(module.name)
    for name in ("matplotlib.pyplot", "matplotlib.backends.backend_agg"):
        importlib.import_module(name)


def forked(arguments, folder):
    """The command line in a child whose memory and time are bounded, and which asks no hub."""
    imported()
    with tempfile.NamedTemporaryFile() as answer:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12: threads and fork
            child = os.fork()
        if not child:
            _run(arguments, folder, Path(answer.name))
        death = _death_of(child)
        text = Path(answer.name).read_text(encoding="utf-8")
    said = json.loads(text) if text else None
    if said is None:
        return Seen(done=None, death=death or "no answer", peak_mb=0)
    peak_mb = said.pop("peak_mb")
    return Seen(done=Done(**said), death=death, peak_mb=peak_mb)


def _run(arguments, folder, answer):
    """The child: it never returns."""
    try:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        constants.HF_HUB_OFFLINE = True
        held = _status("VmData")
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        resource.setrlimit(resource.RLIMIT_DATA, (held + MOST_BYTES, hard))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        before = _status("VmRSS")
        done = called(arguments, folder, {})
        peak_mb = max(0, _status("VmHWM") - before) / 1e6
        answer.write_text(json.dumps(asdict(done) | {"peak_mb": peak_mb}), encoding="utf-8")
    finally:
        os._exit(0)


def _status(key):
    """A figure of /proc/self/status, in bytes."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{key}:"))


def _death_of(child):
    """Wait for the child; what it died of, or nothing."""
    end = time.monotonic() + MOST_S
    while time.monotonic() < end:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            killed = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
            return signal.Signals(killed).name if killed else ""
        time.sleep(POLL_S)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return f"not done after {MOST_S:g} s"
