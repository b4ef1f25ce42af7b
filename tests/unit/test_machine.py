import os

import numpy as np
import psutil
import pytest

from serval import machine
from serval.machine import available_cores, peak_memory_mb, platform_facts


@pytest.fixture
def many_cores(monkeypatch, tmp_path):
    """A machine of 16 cores whose cgroup files are those of a folder."""
    monkeypatch.setattr(os, "cpu_count", lambda: 16)
    monkeypatch.setattr(psutil, "cpu_count", lambda logical: 16)
    monkeypatch.setattr(
        psutil.Process, "cpu_affinity", lambda _self: list(range(16)), raising=False
    )
    monkeypatch.setattr(machine, "CGROUPS", tmp_path)
    monkeypatch.setattr(machine, "OWN_CGROUPS", tmp_path / "own")
    return tmp_path


def limited(folder, own, files):
    (folder / "own").write_text(own, encoding="utf-8")
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")


@pytest.mark.parametrize(
    ("own", "files", "cores"),
    [
        ("0::/\n", {"cpu.max": "200000 100000\n"}, 2),
        ("0::/\n", {"cpu.max": "150000 100000\n"}, 2),
        ("0::/\n", {"cpu.max": "5000 100000\n"}, 1),
        ("0::/\n", {"cpu.max": "max 100000\n"}, 16),
        ("0::/\n", {"cpu.max": "nonsense\n"}, 16),
        ("0::/\n", {}, 16),
        ("0::/a/b\n", {"a/cpu.max": "300000 100000\n", "a/b/cpu.max": "max 100000\n"}, 3),
        (
            "4:memory:/x\n2:cpu,cpuacct:/docker/f00\n",
            {"cpu,cpuacct/cpu.cfs_quota_us": "400000\n", "cpu,cpuacct/cpu.cfs_period_us": "100000"},
            4,
        ),
        ("1:cpu:/\n", {"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, 16),
    ],
)
def test_the_quota_of_a_container_limits_the_cores(many_cores, own, files, cores):
    limited(many_cores, own, files)
    assert available_cores() == cores


def test_where_there_are_no_cgroups_all_cores_count(many_cores):
    assert available_cores() == 16


def test_an_affinity_limits_the_cores(many_cores, monkeypatch):
    monkeypatch.setattr(psutil.Process, "cpu_affinity", lambda _self: [0, 5, 7])
    assert available_cores() == 3


def test_peak_memory_grows_with_what_is_held():
    before = peak_memory_mb()
    held = np.ones(25_000_000)
    assert peak_memory_mb() >= max(before, held.nbytes / 1e6)


def test_the_platform_is_described():
    facts = platform_facts()
    assert facts["cores"] == available_cores() >= 1
    assert facts["packages"]["onnxruntime"][0].isdigit()
    assert facts["processor"]
