"""What a benchmark found, in sentences for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from serval.wording import percent

if TYPE_CHECKING:
    from serval.bench.bench import Bench
    from serval.bench.speed import Latency

__all__ = ["bench_verdict"]

USUAL_S = 5.0
"""About as long as an utterance of the usual corpora."""


def bench_verdict(measured: Bench) -> list[str]:
    """Return what a reader takes away: how fast the first model is, then how the others stand."""
    name = measured.latency[0].of.model
    one = _usual([item for item in measured.latency if item.of.model == name])
    own = [item for item in measured.throughput if item.of.model == name]
    best = max(own, key=lambda item: item.clips_per_s)
    setup = f"{best.of.workers} x {best.of.threads}"
    first = (
        f"{name} answers a clip of {one.of.seconds:g} s in {1000 * one.timing.median_s:.1f} ms "
        f"(median; nine in ten within {1000 * one.timing.p90_s:.1f} ms) with 1 thread, and gets "
        f"through {best.clips_per_s:.1f} clips/s (spread {percent(best.timing.spread, 0)}), "
        f"{best.rtfx:.0f} times real time, with {setup} workers x threads."
    )
    ratios = measured.ratios.get("latency, threads 1", [])
    return [first, *(f"Latency: {ratio.sentence()}." for ratio in ratios)]


def _usual(latency: list[Latency]) -> Latency:
    """Return the latency of the usual duration with the fewest threads."""
    fewest = min(item.of.threads for item in latency)
    alone = [item for item in latency if item.of.threads == fewest]
    return min(alone, key=lambda item: abs(item.of.seconds - USUAL_S))
