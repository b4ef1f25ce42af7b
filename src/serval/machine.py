"""What a timing depends on: the processor, the versions, the memory of this process."""

from __future__ import annotations

import math
import os
import platform
import sys
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from serval import __version__

if TYPE_CHECKING:
    from collections.abc import Iterator

INSTRUCTION_SETS = (
    *("avx2", "f16c", "fma", "avx_vnni", "avx512f", "avx512_bf16", "avx512_vnni", "amx_int8"),
    *("neon", "asimd", "asimdhp", "asimddp", "i8mm", "bf16", "sve", "sve2"),
)
"""Those that decide how fast a matrix product is; the names are those of Linux."""

CGROUPS = Path("/sys/fs/cgroup")
OWN_CGROUPS = Path("/proc/self/cgroup")
"""Where Linux keeps the limits of containers, and says which of them hold for this process."""

PACKAGES = ("numpy", "onnxruntime", "soundfile", "soxr", "scipy", "pyarrow")


def available_cores() -> int:
    """Return how many physical cores this process may use, at least 1.

    A container's share of the processor counts too: with `docker run --cpus 2` it is 2 on any
    machine, for more workers would only stop each other.
    """
    allowed = len(psutil.Process().cpu_affinity()) if hasattr(psutil.Process, "cpu_affinity") else 0
    logical = allowed or os.cpu_count() or 1
    physical = psutil.cpu_count(logical=False) or logical
    return max(1, min(logical, physical, math.ceil(_quota_cores())))


def instruction_sets() -> tuple[str, ...]:
    """Return the processor's instruction sets for matrix products; none where that is unknown."""
    flags = set(_cpuinfo("flags").split()) | set(_cpuinfo("Features").split())
    return tuple(name for name in INSTRUCTION_SETS if name in flags)


def peak_memory_mb() -> float:
    """Return the highest resident memory of this process so far, in MB (10^6 bytes).

    On Linux `getrusage` would also count the process that started this one, so it is not asked.
    """
    if sys.platform == "win32":
        return round(float(psutil.Process().memory_info().peak_wset) / 1e6, 1)
    high_water = _status("VmHWM")
    if high_water:
        return round(float(high_water.split()[0]) * 1024 / 1e6, 1)
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak * (1 if sys.platform == "darwin" else 1024) / 1e6, 1)


def platform_facts() -> dict[str, Any]:
    """Return versions of packages and Python, the system and the processor."""
    return {
        "python": platform.python_version(),
        "system": platform.platform(),
        "processor": _processor(),
        "cores": available_cores(),
        "packages": {"serval": __version__} | {name: _version(name) for name in PACKAGES},
    }


def _quota_cores() -> int | float:
    """Return the cores that the tightest quota of this process is worth; without any, all."""
    quotas = (_quota(folder) for folder in _cgroup_folders())
    return min((quota for quota in quotas if quota), default=os.cpu_count() or 1)


def _cgroup_folders() -> Iterator[Path]:
    """Yield the folders whose processor limits hold here, of either version, parents included."""
    lines = OWN_CGROUPS.read_text(encoding="utf-8").splitlines() if OWN_CGROUPS.is_file() else []
    for line in lines:
        _, controllers, own = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        root = CGROUPS / controllers
        folder = root / own.lstrip("/")
        yield from (folder, *(parent for parent in folder.parents if parent.is_relative_to(root)))


def _quota(folder: Path) -> float | None:
    """Return the cores that a cgroup may use at once, or `None` where it sets no limit."""
    try:
        if (folder / "cpu.max").is_file():
            quota, period = (folder / "cpu.max").read_text(encoding="utf-8").split()
        else:
            quota = (folder / "cpu.cfs_quota_us").read_text(encoding="utf-8").strip()
            period = (folder / "cpu.cfs_period_us").read_text(encoding="utf-8")
        return None if quota in {"max", "-1"} else int(quota) / int(period)
    except (OSError, ValueError):
        return None


@cache
def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def _processor() -> str:
    return _cpuinfo("model name") or platform.processor() or platform.machine()


def _cpuinfo(field: str) -> str:
    return _proc(Path("/proc/cpuinfo"), field)


def _status(field: str) -> str:
    return _proc(Path("/proc/self/status"), field)


def _proc(file: Path, field: str) -> str:
    """Return the first value of a field in a file of Linux's /proc, or an empty text."""
    lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    values = (line.partition(":")[2].strip() for line in lines if line.startswith(field))
    return next(values, "")
