"""Make the stored runs that come with serval, `example:fp32` and `example:int8`.

    python tools/make_examples.py FP32.onnx INT8.onnx CORPUS [--split validation] [--work FOLDER]

The files are those of serval-tiny, CORPUS a folder in SSI's layout. Both are
evaluated in `--work`, where a run that is complete is only read: the same runs give the same bytes.
Kept are labels and numbers: neither sound, nor file names, spoken text, or people's names.
"""

from __future__ import annotations

import argparse
import gzip
import tempfile
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from serval.evaluation import open_dataset, recorded
from serval.files import write_bytes
from serval.models.load import load_model
from serval.models.options import overrides_of
from serval.options import EvalOptions
from serval.probabilities import probabilities_of
from serval.records import Prediction
from serval.run import JOURNAL, Journal, Provenance, Run

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER = Path(__file__).resolve().parents[1] / "src" / "serval" / "builtin" / "examples"
NAMES = {"fp32": "serval-tiny FP32", "int8": "serval-tiny INT8"}
SET = "acted speech (RAVDESS, CREMA-D, TESS)"
NO_AUDIO = "this run comes with serval, which holds its labels and numbers and no speech"
LICENCE = "RAVDESS CC BY-NC-SA 4.0, CREMA-D ODbL 1.0, TESS CC BY-NC-ND 4.0; no audio is stored"
KEPT = ("dataset", "gender")
"""Columns of the corpus that are kept as groups."""

DECIMALS = 5
"""Of logits, whose probabilities are then the same to within 0.00001."""


def main() -> None:
    """Evaluate both models and write both examples."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("fp32", help="the .onnx file of the FP32 original")
    parser.add_argument("int8", help="what serval quantize made of it")
    parser.add_argument("corpus", help="a folder in SSI's layout")
    parser.add_argument("--split", default="validation")
    parser.add_argument("--work", type=Path, default=Path("build/examples"))
    given = parser.parse_args()
    for short, model in {"fp32": given.fp32, "int8": given.int8}.items():
        run = evaluated(model, given.corpus, given.split, given.work)
        place = write_bytes(FOLDER / f"{short}.jsonl.gz", packed(run, short))
        print(f"{place}: {len(run)} clips, {place.stat().st_size / 1e3:.0f} kB")


def evaluated(model: str, corpus: str, split: str, work: Path) -> Run:
    """Return the run of a model on the corpus, in a folder named after the model's content."""
    options = EvalOptions(model=model, dataset=corpus, split=split)
    opened, dataset = load_model(model, overrides_of(options)), open_dataset(options)
    folder = work / f"{opened.identity.sha256[:12]}-{dataset.fingerprint[:12]}"
    return recorded(opened, dataset, replace(options, output=str(folder)))


def packed(run: Run, short: str) -> bytes:
    """Return the journal of an example, compressed; the same run gives the same bytes."""
    with tempfile.TemporaryDirectory() as folder:
        with Journal(folder=Path(folder), provenance=provenance(run, short)) as journal:
            journal.begin(run.started)
            seconds = run.seconds / len(run)
            for i, record in enumerate(records(run)):
                journal.append(record, round((i + 1) * seconds, 1))
            journal.finish(run.seconds, dropped={}, peak_memory_mb=run.peak_memory_mb)
        return gzip.compress((Path(folder) / JOURNAL).read_bytes(), 9, mtime=0)


def provenance(run: Run, short: str) -> Provenance:
    """Return what the run was made of, without places on the machine that made it."""
    own = run.provenance
    path = Path(own.model["path"]).name
    dataset = {"name": SET, "location": "", "licence": LICENCE, "no_audio": NO_AUDIO}
    options = {"name": NAMES[short], "model": path, "dataset": "ssi", "output": f"example-{short}"}
    return replace(
        own,
        model={**own.model, "name": NAMES[short], "path": path},
        dataset={**own.dataset, **dataset},
        options={**own.options, **options},
        platform={**own.platform, "system": own.platform["system"].split("-")[0]},
    )


def records(run: Run) -> Iterator[Prediction]:
    """Yield the predictions with numbers for the names of clips and speakers."""
    numbers = speaker_numbers(run)
    logits = np.round(run.logits.astype(np.float64), DECIMALS).astype(np.float32)
    probs = np.round(probabilities_of(logits), DECIMALS + 2)
    for i in range(len(run)):
        yield Prediction(
            clip_id=f"validation-{run.index[i]:06d}",
            index=int(run.index[i]),
            truth=run.labels[run.truth[i]],
            predicted=run.labels[run.predicted[i]],
            logits=tuple(float(str(value)) for value in logits[i]),
            probs=tuple(map(float, probs[i])),
            duration_s=float(run.duration_s[i]),
            inference_s=round(float(run.inference_s[i]), 4),
            audio_sha256=run.audio_sha256[i],
            speaker=numbers[run.speakers[i]],
            groups={name: run.groups[name][i] or "" for name in KEPT},
            notes=run.notes[i],
        )


def speaker_numbers(run: Run) -> dict[str | None, str]:
    """Return `TESS 2` and the like for each speaker, in the order of their names."""
    corpus_of = dict(zip(run.speakers, run.groups["dataset"], strict=True))
    seen: Counter[str | None] = Counter()
    numbers = {}
    for speaker in sorted(corpus_of, key=str):
        seen[corpus_of[speaker]] += 1
        numbers[speaker] = f"{corpus_of[speaker]} {seen[corpus_of[speaker]]}"
    return numbers


if __name__ == "__main__":
    main()
