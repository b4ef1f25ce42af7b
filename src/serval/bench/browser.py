"""What a page of `serval web` measured in a browser, read back."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from serval.bench.rounds import Ratio, Timing
from serval.errors import ConfigError
from serval.texts import json_in
from serval.wording import one_line, printable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from serval.bench.speed import Latency

__all__ = ["BrowserBench", "BrowserLatency", "browser_bench"]

SCHEMA_VERSION = 1
MOST_ROWS = 10_000
SHOWN = 160
"""Characters of what a browser says of itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BrowserLatency:
    """Times of one model on clips of one duration, in a browser.

    Attributes:
        model: Its name on the page.
        sha256: Of the model file.
        threads: Threads inside one operator.
        seconds: Duration of the clip.
        timing: Of single calls, one at a time.
    """

    model: str
    sha256: str
    threads: int
    seconds: float
    timing: Timing

    @property
    def rtf(self) -> float:
        """Median processing time over audio time."""
        return self.timing.median_s / self.seconds

    def here(
        self, measured: Sequence[Latency], facts: Mapping[str, Mapping[str, Any]]
    ) -> float | None:
        """Return this machine's median in seconds for the same file, clip and threads, or `None`.

        Args:
            measured: Latencies of this machine.
            facts: Of its models, by name.
        """
        same = {name for name, told in facts.items() if told.get("sha256") == self.sha256}
        for item in measured:
            wanted = (self.threads, self.seconds)
            if item.of.model in same and (item.of.threads, item.of.seconds) == wanted:
                return item.timing.median_s
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class BrowserBench:
    """A benchmark of a page.

    Attributes:
        path: The file.
        where: Browser, device and runtime, in words.
        latency: For each model, number of threads and duration.
        ratios: What each is compared by -> the comparison.
        memory_mb: Of the page in MB (10^6 bytes), or `None` where the browser does not tell.
        document: All of it.
    """

    path: Path
    where: str
    latency: tuple[BrowserLatency, ...]
    ratios: Mapping[str, tuple[Ratio, ...]]
    memory_mb: float | None
    document: Mapping[str, Any]


def browser_bench(path: Path) -> BrowserBench:
    """Return what a page measured.

    Raises:
        ConfigError: It is no such file.
    """
    try:
        return _read(path, json_in(path))
    except (ValueError, LookupError, TypeError, AttributeError, OverflowError) as error:
        raise ConfigError(
            f"--import {path} is no measurement of a page of serval web ({_why(error)}); save one "
            "there with Download JSON"
        ) from error


def _why(error: Exception) -> str:
    return f"it has no {error}" if isinstance(error, KeyError) else one_line(error)


def _read(path: Path, told: Mapping[str, Any]) -> BrowserBench:
    if not isinstance(told, Mapping) or told.get("kind") != "browser":
        raise ValueError("its kind is not 'browser'")
    if told.get("schema_version") != SCHEMA_VERSION:
        raise ValueError("another version of serval made it")
    if not 0 < len(told["latency"]) <= MOST_ROWS:
        raise ValueError(f"it has {len(told['latency'])} latencies")
    memory = told.get("memory_mb")
    return BrowserBench(
        path=path,
        where=_where(told),
        latency=tuple(_latency(row, told["models"]) for row in told["latency"]),
        ratios={
            printable(str(what)[:SHOWN]): tuple(map(_ratio, ratios))
            for what, ratios in told["ratios"].items()
        },
        memory_mb=None if memory is None else _positive(memory),
        document=told,
    )


def _latency(row: Mapping[str, Any], models: Mapping[str, Any]) -> BrowserLatency:
    p99 = row.get("p99_s")
    return BrowserLatency(
        model=printable(str(row["model"])[:SHOWN]),
        sha256=str(models[row["model"]]["sha256"]),
        threads=int(_positive(row["threads"])),
        seconds=_positive(row["seconds"]),
        timing=Timing(
            n=int(_positive(row["n"])),
            spread=_number(row["spread"]),
            p99_s=None if p99 is None else _positive(p99),
            **{
                key: _positive(row[key])
                for key in ("min_s", "median_s", "p50_s", "p90_s", "p95_s")
            },
        ),
    )  # fmt: skip


def _ratio(told: Mapping[str, Any]) -> Ratio:
    """Return a ratio; one that is not told apart has no median."""
    median = told["median"]
    return Ratio(
        of=printable(str(told["of"])[:SHOWN]),
        to=printable(str(told["to"])[:SHOWN]),
        median=1.0 if median is None else _positive(median),
        low=_positive(told["low"]),
        high=_positive(told["high"]),
        n=int(_positive(told["n"])),
    )


def _where(told: Mapping[str, Any]) -> str:
    browser, runtime = told["browser"], told["runtime"]
    brand = next((b for b in reversed(browser["brands"]) if "Not" not in b), browser["user_agent"])
    device = " ".join(filter(None, (browser["device"], browser["platform"])))
    cores = browser["logical_processors"]
    isolated = "" if runtime["is_isolated"] else ", not isolated, so one thread"
    text = (
        f"{brand} on {device or 'an unknown device'}, {cores} logical processors; "
        f"ONNX Runtime Web {runtime['onnxruntime_web']}, {runtime['provider']} with SIMD{isolated}"
    )
    return printable(text[: 2 * SHOWN])


def _positive(value: object) -> float:
    number = _number(value)
    if number <= 0:
        raise ValueError(f"{number} is no time or number")
    return number


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{one_line(repr(value)[:40])} is no number")
    return float(value)
