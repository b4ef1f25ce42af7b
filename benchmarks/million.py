"""A million clips, really run: local and on Ray, both killed on the way, scored, compared.

Short excerpts of real clips, repeated under distinct ids, as parquet shards, and a small model.
Each command is a process of its own, whose memory is looked at while it works; a Ray cluster of two
nodes is started on 127.0.0.1. At the end all result files of both engines are compared.

    python benchmarks/million.py FOLDER [--corpus demo] [--clips 1000000] [--kill-at 600000]
    python benchmarks/million.py FOLDER --steps score report     # of the runs that are there

FOLDER holds the set (2.3 GB for a million clips), the runs and `million.json`, which keeps what
each step took; a run that is there already is gone on with. Predicting ends with the journal: what
is made of it is the step `score`, by itself.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import soundfile
from onnx import helper, numpy_helper

from serval.audio import decode, encoded_bytes
from serval.bench.bench import disclosure, load_average
from serval.evaluation import open_dataset
from serval.labels import EMOTIONS
from serval.options import EvalOptions
from serval.run import JOURNAL, load_run

if TYPE_CHECKING:
    from collections.abc import Iterator

RATE = 16_000
EXCERPT_S = 0.25
SHARD, ROW_GROUP = 50_000, 100
EXCERPTS = 400
LOOK_S = 1.0
ROWS = 10
"""In how many equal parts a run's rate and memory are told."""

RECORD = (b'{"kind": "prediction"', b'{"kind": "failure"')
TIMES = {"at_s", "inference_s"}
END = b'{"kind": "end"'
"""How the last line of a finished journal begins."""


