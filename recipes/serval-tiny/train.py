"""Train the network of serval-tiny on the clips of a set that says of which corpus each is.

    python recipes/serval-tiny/train.py ENCODER.onnx SET OUTPUT [--fold 0/3]

Writes OUTPUT/serval-tiny.onnx (FP32). With `--fold I/K` the speakers of fold I are left out, and
OUTPUT/fold-I-of-K.npz has what the frozen encoder and the trained one say of their clips, with and
without perturbations; no model is written. What was computed of the clips is kept in OUTPUT.
Needs the extras: pip install 'serval-ser[torch,stress]' and onnx.
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
from tiny import Tiny, parameter_name, weights_of, write_onnx
from torch.nn import functional
from tuning import CLASSES, Head, Trainer, first_head

from serval.datasets import DatasetOptions, load_dataset

if TYPE_CHECKING:
    from numpy.typing import NDArray

HERE = Path(__file__).parent


def main() -> None:
    """Train one model, or measure one fold."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("encoder", help="the FP32 file of serval-tiny, with Whisper's encoder")
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
    copies = copies_of(speech, Tiny(weights), plan, given.output)
    if given.fold:
        left_out = speakers_of_fold(speech, given.fold, plan["fewer"])
        name = f"fold-{given.fold.replace('/', '-of-')}.npz"
        np.savez(given.output / name, **steps(Tiny(weights), copies, speech, plan, left_out))
        return
    everything = np.ones(len(speech.labels), bool)
    clean = frozen_head({0: copies[0]}, speech, plan, everything)
    head = frozen_head(copies, speech, plan, everything)
    targets = targets_of(copies, speech, plan, everything)
    trainer = Trainer(Tiny(weights), head, copies, speech, targets, plan)
    trainer.train(everything, said)
    trainer.mix(clean)
    write_onnx(given.encoder, str(given.output / "serval-tiny.onnx"), new_weights(trainer, weights))


def copies_of(speech: Speech, encoder: Tiny, plan: dict[str, Any], folder: Path) -> dict[int, Copy]:
    """Return the copies of the clips by number, computing what `folder` does not have."""
    everything = np.arange(len(speech.labels))
    copies = {}
    for number in range(plan["copies"]):
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


def targets_of(
    copies: dict[int, Copy], speech: Speech, plan: dict[str, Any], clips: NDArray[np.bool_]
) -> torch.Tensor:
    """Return `(N, 8)` shares of the emotions: the smoothed label, and what a teacher hears.

    The teacher of a clip is a head on the frozen encoder's features of all copies of the other
    folds' clips, which heard neither the clip nor, in corpora of many speakers, its speaker. It
    hears the clip as it is. Clips that are not trained on have zeros.
    Source: Hinton et al. (2015), Distilling the knowledge in a neural network.
    """
    smoothing, share = plan["label_smoothing"], plan["teacher_share"]
    truth = torch.from_numpy(speech.labels)
    targets = (1 - smoothing) * functional.one_hot(truth, CLASSES).float() + smoothing / CLASSES
    targets[torch.from_numpy(~clips)] = 0.0
    folds = folds_of(speech, plan)
    for fold in range(plan["teacher_folds"]) if share else ():
        teacher = frozen_head(copies, speech, plan, clips & (folds != fold))
        places = np.flatnonzero(clips & (folds == fold))
        heard = teacher.logits(torch.from_numpy(copies[0].pooled[places])).softmax(dim=1)
        targets[places] = targets[places].lerp(heard, share)
    return targets


def folds_of(speech: Speech, plan: dict[str, Any]) -> NDArray[np.int64]:
    """Return the teacher's fold of each clip, `(N,)`: by speaker, or by clip where they are few."""
    count = plan["teacher_folds"]
    folds = np.arange(len(speech.labels)) % count
    rng = np.random.default_rng(plan["seed"])
    for corpus in sorted(set(speech.corpora) - set(plan["fewer"])):
        chosen = speech.corpora == corpus
        speakers, place = np.unique(speech.speakers[chosen], return_inverse=True)
        folds[chosen] = rng.permutation(len(speakers))[place] % count
    return folds


def steps(
    network: Tiny,
    copies: dict[int, Copy],
    speech: Speech,
    plan: dict[str, Any],
    left_out: NDArray[np.bool_],
) -> dict[str, NDArray[Any]]:
    """Return what each step of the recipe says of the clips that are left out, by copy.

    `clean` is the head on frozen features of the clips as they are, `frozen` that on all copies,
    `tuned` the trained network, `mixed` its weights with those of `clean`; `(M, 8)` logits of each,
    with truth, speakers and corpora.
    """
    clips = np.flatnonzero(left_out)
    found: dict[str, NDArray[Any]] = {
        "clips": clips,
        "truth": speech.labels[clips],
        "speakers": speech.speakers[clips],
        "corpora": speech.corpora[clips],
    }
    heads = {}
    for name, used in (("clean", {0: copies[0]}), ("frozen", copies)):
        heads[name] = head = frozen_head(used, speech, plan, ~left_out)
        for number, copy in copies.items():
            found[f"{name}{number}"] = head.logits(torch.from_numpy(copy.pooled[clips])).numpy()
    targets = targets_of(copies, speech, plan, ~left_out)
    trainer = Trainer(network, head, copies, speech, targets, plan)
    trainer.train(~left_out, said)
    found |= {f"tuned{number}": trainer.predicted(number, clips) for number in copies}
    trainer.mix(heads["clean"])
    found |= {f"mixed{number}": trainer.predicted(number, clips) for number in copies}
    return found


def new_weights(trainer: Trainer, weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return the weights that were trained, by the names that the graph has for them."""
    names = {parameter_name(name): name for name in weights}
    tuned = {names[name]: trainer.network.weights[name] for name in trainer.tuned}
    weight, bias = trainer.head.folded()
    return {**tuned, "head.weight": weight, "head.bias": bias}


def said(text: str) -> None:
    """Print a line at once."""
    print(text, flush=True)  # noqa: T201 - a command's output


if __name__ == "__main__":
    main()
