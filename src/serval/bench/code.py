"""The text of a page's QR code: what it measured in some hundred characters."""

from __future__ import annotations

import base64
import re
import zlib
from typing import TYPE_CHECKING, Any

from serval.texts import json_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["document_in", "is_code"]

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
