"""What a reader must know before comparing a speed with one from elsewhere."""

from __future__ import annotations

import os
from importlib import metadata
from typing import TYPE_CHECKING, Any

from serval.bench.subjects import runtime_packages
from serval.machine import instruction_sets, platform_facts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["disclosure", "load_average"]

SCOPES = {
    "latency": "model only: normalisation and the model, one clip at a time, no padding",
    "throughput": "end to end: read from memory, decode, resample, model, softmax, record",
    "loading": "a fresh process: open, verify the contract, answer once",
}


def disclosure(warm_up_rounds: Mapping[str, int], runtimes: Sequence[str]) -> dict[str, Any]:
    """Return processor, instruction sets, cores, versions, provider, batch, warm-up and scopes.

    Args:
        warm_up_rounds: What was measured -> rounds before it whose times were thrown away.
        runtimes: As they were named.
    """
    facts = platform_facts()
    packages = {name: metadata.version(name) for name in runtime_packages(runtimes)}
    return facts | {
        "packages": facts["packages"] | packages,
        "instruction_sets": list(instruction_sets()),
        "provider": "CPUExecutionProvider",
        "batch": 1,
        "warm_up_rounds": dict(warm_up_rounds),
        "order": "all models in every round, the order turning by one place a round",
        "scopes": SCOPES,
    }


def load_average() -> float | None:
    """Return how many processes wanted a core in the last minute, or `None` where unknown."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None
