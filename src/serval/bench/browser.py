"""What a page of `serval web` measured in a browser, and `serval bench` elsewhere, read back."""

from __future__ import annotations

import base64
import math
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from serval.bench.rounds import Ratio, Timing
from serval.errors import ConfigError
from serval.texts import json_in, json_of
from serval.wording import one_line, printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from serval.bench.speed import Latency


SCHEMA_VERSION = 1
MOST_ROWS = 10_000
FAULTS = (ValueError, LookupError, TypeError, AttributeError, OverflowError)
SHOWN = 160
"""Characters of what a browser says of itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredLatency:
    """Times of one model on clips of one duration.

    Attributes:
        model: Its name there.
        facts: Of the model, as far as the file has them; of a further runtime its sha256 is `""`.
        threads: Threads inside one operator.
        provider: `webgpu` where a page computed on the GPU, else `cpu`.
        seconds: Duration of the clip.
        timing: Of single calls, one at a time.
    """

    model: str
    facts: Mapping[str, Any]
    threads: int
    provider: str
    seconds: float
    timing: Timing

    @property
    def computed_by(self) -> str:
        """Threads in words: their number, or the GPU."""
        return "WebGPU" if self.provider == "webgpu" else str(self.threads)

    @property
    def rtf(self) -> float:
        """Median processing time over audio time."""
        return self.timing.median_s / self.seconds

    def here(
        self, measured: Sequence[Latency], facts: Mapping[str, Mapping[str, Any]]
    ) -> float | None:
        """Return this machine's median in seconds for the same file, clip and threads, or `None`.

        `measured` are the latencies of this machine, `facts` those of its models by name.
        """
        if self.provider == "webgpu":
            return None
        same = {name for name, told in facts.items() if told.get("sha256") == self.facts["sha256"]}
        for item in measured:
            wanted = (self.threads, self.seconds)
            if item.of.model in same and (item.of.threads, item.of.seconds) == wanted:
                return item.timing.median_s
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Timed:
    """What one device measured.

    Attributes:
        where: The device, its browser where it was one, and its runtime, in words.
        latency: For each model, number of threads and duration.
        source: Of a page, the file, or that it was a code.
        ratios: Of a page, what each is compared by -> the comparison.
        memory_mb: Of a page in MB (10^6 bytes), or `None` where the browser does not tell.
        document: All that a page saved.
    """

    where: str
    latency: tuple[StoredLatency, ...]
    source: str = ""
    ratios: Mapping[str, tuple[Ratio, ...]] = field(default_factory=dict)
    memory_mb: float | None = None
    document: Mapping[str, Any] = field(default_factory=dict)


def browser_bench(given: str) -> Timed:
    """Return what a page measured.

    Args:
        given: The file that the page saved, or the text of its QR code.

    Raises:
        ConfigError: It is no such file or code.
    """
    source = "the code" if is_code(given) else given
    try:
        return _read(source, _document(given))
    except FAULTS as error:
        raise ConfigError(
            f"--import {source} is no measurement of a page of serval web ({_why(error)}); save "
            "one there with Download JSON, or copy the whole text of its QR code"
        ) from error


def timed_in(given: str) -> tuple[Timed, ...]:
    """Return what each device measured, of a file or a code.

    Args:
        given: `bench.json` of `serval bench`, which has this machine and what it imported; the file
            that a page saved; or the text of its QR code.

    Raises:
        ConfigError: It is none of them.
    """
    try:
        told = _document(given)
        if told.get("kind") == "browser":
            return (_read("", told),)
        return (_of_machine(told), *(_read("", one) for one in told.get("imported", ())))
    except FAULTS as error:
        raise ConfigError(
            f"{'the code' if is_code(given) else given} is no measurement of serval bench or of a "
            f"page of serval web ({_why(error)}); name bench.json, or what the page saved"
        ) from error


def _document(given: str) -> Any:  # noqa: ANN401 - whatever a file holds
    return document_in(given) if is_code(given) else json_in(Path(given))


def _of_machine(told: Mapping[str, Any]) -> Timed:
    facts, rows = told["disclosure"], told["latency"]
    if not 0 < len(rows) <= MOST_ROWS:
        raise ValueError(f"it has {len(rows)} latencies")
    where = f"{facts['processor']}, {facts['cores']} cores; onnxruntime "
    unknown = {row["model"]: {"sha256": ""} for row in rows}
    return Timed(
        where=printable(f"{where}{facts['packages']['onnxruntime']}"[: 2 * SHOWN]),
        latency=tuple(_latency(row, unknown | told["models"]) for row in rows),
    )


def _why(error: Exception) -> str:
    return f"it has no {error}" if isinstance(error, KeyError) else one_line(error)


def _read(source: str, told: Mapping[str, Any]) -> Timed:
    if not isinstance(told, Mapping) or told.get("kind") != "browser":
        raise ValueError("its kind is not 'browser'")
    if told.get("schema_version") != SCHEMA_VERSION:
        raise ValueError("another version of serval made it")
    if not 0 < len(told["latency"]) <= MOST_ROWS:
        raise ValueError(f"it has {len(told['latency'])} latencies")
    memory = told.get("memory_mb")
    return Timed(
        source=source,
        where=_where(told),
        latency=tuple(_latency(row, told["models"]) for row in told["latency"]),
        ratios={
            printable(str(what)[:SHOWN]): tuple(map(_ratio, ratios))
            for what, ratios in told["ratios"].items()
        },
        memory_mb=None if memory is None else _positive(memory),
        document=told,
    )


def _latency(row: Mapping[str, Any], models: Mapping[str, Any]) -> StoredLatency:
    p99 = row.get("p99_s")
    return StoredLatency(
        model=printable(str(row["model"])[:SHOWN]),
        facts={**models[row["model"]], "sha256": str(models[row["model"]]["sha256"])},
        threads=int(_positive(row["threads"])),
        provider="webgpu" if row.get("provider") == "webgpu" else "cpu",
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


CODE = re.compile(r"(?:.*#)?\s*serval-bench-1\.(?!json\s*$)([\w-]+)\s*", re.ASCII | re.DOTALL)
"""The whole text, or what stands behind the `#` of an address; `serval-bench-1.json` is a file."""

MOST_BYTES = 1 << 20
DEFLATE = -15
"""Bare, without a head, as browsers call `deflate-raw`."""

TIMES = ("min_s", "p50_s", "p90_s", "p95_s")
RATIO = ("of", "to", "median", "low", "high", "n")


def is_code(text: str) -> bool:
    """Tell whether a text holds a code."""
    return CODE.fullmatch(text) is not None


def document_in(text: str) -> dict[str, Any]:
    """Return the document that a code is short for; `loading` and `disclosure` are not in it.

    Times have four digits and ratios three, which is more than a measurement holds.

    Raises:
        ValueError: It is damaged, or cut off.
        LookupError, TypeError, AttributeError: It holds something else.
    """
    found = CODE.fullmatch(text)
    if found is None:
        raise ValueError("it holds no code")
    told = json_of(_inflated(found[1]))
    return {
        "schema_version": 1,
        "kind": "browser",
        "compact": True,
        **{key: told[key] for key in ("made", "serval", "runtime", "memory_mb")},
        "browser": {**told["browser"], "brands": [told["browser"]["brand"]], "user_agent": ""},
        "models": {
            name: {"name": name, "sha256": sha256, "size_bytes": size}
            for name, sha256, size in told["models"]
        },
        "latency": list(_rows(told)),
        "ratios": {
            what: [dict(zip(RATIO, ratio, strict=True)) for ratio in ratios]
            for what, ratios in told["ratios"].items()
        },
    }


def _inflated(code: str) -> str:
    packed = base64.urlsafe_b64decode(code + "=" * (-len(code) % 4))
    whole = zlib.decompressobj(DEFLATE)
    try:
        content = whole.decompress(packed, MOST_BYTES)
    except zlib.error as error:
        raise ValueError("it is damaged") from error
    if not whole.eof:
        raise ValueError("its end is missing")
    return content.decode("utf-8")


def _rows(told: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the latencies, which the code holds by column: times in microseconds, spread in 0.1 %.

    A model is its place among the models; 0 threads are WebGPU.
    """
    columns = ("model", "threads", "seconds", "n", "spread", *TIMES)
    for values in zip(*(told["latency"][key] for key in columns), strict=True):
        row = dict(zip(columns, values, strict=True))
        times = {key: row[key] / 1e6 for key in TIMES}
        model = told["models"][row["model"]][0]
        yield (
            row
            | times
            | {
                "model": model,
                "threads": row["threads"] or 1,
                "provider": "wasm" if row["threads"] else "webgpu",
                "spread": row["spread"] / 1000,
                "median_s": times["p50_s"],
                "rtf": times["p50_s"] / row["seconds"],
            }
        )
