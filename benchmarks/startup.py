"""How long until something happens: `serval --help`, and `serval evaluate` to its first record.

python benchmarks/startup.py [--model MODEL] [--dataset DATASET] [--rounds N]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from serval.bench import Effort
from serval.bench.bench import load_average
from serval.bench.rounds import interleaved, timing_of


def to_help() -> None:
    """Run `serval --help`."""
    subprocess.run([sys.executable, "-m", "serval", "--help"], capture_output=True, check=True)


def to_first_record(model: str, dataset: str) -> None:
    """Run `serval evaluate` until its journal holds a prediction, then stop it."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["evaluate", "-m", model, "-d", dataset, "-o", folder, "--quiet"]
        process = subprocess.Popen([sys.executable, "-m", "serval", *command])
        journal = Path(folder) / "journal.jsonl"
        while not (journal.exists() and '"kind": "prediction"' in journal.read_text("utf-8")):
            if process.poll() is not None:
                raise SystemExit("the evaluation ended before its first record")
            time.sleep(0.005)
        process.kill()
        process.wait()


def main() -> None:
    """Print the minimum, median and spread of both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="serval-tiny")
    parser.add_argument("--dataset", default="demo")
    parser.add_argument("--rounds", type=int, default=9)
    given = parser.parse_args()
    works = {
        "serval --help": to_help,
        "serval evaluate to the first prediction": lambda: to_first_record(
            given.model, given.dataset
        ),
    }
    loads = [load_average()]
    effort = Effort(warm_up=1, fewest=given.rounds, most=given.rounds)
    for name, seconds in interleaved(works, effort).items():
        timing = timing_of(seconds)
        print(f"{timing.min_s:6.3f} s at best, median {timing.median_s:.3f} s, "
              f"spread {timing.spread:.0%}, {timing.n} rounds: {name}")  # fmt: skip
    print(f"load average {[*loads, load_average()]}")


if __name__ == "__main__":
    main()
