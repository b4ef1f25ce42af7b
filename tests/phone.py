"""What a page of `serval web` measures, as it saves it."""

TIMES = {"min_s": 0.09, "median_s": 0.1, "p50_s": 0.1, "p90_s": 0.12, "p95_s": 0.13, "p99_s": None}
DOCUMENT = {
    "schema_version": 1,
    "kind": "browser",
    "runtime": {"onnxruntime_web": "1.24.3", "provider": "wasm", "simd": True,
                "is_isolated": False, "threads": [1]},
    "browser": {"user_agent": "Mozilla/5.0", "brands": ["Chromium 156", "Not)A;Brand 8"],
                "device": "Pixel 9", "platform": "Android", "logical_processors": 8},
    "models": {"fp32": {"sha256": "aa"}, "int8": {"sha256": "bb"}},
    "latency": [
        {"model": model, "threads": 1, "seconds": 2, "n": 9, "spread": 0.1, **TIMES}
        for model in ("fp32", "int8")
    ],
    "memory_mb": None,
    "ratios": {"latency, threads 1": [
        {"of": "int8", "to": "fp32", "median": 1.8, "low": 1.7, "high": 1.9, "n": 9}
    ]},
}  # fmt: skip
