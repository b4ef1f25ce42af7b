import numpy as np

from serval.machine import available_cores, peak_memory_mb, platform_facts


def test_peak_memory_grows_with_what_is_held():
    before = peak_memory_mb()
    held = np.ones(25_000_000)
    assert peak_memory_mb() >= max(before, held.nbytes / 1e6)


def test_the_platform_is_described():
    facts = platform_facts()
    assert facts["cores"] == available_cores() >= 1
    assert facts["packages"]["onnxruntime"][0].isdigit()
    assert facts["processor"]
