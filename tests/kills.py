"""Kill and stop commands at random moments: the results must be those of an undisturbed run.

    make kills KILLS=100 SEED=0

Each command runs on small sets made here. It is hit by SIGKILL, SIGTERM or SIGINT at a random
moment, up to three times in one folder, then left to end. After each hit every file that can be
seen must be whole, and who was told to stop must say so and end with 130. At the end the results
must equal those of a run that nobody disturbed, and nothing else may lie in the folder. Export is
among the commands where torch is there; `--verbs evaluate-ray` kills runs on Ray.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pyarrow.parquet as pq
from PIL import Image

from build import classifier, labels_metadata, speech_set
from conftest import process_environment
from serval.run import load_run

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
HITS_IN_ONE_FOLDER = 3
TIMED = frozenset(
    (
        *("evaluation_time_seconds", "samples_per_second", "timestamp", "speed", "seconds"),
        *("output", "folder", "rtfx", "peak_memory_mb", "platform", "started", "dir"),
    )
)
"""Keys of documents that a clock or a place decides."""

KEPT = (".journal.lock",)
"""Hidden files that an undisturbed run leaves too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verb:
    """A command whose `{out}` is a folder, or a file in one."""

    arguments: tuple[str, ...]
    out: str = "out"


@dataclass(slots=True)
class Count:
    """What was seen."""

    hits: Counter[str] = field(default_factory=Counter)
    ended: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)


def main() -> int:
    options = _options()
    rng, count = random.Random(options.seed), Count()
    with tempfile.TemporaryDirectory(prefix="kills-") as name:
        verbs = _verbs(Path(name), options.verbs)
        whole = {verb: _undisturbed(Path(name), verb, verbs[verb]) for verb in verbs}
        while sum(count.hits.values()) < options.kills:
            verb = rng.choice(list(verbs))
            place = Path(name) / f"{verb}-{sum(count.hits.values())}"
            _round(place, verb, verbs[verb], whole[verb], rng, count)
            print(f"{sum(count.hits.values())} hits, faults: {count.faults}", flush=True)
            shutil.rmtree(place)
    print(f"seed {options.seed}; hits: {dict(count.hits)}; ended with: {dict(count.ended)}")
    print("\n".join(count.faults) or "no fault: same results, nothing half-written, nothing left")
    return 1 if count.faults else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    export = ["export"] if find_spec("torch") and find_spec("transformers") else []
    usual = ["evaluate", "quantize", "stress", "sweep", *export]
    parser.add_argument("--verbs", nargs="+", default=usual)
    return parser.parse_args()


def _verbs(folder: Path, chosen: list[str]) -> dict[str, Verb]:
    """Return the commands on a small set and models of a few MB, made in `folder`."""
    clips = str(speech_set(folder / "clips", 48, seconds=2))
    few = str(speech_set(folder / "few", 12, seconds=1))
    model = str(classifier(folder / "model.onnx", metadata=labels_metadata(), bands=800))
    plan = folder / "plan.json"
    cells = {"models": [model, "serval-tiny"], "datasets": [few], "output": "{out}"}
    plan.write_text(json.dumps(cells), encoding="utf-8")
    on_clips = ("evaluate", "-m", model, "-d", clips, "-o", "{out}")
    verbs = {
        "evaluate": Verb(arguments=on_clips),
        "evaluate-ray": Verb(arguments=(*on_clips, "--engine", "ray", "--workers", "2")),
        "quantize": Verb(
            arguments=("quantize", model, "-o", "{out}", "--calibration", few, "--eval", few),
            out="out/small.onnx",
        ),
        "stress": Verb(arguments=("stress", "-d", few, "--suite", "level", "-o", "{out}")),
        "sweep": Verb(arguments=("sweep", "{plan}")),
    }
    if "export" in chosen:
        verbs["export"] = _export(folder, few)
    return {name: verbs[name] for name in chosen}


def _export(folder: Path, clips: str) -> Verb:
    from checkpoints import checkpoint

    (folder / "checkpoint").mkdir()
    stored = checkpoint(folder / "checkpoint")
    arguments = ("export", str(stored or folder / "checkpoint"), "-o", "{out}", "--dataset", clips)
    return Verb(arguments=arguments, out="out/model.onnx")


def _undisturbed(folder: Path, name: str, verb: Verb) -> tuple[dict[str, Any], float]:
    """Return the results of a run that nobody disturbed, and how long it took."""
    place = folder / f"{name}-whole"
    start = time.perf_counter()
    process = _started(place, verb)
    said = process.communicate()[1]
    if process.returncode:
        raise SystemExit(f"{name} fails by itself: {said}")
    return _results(place), time.perf_counter() - start


