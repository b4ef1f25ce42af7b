"""What an encoder is worth on three corpora, speakers apart and shared, and what 12,000 clips cost.

    python ../shared/corpora/write_raw.py RAW
    OMP_NUM_THREADS=1 python benchmarks/probe_corpora.py RAW ../shared/corpora/ssi-like \
        ../shared/models/serval-tiny/model.onnx OUT [LAYER]

RAW holds RAVDESS, CREMA-D and TESS as folders; the second is the whole set that their clips came
from, written out below OUT as files and a manifest; LAYER is the one probed on it, by default last.
Each probe is a process of its own with one
worker, so that its time and its highest memory are its own; one that is done is only read, and
what its processor time then says is that of reading.
"""

import csv
import json
import resource
import subprocess
import sys
from pathlib import Path, PurePosixPath

import pyarrow.parquet as pq

from serval.corpora import corpus_called
from serval.machine import instruction_sets, platform_facts

CORPORA = ("RAVDESS", "TESS", "CREMA-D")


def probed(model: Path, dataset: Path, output: Path, *more: str) -> dict:
    """Return what `serval probe` says of a set, as its probe.json holds it."""
    command = [sys.executable, "-m", "serval", "probe", "-m", str(model), "-d", str(dataset)]
    command += ["-o", str(output), "--workers", "1", "--quiet", *more]
    before = processor_s()
    subprocess.run(command, check=True)
    found = json.loads((output / "probe.json").read_text(encoding="utf-8"))
    return found | {"processor_s": round(processor_s() - before)}


def processor_s() -> float:
    """Return the seconds of processor time that the probes so far have used."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def written_out(whole: Path, folder: Path) -> Path:
    """Return a manifest of all clips of the set, whose files stand beside it."""
    manifest = folder / "clips.csv"
    if manifest.is_file():
        return manifest
    folder.mkdir(parents=True, exist_ok=True)
    names, rows = corpus_called("ssi").labels, []
    for path in sorted((whole / "data").glob("*.parquet")):
        for batch in pq.ParquetFile(path).iter_batches(64):
            for row in batch.to_pylist():
                suffix = PurePosixPath(row["file_path"]["path"]).suffix
                clip = folder / f"{len(rows)}{suffix}"
                clip.write_bytes(row["file_path"]["bytes"])
                rows.append((clip.name, names[row["emotion"]], row["speaker_id"], row["dataset"]))
    with manifest.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("path", "label", "speaker", "corpus"), *rows])
    return manifest


def times(found: dict) -> str:
    """Return wall time of features and heads, and the processor time of both."""
    wall = found["seconds"]
    return (
        f"features {wall['features']:.0f} s, heads {wall['heads']:.0f} s, "
        f"{found['processor_s']} s of the processor"
    )


def line(what: str, layer: dict) -> str:
    """Return a row of the table of the docs."""

    def percent(score: dict, sign: str = "") -> str:
        value, low, high = (100 * score[key] for key in ("value", "low", "high"))
        return f"{value:{sign}.1f} ({low:{sign}.1f} to {high:{sign}.1f})"

    apart, folds = layer["apart"]["score"], layer["apart"]["by_fold"]
    spread = f"{100 * folds['mean']:.1f} ± {100 * (folds['deviation'] or 0):.1f}"
    cells = [what, layer["name"], percent(apart), spread]
    if layer["shared"]:
        cells += [percent(layer["shared"]["score"]), percent(layer["leak"], "+")]
    return f"| {' | '.join(cells)} |"


def print_corpora(raw: Path, model: Path, out: Path) -> None:
    """Print the score of every level on each corpus, speakers apart and shared."""
    for name in CORPORA:
        found = probed(model, raw / name, out / name, "--layer", "all", "--shared-speakers")
        print(f"{name}: {found['clips']} clips, {found['speakers']} speakers", times(found))
        for layer in found["layers"]:
            print(line(name, layer))


def print_whole(whole: Path, model: Path, out: Path, layer: str = "last") -> None:
    """Print what a probe of one level on all clips takes."""
    manifest = written_out(whole, out / "clips")
    found = probed(model, manifest, out / "whole", "--layer", layer, "--folds", "speaker:5")
    print(line(f"all {found['clips']:,} clips", found["layers"][0]))
    print(f"{found['speakers']} speakers", times(found), f"{found['memory_mb']:,.0f} MB at most")


if __name__ == "__main__":
    sys.stdout.reconfigure(line_buffering=True)
    print(platform_facts()["processor"], *instruction_sets())
    raw, whole, model, out = map(Path, sys.argv[1:5])
    print_corpora(raw, model, out)
    print_whole(whole, model, out, *sys.argv[5:])
