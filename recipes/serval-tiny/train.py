"""Train the network of serval-tiny on the clips of a set that says of which corpus each is.

    python recipes/serval-tiny/train.py openai/whisper-tiny.en SET OUTPUT [--fold 0/3]

Writes OUTPUT/serval-tiny.onnx (FP32). With `--fold I/K` the speakers of fold I are left out, and
OUTPUT/plan-fold-I-of-K.npz (the name of the plan file) has what the frozen encoder and the trained
one say of their clips, with and without perturbations; no model is written. What was computed of
the clips is kept in OUTPUT, and is of one set and one encoder.
Needs the extras: pip install 'serval-ser[export,stress]'
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import yaml
from features import Copy, Speech, copy_of, speech_of
from tiny import Tiny, weights_of, write_onnx
from tuning import Head, Trainer, first_head

from serval.datasets import DatasetOptions, load_dataset

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

HERE = Path(__file__).parent


def main() -> None:
    """Train one model, or measure one fold."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("encoder", help="openai/whisper-tiny.en, or a folder with its files")
    parser.add_argument("dataset", help="a set in SSI's layout, or a manifest")
    parser.add_argument("output", type=Path)
    parser.add_argument("--split", default="train", help="empty for a set that has none")
    parser.add_argument("--column", default="dataset", help="which corpus a clip is of")
    parser.add_argument("--plan", type=Path, default=HERE / "plan.yaml")
    parser.add_argument("--fold", default="", help="I/K: leave out the speakers of fold I of K")
    given = parser.parse_args()
    torch.set_num_threads(1)
    given.output.mkdir(parents=True, exist_ok=True)
    plan = yaml.safe_load(given.plan.read_text(encoding="utf-8"))
    weights = weights_of(given.encoder)
    dataset = load_dataset(given.dataset, options=DatasetOptions(split=given.split or None))
    speech = speech_of(dataset, given.column, given.output)
    copies = copies_of(speech, Tiny(weights, plan["halved_before"]), plan, given.output)
    left_out = speakers_of_fold(speech, given.fold, plan["fewer"])
    trained = [train(weights, copies, speech, own, ~left_out) for own in trainings(plan)]
    if given.fold:
        clean = frozen_head({0: copies[0]}, speech, plan, ~left_out)
        name = f"{given.plan.stem}-fold-{given.fold.replace('/', '-of-')}.npz"
        np.savez(given.output / name, **steps(trained, clean, np.flatnonzero(left_out)))
        return
    first, *further = trained
    first.average(further)
    write_onnx(first.finished(), given.output / "serval-tiny.onnx")


def copies_of(speech: Speech, encoder: Tiny, plan: dict[str, Any], folder: Path) -> dict[int, Copy]:
    """Return the copies of the clips by number, computing what `folder` does not have."""
    everything = np.arange(len(speech.labels))
    copies = {}
    for number in sorted({number for own in trainings(plan) for number in own["copies"]}):
        kept = np.ones(len(everything), bool)
        for corpus, every in plan["fewer"].items() if number > 1 else ():
            kept &= (speech.corpora != corpus) | (everything % every == number % every)
        start = time.perf_counter()
        copies[number] = copy_of(speech, encoder, number, everything[kept], folder)
        said(f"copy {number}: {kept.sum():,} clips, {time.perf_counter() - start:.0f} s")
    return copies


def speakers_of_fold(speech: Speech, fold: str, few: dict[str, int]) -> NDArray[np.bool_]:
    """Return which clips are left out: those of the speakers of a fold, `I/K`, by corpus.

    Corpora of few speakers are in no fold: they are always trained on.
    """
    left_out = np.zeros(len(speech.labels), bool)
    if not fold:
        return left_out
    number, count = map(int, fold.split("/"))
    rng = np.random.default_rng(0)
    for corpus in sorted(set(speech.corpora) - set(few)):
        speakers = np.unique(speech.speakers[speech.corpora == corpus])
        chosen = rng.permutation(speakers)[number::count]
        left_out |= (speech.corpora == corpus) & np.isin(speech.speakers, chosen)
    return left_out


def frozen_head(
    copies: dict[int, Copy], speech: Speech, plan: dict[str, Any], clips: NDArray[np.bool_]
) -> Head:
    """Return the head on the pooled features of the frozen encoder, of all copies."""
    chosen = {number: copy.clips[clips[copy.clips]] for number, copy in copies.items()}
    start = time.perf_counter()
    features = np.concatenate([copies[number].pooled[own] for number, own in chosen.items()])
    labels = np.concatenate([speech.labels[own] for own in chosen.values()])
    head = first_head(features, labels, {**plan, "copies": len(copies)})
    said(f"head on {len(labels):,} clips: {time.perf_counter() - start:.0f} s")
    return head


def trainings(plan: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the plan of each training: what all share, and what it has of its own."""
    return [plan | own for own in plan["trainings"]]


def train(
    weights: dict[str, torch.Tensor],
    copies: dict[int, Copy],
    speech: Speech,
    plan: dict[str, Any],
    clips: NDArray[np.bool_],
) -> Trainer:
    """Return a network and a head that were trained on those clips, in the copies of its plan."""
    own = {number: copies[number] for number in plan["copies"]}
    head = frozen_head(own, speech, plan, clips)
    trainer = Trainer(Tiny(weights, plan["halved_before"]), head, copies, speech, plan)
    trainer.train(clips, said)
    return trainer


def steps(
    trained: Sequence[Trainer], clean: Head, clips: NDArray[np.int64]
) -> dict[str, NDArray[Any]]:
    """Return what each step of the recipe says of the clips that are left out, by copy.

    `clean` is the head on frozen features of the clips as they are, `frozen` that on the copies of
    the first training, `tuned` the network of that training, `averaged` the mean of the weights of
    all trainings; `(M, 8)` logits of each, with truth, speakers and corpora.
    """
    first, *further = trained
    speech = first.speech
    found: dict[str, NDArray[Any]] = {
        "clips": clips,
        "truth": speech.labels[clips],
        "speakers": speech.speakers[clips],
        "corpora": speech.corpora[clips],
    }
    for number, copy in first.copies.items():
        pooled = torch.from_numpy(copy.pooled[clips])
        found[f"clean{number}"] = clean.logits(pooled).numpy()
        found[f"frozen{number}"] = first.frozen.logits(pooled).numpy()
        found[f"tuned{number}"] = first.predicted(number, clips)
    first.average(further)
    return found | {f"averaged{number}": first.predicted(number, clips) for number in first.copies}


def said(text: str) -> None:
    """Print a line at once."""
    print(text, flush=True)  # noqa: T201 - a command's output


if __name__ == "__main__":
    main()