def _round(
    place: Path,
    name: str,
    verb: Verb,
    whole: tuple[dict[str, Any], float],
    rng: random.Random,
    count: Count,
) -> None:
    """Hit a command up to three times in one folder, let it end, and look at what it made."""
    expected, seconds = whole
    for _ in range(rng.randint(1, HITS_IN_ONE_FOLDER)):
        sent, after = rng.choice(SIGNALS), rng.uniform(0, 1.05 * seconds)
        said = _hit(_started(place, verb), sent, after)
        count.hits[f"{name} {sent.name}"] += said is not None
        if said is not None:
            count.ended[f"{sent.name} {said[0]}"] += 1
            count.faults += [
                f"{name}, {sent.name} after {after:.2f} s: {fault}"
                for fault in (*_spoken_faults(sent, *said), *_broken_files(place))
            ]
    process = _started(place, verb)
    told = process.communicate()[1]
    if process.returncode:
        count.faults.append(f"{name} does not go on: exit {process.returncode}: {told[-400:]}")
        return
    found = _results(place)
    if found != expected:
        differ = [key for key in expected.keys() | found.keys()
                  if expected.get(key) != found.get(key)]  # fmt: skip
        count.faults.append(f"{name}: other results than undisturbed: {', '.join(sorted(differ))}")


def _started(place: Path, verb: Verb) -> subprocess.Popen[str]:
    place.mkdir(exist_ok=True)
    plan = place.parent / "plan.json"
    if plan.is_file():
        text = plan.read_text(encoding="utf-8").replace("{out}", str(place / "out"))
        (place / "plan.yaml").write_text(text, encoding="utf-8")
    given = [
        part.replace("{out}", verb.out).replace("{plan}", "plan.yaml") for part in verb.arguments
    ]
    return subprocess.Popen(
        [sys.executable, "-m", "serval", *given],
        cwd=place,
        env=process_environment(HF_HUB_OFFLINE=1),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    )


def _hit(
    process: subprocess.Popen[str], sent: signal.Signals, after: float
) -> tuple[int, str] | None:
    """Return exit code and stderr of a process that was hit, `None` if it had ended before."""
    begun = time.perf_counter()
    while not _hears(process.pid) and process.poll() is None:
        time.sleep(0.005)
    time.sleep(max(0.0, after - (time.perf_counter() - begun)))
    if process.poll() is not None:
        process.communicate()
        return None
    process.send_signal(sent)
    said = process.communicate(timeout=300)[1]
    return process.returncode, said


def _hears(pid: int) -> bool:
    """Return whether the process has begun to take SIGTERM itself; before, Python does."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except OSError:
        return False
    caught = next(line for line in status.splitlines() if line.startswith("SigCgt:"))
    return bool(int(caught.split()[1], 16) >> (signal.SIGTERM - 1) & 1)


def _spoken_faults(sent: signal.Signals, code: int, said: str) -> list[str]:
    if sent is signal.SIGKILL:
        return []
    faults = [f"a traceback: {said[-600:]}"] if "Traceback" in said else []
    # It may have been through with everything but for leaving.
    allowed = {130: "stopped", 0: ""}
    if code not in allowed or allowed[code] not in said:
        faults.append(f"exit {code} with: {said[-300:]}")
    return faults


def _broken_files(place: Path) -> list[str]:
    """Return which of the visible files are not whole."""
    broken = []
    for path in _visible(place):
        read = READERS.get(path.suffix)
        try:
            if read is not None:
                read(path)
        except Exception as error:  # noqa: BLE001 - whatever a reader says is a broken file
            broken.append(f"{path.relative_to(place)} is broken: {error}")
    return broken


def _visible(place: Path) -> list[Path]:
    parts = ((path, path.relative_to(place).parts) for path in sorted(place.rglob("*")))
    return [p for p, names in parts if p.is_file() and not any(n.startswith(".") for n in names)]


def _results(place: Path) -> dict[str, Any]:
    """Return what each file says, by its path, without what a clock decides; odd files by name."""
    found: dict[str, Any] = {}
    for path in sorted(place.rglob("*")):
        name = path.relative_to(place).as_posix()
        if path.is_dir() or path.name in KEPT:
            continue
        read = READERS.get(path.suffix)
        found[name] = read(path) if read and not path.name.startswith(".") else "there"
    return found | {f"{p.relative_to(place)}/": "" for p in place.rglob(".*") if p.is_dir()}


def _untimed(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _untimed(part) for key, part in value.items() if key not in TIMED}
    return [_untimed(part) for part in value] if isinstance(value, list) else value


def _journal(path: Path) -> Any:
    run = load_run(path.parent)
    failures = [failure.index for failure in run.failures]
    return [run.complete or "not finished", run.clip_ids, run.logits.tobytes(), failures]


def _table(path: Path) -> Any:
    rows = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
    return [{k: v for k, v in row.items() if k not in {"inference_s", *TIMED}} for row in rows]


def _picture(path: Path) -> Any:
    with Image.open(path) as picture:
        picture.load()
        return np.asarray(picture.convert("RGB")).tobytes()


def _model(path: Path) -> Any:
    return onnx.load(path).SerializeToString(deterministic=True)


def _parquet(path: Path) -> Any:
    return pq.read_table(path).drop(["inference_s"]).to_pylist()


READERS = {
    ".json": lambda path: _untimed(json.loads(path.read_text(encoding="utf-8"))),
    ".jsonl": _journal,
    ".csv": _table,
    ".png": _picture,
    ".onnx": _model,
    ".parquet": _parquet,
}


if __name__ == "__main__":
    sys.exit(main())
