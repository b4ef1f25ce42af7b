"""How long short commands take, as whole processes in turn; of two checkouts, which is faster.

python benchmarks/startup.py [--model MODEL] [--dataset DATASET] [--rounds N] [--against CHECKOUT]

With `--against`, each command runs with the `src` of that folder too, such as a worktree of an
earlier commit, in the same rounds.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

from serval.bench import Effort
from serval.bench.bench import load_average
from serval.bench.rounds import interleaved, ratio_of, timing_of

ROOT = Path(__file__).resolve().parents[1]
CLIP = ROOT / "src" / "serval" / "builtin" / "demo" / "angry_f1.flac"
RUNS = ("example:fp32", "example:int8")
COMMANDS = {
    "serval --help": ["--help"],
    "serval predict of one clip": ["predict", str(CLIP)],
    "serval compare of two stored runs": ["compare", *RUNS],
    "serval gate of two stored runs": [
        "gate",
        RUNS[1],
        "--baseline",
        RUNS[0],
        "--max-drop",
        "uar=2",
    ],
    "serval report of two stored runs": ["report", RUNS[1], "--baseline", RUNS[0]],
}


def started(words: list[str], tree: Path, folder: str) -> subprocess.Popen[bytes]:
    """Start `serval` of a checkout, in a folder."""
    return subprocess.Popen(
        [sys.executable, "-m", "serval", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(tree / "src")},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def to_the_end(words: list[str], tree: Path) -> None:
    """Run a command; a gate may say that a bound is not kept."""
    with tempfile.TemporaryDirectory() as folder:
        if (code := started(words, tree, folder).wait()) > 1:
            raise SystemExit(f"serval {' '.join(words)} of {tree} ended with {code}")


def to_first_record(words: list[str], tree: Path) -> None:
    """Run `serval evaluate` until its journal holds a prediction, then stop it."""
    with tempfile.TemporaryDirectory() as folder:
        process = started(["evaluate", *words, "-o", folder, "--quiet"], tree, folder)
        journal = Path(folder) / "journal.jsonl"
        while not (journal.exists() and '"kind": "prediction"' in journal.read_text("utf-8")):
            if process.poll() is not None:
                raise SystemExit("the evaluation ended before its first record")
            time.sleep(0.005)
        process.kill()
        process.wait()


def main() -> None:
    """Print the minimum, median and spread of each, and how the other checkout compares."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="serval-tiny")
    parser.add_argument("--dataset", default="demo")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--against", type=Path, metavar="CHECKOUT")
    given = parser.parse_args()
    evaluated = ["-m", given.model, "-d", given.dataset]
    works = {name: partial(to_the_end, words) for name, words in COMMANDS.items()}
    works["serval evaluate to the first prediction"] = partial(to_first_record, evaluated)
    loads, effort = [load_average()], Effort(warm_up=1, fewest=given.rounds, most=given.rounds)
    for name, work in works.items():
        trees = {"this": ROOT} | ({"other": given.against.resolve()} if given.against else {})
        times = interleaved({which: partial(work, tree) for which, tree in trees.items()}, effort)
        timing = timing_of(times["this"])
        print(f"{timing.min_s:6.3f} s at best, median {timing.median_s:.3f} s, "
              f"spread {timing.spread:.0%}, {timing.n} rounds: {name}")  # fmt: skip
        if given.against:
            ratio = ratio_of("this", "other", times)
            told = "" if ratio.told_apart else ", not told apart"
            print(f"        {ratio.median:.2f}x ({ratio.low:.2f} to {ratio.high:.2f}) as fast as "
                  f"{given.against}{told}")  # fmt: skip
    print(f"load average {[*loads, load_average()]}")


if __name__ == "__main__":
    main()