def excerpts(corpus: str) -> list[dict[str, Any]]:
    """Return the loudest quarter of a second of each of the first clips, with who says what."""
    dataset, found = open_dataset(EvalOptions(dataset=corpus)), []
    width = round(EXCERPT_S * RATE)
    for clip in islice(dataset.clips(0, None), EXCERPTS):
        samples = decode(encoded_bytes(clip.audio), RATE).samples
        blocks = samples[: len(samples) // width * width].reshape(-1, width)
        buffer = BytesIO()
        soundfile.write(buffer, blocks[(blocks**2).sum(axis=1).argmax()], RATE, format="FLAC")
        label = dataset.label_map.get(clip.label, clip.label)
        found.append({"bytes": buffer.getvalue(), "label": label, "speaker": clip.speaker})
    return found


def make_set(folder: Path, corpus: str, n: int) -> Path:
    """Return a folder of parquet shards with n clips: id, label, speaker, one more column."""
    if len(list(folder.glob("*.parquet"))) == -(-n // SHARD):
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    some, rng = excerpts(corpus), np.random.default_rng(0)
    for number, start in enumerate(range(0, n, SHARD)):
        chosen = [some[i] for i in rng.integers(len(some), size=min(SHARD, n - start))]
        ids = [f"{start + i:07d}.flac" for i in range(len(chosen))]
        audio = [
            {"bytes": one["bytes"], "path": name} for one, name in zip(chosen, ids, strict=True)
        ]
        table = pa.table(
            {
                "audio": audio,
                "label": [one["label"] for one in chosen],
                "speaker": [one["speaker"] for one in chosen],
                "session": [f"session {(start + i) // 20_000:02d}" for i in range(len(chosen))],
            }
        )
        name = f"test-{number:05d}-of-{-(-n // SHARD):05d}.parquet"
        pq.write_table(table, folder / name, row_group_size=ROW_GROUP, compression="none")
    return folder


def make_model(path: Path) -> Path:
    """Return a small classifier of raw audio: 12 bands, their mean, one linear layer."""
    rng, labels = np.random.default_rng(0), list(EMOTIONS)
    weights = {
        "conv": rng.normal(0, 0.1, (12, 1, 400)).astype(np.float32),
        "head": rng.normal(0, 3, (12, len(labels))).astype(np.float32),
        "axis": np.array([1], dtype=np.int64),
        "time": np.array([2], dtype=np.int64),
    }
    nodes = [
        helper.make_node("Unsqueeze", ["input_values", "axis"], ["wave"]),
        helper.make_node("Conv", ["wave", "conv"], ["bands"], strides=[160]),
        helper.make_node("Relu", ["bands"], ["energy"]),
        helper.make_node("ReduceMean", ["energy", "time"], ["mean"], keepdims=0),
        helper.make_node("MatMul", ["mean", "head"], ["logits"]),
    ]
    graph = helper.make_graph(
        nodes,
        "classifier",
        [helper.make_tensor_value_info("input_values", 1, ["batch", "samples"])],
        [helper.make_tensor_value_info("logits", 1, ["batch", len(labels)])],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    helper.set_model_props(model, {"labels": json.dumps(labels), "sampling_rate": str(RATE)})
    onnx.save(model, path)
    return path


@dataclass(frozen=True, slots=True)
class Look:
    """One look at a running command: when, lines of its journal, processor and MB resident."""

    seconds: float
    lines: int
    cpu_s: float
    workers_cpu_s: float
    driver_mb: float
    workers_mb: float


@dataclass(slots=True, kw_only=True)
class Watched:
    """What a command took; `busy_s` is what all processes of the machine took meanwhile."""

    name: str
    seconds: float = 0.0
    cpu_s: float = 0.0
    workers_cpu_s: float = 0.0
    busy_s: float = 0.0
    peak_mb: float = 0.0
    workers_peak_mb: float = 0.0
    code: int = 0
    looks: list[Look] = field(default_factory=list)

    def row(self) -> str:
        """Return what is printed of it."""
        workers = (
            f", workers {self.workers_cpu_s:,.1f} s, the largest {self.workers_peak_mb:,.0f} MB"
            if self.workers_peak_mb
            else ""
        )
        return (
            f"{self.name}: {self.seconds:,.1f} s, {self.cpu_s:,.1f} s of processor, "
            f"peak {self.peak_mb:,.0f} MB{workers}; the whole machine {self.busy_s:,.1f} s"
        )

    def parts(self) -> Iterator[str]:
        """Yield the rate and memory of equal parts of the clips of a run."""
        looks = [look for look in self.looks if look.lines]
        if len(looks) < 2:
            return
        edges = np.linspace(looks[0].lines, looks[-1].lines, ROWS + 1)
        at = np.interp(edges, [look.lines for look in looks], [look.seconds for look in looks])
        for i in range(ROWS):
            of_part = [look for look in looks if edges[i] <= look.lines <= edges[i + 1]] or looks[
                -1:
            ]
            rate = (edges[i + 1] - edges[i]) / max(at[i + 1] - at[i], 1e-9)
            yield (
                f"  up to {edges[i + 1]:>9,.0f} clips: {rate:>6,.0f} clips/s, "
                f"driver {max(look.driver_mb for look in of_part):>6,.0f} MB, "
                f"workers {max(look.workers_mb for look in of_part):>6,.0f} MB"
            )


class Lines:
    """Counts the lines of a growing journal, reading each byte once, and sees its end."""

    def __init__(self, path: Path) -> None:
        self.path, self.at, self.n, self.ended = path, 0, 0, False

    def count(self) -> int:
        """Return how many lines there are now."""
        if self.path.exists():
            with self.path.open("rb") as file:
                file.seek(self.at)
                while block := file.read(1 << 22):
                    self.at, self.n = self.at + len(block), self.n + block.count(b"\n")
                    self.ended = self.ended or END in block
        return self.n


def cpu_s(process: psutil.Process) -> float:
    """Return what a process took of the processor, 0 once it is gone."""
    try:
        return float(sum(process.cpu_times()[:2]))
    except psutil.Error:
        return 0.0


def busy_s() -> float:
    """Return what all processes took since the machine began."""
    times = psutil.cpu_times()
    return float(times.user + times.nice + times.system)


def resident_mb(process: psutil.Process) -> float:
    """Return what a process holds, 0 once it is gone."""
    try:
        return float(process.memory_info().rss / 1e6)
    except psutil.Error:
        return 0.0


def highest_mb(pid: int) -> float:
    """Return the highest that a process held so far: what `wait4` says is its parent's too."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    except OSError:
        return 0.0
    kilobytes = next((line for line in status.splitlines() if line.startswith("VmHWM")), "VmHWM 0")
    return int(kilobytes.split()[1]) * 1.024e-3


def ray_workers() -> list[psutil.Process]:
    """Return the processes of Ray's actors that are ours."""
    mine = psutil.Process().username()
    found = psutil.process_iter(["name", "username", "cmdline"])
    return [
        p for p in found if p.info["username"] == mine and "ray::Worker" in str(p.info["cmdline"])
    ]


def watched(name: str, *arguments: str, run: Path | None = None, kill_at: int = 0) -> Watched:
    """Return what `serval ARGUMENTS` took.

    One that predicts is killed once its journal has so many lines, or is finished.
    """
    of_run = Lines(run / JOURNAL) if run else None
    seen, start, busy = Watched(name=name), time.perf_counter(), busy_s()
    with Path(os.devnull).open("w") as nowhere:
        child = subprocess.Popen([sys.executable, "-m", "serval", *arguments], stdout=nowhere)
    process, workers, since = psutil.Process(child.pid), [], 0.0
    while True:
        done, status, usage = os.wait4(child.pid, os.WNOHANG)
        if done:
            break
        now = time.perf_counter() - start
        seen.peak_mb = max(seen.peak_mb, highest_mb(child.pid))
        if "ray" in arguments and now - since > 20 * LOOK_S:
            workers, since = ray_workers(), now
        of_workers = [resident_mb(worker) for worker in workers]
        seen.workers_peak_mb = max([seen.workers_peak_mb, *of_workers])
        lines = of_run.count() if of_run else 0
        took = sum(cpu_s(worker) for worker in workers)
        seen.workers_cpu_s = max(seen.workers_cpu_s, took)
        seen.looks.append(
            Look(now, lines, cpu_s(process), took, resident_mb(process), sum(of_workers))
        )
        if of_run and (of_run.ended or 0 < kill_at <= lines):
            os.kill(child.pid, signal.SIGKILL)
        time.sleep(LOOK_S)
    child.returncode = seen.code = os.waitstatus_to_exitcode(status)
    seen.seconds = time.perf_counter() - start
    seen.cpu_s, seen.busy_s = usage.ru_utime + usage.ru_stime, busy_s() - busy
    print(seen.row() + (f", exit code {seen.code}" if seen.code else ""), flush=True)
    print("\n".join(seen.parts()), flush=True)
    return seen


@contextmanager
def two_nodes() -> Iterator[str]:
    """Yield the address of a Ray cluster of two nodes of one core, both on 127.0.0.1."""
    from ray.cluster_utils import Cluster

    os.environ.setdefault("RAY_raylet_start_wait_time_s", "300")  # on a machine with much to do
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    cluster.add_node(num_cpus=1)
    try:
        yield cluster.address
    finally:
        cluster.shutdown()


def without_times(folder: Path) -> tuple[dict[str, Any], Iterator[tuple[str, ...]], bytes]:
    """Return all that a run says but what a clock says, and the name of the engine."""
    document = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    for timing in ("speed", "platform"):
        document.pop(timing)
    for option in ("engine", "ray_address", "output"):
        document["options"].pop(option)
    timed = {"evaluation_time_seconds", "samples_per_second", "timestamp"}
    document["metadata"] = {k: v for k, v in document["metadata"].items() if k not in timed}
    return document, cells(folder / "detailed_results.csv"), load_run(folder).logits.tobytes()


def cells(path: Path) -> Iterator[tuple[str, ...]]:
    """Yield the rows of a table without the time of the model."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.reader(file)
        names = next(rows)
        column = names.index("inference_s")
        for row in (names, *rows):
            yield (*row[:column], *row[column + 1 :])


def same(a: Path, b: Path) -> bool:
    """Tell whether two runs say the same but for times."""
    one, other = without_times(a), without_times(b)
    equal_rows = all(x == y for x, y in zip(one[1], other[1], strict=True))
    return equal_rows and one[0] == other[0] and one[2] == other[2]


def records(run: Path) -> Iterator[dict[str, Any]]:
    """Yield the records of a journal, finished or not, without times."""
    with (run / JOURNAL).open("rb") as file:
        for line in file:
            if line.startswith(RECORD) and line.endswith(b"\n"):
                yield {k: v for k, v in json.loads(line).items() if k not in TIMES}


def same_records(a: Path, b: Path) -> int:
    """Return how many records two journals share from their beginning on, all equal but for times.

    Raises:
        ValueError: Two records differ.
    """
    n = 0
    for one, other in zip(records(a), records(b), strict=False):
        if one != other:
            raise ValueError(f"record {n} is another in {b} than in {a}: {one} and {other}")
        n += 1
    return n


PREDICTING = ("killed", "resumed", "killed on Ray", "resumed on Ray")
STEPS = (*PREDICTING, "score", "report", "score of Ray", "compare", "equal", "repeat")
USUAL = STEPS[:-1]


def repeat(run: Path, folder: Path, times: int) -> Path:
    """Return a run whose journal says `times` over what that of another says, of other clips."""
    folder.mkdir(parents=True, exist_ok=True)
    digest, n = hashlib.sha256(), 0
    with (run / JOURNAL).open("rb") as file, (folder / JOURNAL).open("wb") as new:
        head, *records, end = file.readlines()
        records = [line for line in records if not line.startswith(b'{"kind": "session"')]

        def put(line: bytes) -> None:
            digest.update(line)
            new.write(line)

        put(head)
        put(b'{"kind": "session", "started": "2026-01-01T00:00:00+00:00"}\n')
        for _ in range(times):
            for line in records:
                before, behind = line.split(b'"clip_id": "', 1)
                _, behind = behind.split(b'"index": ', 1)
                name = b'"clip_id": "%07d.flac", "index": %d,' % (n, n)
                put(before + name + behind.partition(b",")[2])
                n += 1
        last = json.loads(end) | {"predictions": n, "failures": 0, "sha256": digest.hexdigest()}
        new.write((json.dumps(last) + "\n").encode())
    return folder


class Steps:
    """What each command took, stored as soon as it is known.

    Args:
        folder: Of the set, the model and the runs.
        n: Clips of the set.
        corpus: Whose clips they are parts of.
    """

    def __init__(self, folder: Path, n: int, corpus: str) -> None:
        self.here, self.there = folder / "local", folder / "ray"
        self.stored = folder / "million.json"
        dataset = str(make_set(folder / "set", corpus, n))
        model = str(make_model(folder / "small.onnx"))
        self.common = ("evaluate", "-m", model, "-d", dataset, "--quiet")
        self.n = n

    def take(self, step: str, kill_at: int) -> Watched:
        """Return what one step took."""
        here, there = str(self.here), str(self.there)
        if step in PREDICTING:
            return self._predicted(step, kill_at if step.startswith("killed") else 0)
        commands = {
            "score": ("score", here),
            "report": ("report", here, "--quiet"),
            "score of Ray": ("score", there),
            "compare": ("compare", here, there, "-o", f"{here}-{self.there.name}"),
        }
        return watched(step, *commands[step])

    def repeat(self, times: int) -> None:
        """Have all further steps done on the records of both runs several times over.

        Where a million clips would take too long to predict, what comes behind that is measured so.
        """
        self.here = repeat(self.here, self.here.with_name("repeated"), times)
        self.n *= times
        if (self.there / JOURNAL).exists():
            self.there = repeat(self.there, self.there.with_name("repeated-ray"), times)

    def equal(self) -> dict[str, Any]:
        """Return how many records of both runs are equal, and whether all files are."""
        n = same_records(self.here, self.there)
        print(f"{n:,} records of local and Ray are equal but for times")
        scored = all((run / "results.json").exists() for run in (self.here, self.there))
        files = same(self.here, self.there) if scored else None
        if scored:
            print(f"the result files of local and Ray are equal but for times: {files}")
        return {"records": n, "files": files}

    def _predicted(self, step: str, kill_at: int) -> Watched:
        if not step.endswith("Ray"):
            here = ("-o", str(self.here))
            return watched(step, *self.common, *here, run=self.here, kill_at=kill_at)
        with two_nodes() as address:
            ray = ("-o", str(self.there), "--engine", "ray", "--ray-address", address)
            return watched(step, *self.common, *ray, run=self.there, kill_at=kill_at)

    def keep(self, name: str, found: dict[str, Any]) -> None:
        """Store what a step found beside what is known of the others."""
        known = json.loads(self.stored.read_text("utf-8")) if self.stored.exists() else {}
        told = disclosure({}, ())
        machine = f"{told['processor']}, {' '.join(told['instruction_sets'])}"
        facts = {"clips": self.n, "machine": machine, "load": load_average(), **found}
        self.stored.write_text(json.dumps(known | {name: facts}), encoding="utf-8")


def main() -> None:
    """Print and store what each command took, how large the files are, and whether runs agree."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--corpus", default="demo")
    parser.add_argument("--clips", type=int, default=1_000_000)
    parser.add_argument("--kill-at", type=int, default=600_000)
    parser.add_argument("--steps", nargs="+", choices=STEPS, default=USUAL)
    parser.add_argument("--repeats", type=int, default=5)
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    steps = Steps(given.folder, given.clips, given.corpus)
    if "repeat" in given.steps:
        steps.repeat(given.repeats)
    for step in given.steps:
        if step not in {"equal", "repeat"}:
            steps.keep(step, asdict(steps.take(step, given.kill_at)))
    if "equal" in given.steps:
        steps.keep("equal", steps.equal())
    sizes = {path.name: path.stat().st_size / 1e6 for path in sorted(steps.here.iterdir())}
    steps.keep("files", {"megabytes": sizes})
    for name, size in sizes.items():
        print(f"{size:10,.1f} MB {name}")


if __name__ == "__main__":
    main()
