"""Many mutated inputs, all faults of which are kept: `make fuzz FUZZ=20000 SEED=0`.

Each fault is shown once for each kind of input, and its files are kept in `build/fuzz`.
"""

import argparse
import time
from collections import Counter
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from fuzz.inputs import KINDS, world
from fuzz.verdict import fault_of, write

KEPT = Path("build") / "fuzz"


def main():
    options = _options()
    world()
    kinds = options.kinds or list(KINDS)
    counts, faults, began = Counter(), {}, time.monotonic()

    @seed(options.seed)
    @settings(max_examples=options.cases, deadline=None, database=None, phases=[Phase.generate],
              suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(st.sampled_from(kinds).flatmap(KINDS.get))
    def search(case):
        counts[case.kind] += 1
        if fault := fault_of(case):
            _note(case, fault, faults)
        if sum(counts.values()) % 500 == 0:
            print(f"{sum(counts.values())} cases, {len(faults)} faults", flush=True)

    search()
    print(f"seed {options.seed}, {time.monotonic() - began:.0f} s, cases: {dict(counts)}")
    print(f"{len(faults)} faults" if faults else "no fault")
    return 1 if faults else 0


def _options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kinds", nargs="+", choices=KINDS)
    return parser.parse_args()


def _note(case, fault, faults):
    """Print a fault that was not seen before, and keep its case."""
    key = (case.kind, "".join(c for c in fault if not c.isdigit())[:60])
    if key not in faults:
        folder = KEPT / f"{len(faults):03d}-{case.kind.replace(' ', '-')}"
        write(case, folder)
        (folder / "COMMAND").write_text(" ".join(map(ascii, case.arguments)), encoding="utf-8")
        print(f"{folder}: {fault} [{' '.join(map(ascii, case.arguments))}]", flush=True)
    faults.setdefault(key, case)


if __name__ == "__main__":
    raise SystemExit(main())
