"""What a page of `serval web` measures, as it saves it, and as its QR code holds it."""

import base64
import json
import zlib

TIMES = {"min_s": 0.09, "median_s": 0.1, "p50_s": 0.1, "p90_s": 0.12, "p95_s": 0.13, "p99_s": None}
DOCUMENT = {
    "schema_version": 1,
    "kind": "browser",
    "runtime": {"onnxruntime_web": "1.24.3", "provider": "wasm", "simd": True,
                "is_isolated": False, "threads": [1]},
    "browser": {"user_agent": "Mozilla/5.0", "brands": ["Chromium 156", "Not)A;Brand 8"],
                "device": "Pixel 9", "platform": "Android", "logical_processors": 8},
    "models": {
        "fp32": {"name": "fp32", "sha256": "aa", "size_bytes": 100},
        "int8": {"name": "int8", "sha256": "bb", "size_bytes": 30},
    },
    "latency": [
        {"model": model, "threads": 1, "seconds": 2, "n": 9, "spread": 0.1, **TIMES}
        for model in ("fp32", "int8")
    ],
    "memory_mb": None,
    "ratios": {"latency, threads 1": [
        {"of": "int8", "to": "fp32", "median": 1.8, "low": 1.7, "high": 1.9, "n": 9}
    ]},
}  # fmt: skip

SHORT = {
    "made": "2026-11-27T12:00:00.000Z",
    "serval": "1.0",
    "runtime": DOCUMENT["runtime"],
    "browser": {"brand": "Chromium 156", "device": "Pixel 9", "platform": "Android",
                "logical_processors": 8},
    "memory_mb": 301.5,
    "models": [["fp32", "aa", 100], ["int8", "bb", 30]],
    "latency": {"model": [0, 1], "threads": [1, 1], "seconds": [2, 2], "n": [9, 8],
                "spread": [100, 55], "min_s": [90000, 45000], "p50_s": [100000, 50120],
                "p90_s": [120000, 60000], "p95_s": [130000, 65000]},
    "ratios": {"latency, threads 1": [["int8", "fp32", 1.8, 1.7, 1.9, 9]]},
}  # fmt: skip
"""What is packed into a code: times in microseconds, the spread in 0.1 %."""


def code_of(short):
    """The text of a QR code, as a page makes it."""
    deflate = zlib.compressobj(wbits=-15)
    packed = deflate.compress(json.dumps(short).encode()) + deflate.flush()
    return "serval-bench-1." + base64.urlsafe_b64encode(packed).decode().rstrip("=")
