"""Clips to hear, clean and perturbed, made anew from the dataset that a stored test names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from serval.audio import Waveform, decode, encoded_bytes
from serval.evaluation import open_dataset, stored_options
from serval.models.load import load_as_stated
from serval.stress.cases import perturbed
from serval.stress.voices import voices_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from serval.run import Run
    from serval.stress.cases import Case, Voice
    from serval.stress.runs import StressRuns

__all__ = ["Example", "examples_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One clip that a perturbation turned into another emotion.

    Attributes:
        case: Name of the perturbation.
        clip_id: Its id in the dataset.
        truth: Its label.
        clean_label: What the model says of the clean clip.
        clean_confidence: Probability of the clean label, in [0, 1].
        label: What it says of the perturbed one.
        confidence: Probability of the label under the perturbation, in [0, 1].
        sample_rate: In Hz.
        clean: `(T,) float32`.
        perturbed: `(T',) float32`.
    """

    case: str
    clip_id: str
    truth: str
    clean_label: str
    clean_confidence: float
    label: str
    confidence: float
    sample_rate: int
    clean: Waveform
    perturbed: Waveform


def examples_of(stress: StressRuns, *, per_kind: int = 1) -> Iterator[Example]:
    """Yield clips that were right when clean and are wrong when perturbed, surest mistakes first.

    Of each kind the mildest perturbation that broke a clip gives the examples.

    Args:
        stress: From `load_stress`; its dataset and model must still be where they were.
        per_kind: Clips of each kind of perturbation.

    Raises:
        ServalError: The dataset or the model cannot be opened, or a clip not be decoded.
    """
    options = stored_options(stress.clean)
    model = load_as_stated(options.model, options)
    dataset = open_dataset(options)
    chosen = _chosen(stress, per_kind)
    seed = int(next(iter(stress.runs.values())).provenance.identity["change"]["seed"])
    babble = any(case.kind == "babble" for case, _ in chosen)
    voices = voices_of(dataset, model, limit=options.limit, seed=seed) if babble else ()
    for case, position in chosen:
        index = int(stress.clean.index[position])
        for clip in dataset.clips(index, index + 1):
            audio = decode(encoded_bytes(clip.audio), model.sample_rate,
                           max_seconds=model.max_seconds)  # fmt: skip
            drawn: tuple[int, tuple[Voice, ...]] = (seed, voices)
            changed = perturbed(case, audio.samples, audio.sample_rate, clip, drawn)
            yield _example(stress, case, position, (audio.samples, changed))


def _chosen(stress: StressRuns, per_kind: int) -> list[tuple[Case, int]]:
    chosen: list[tuple[Case, int]] = []
    seen: set[str] = set()
    for case in stress.cases:
        broken = _broken(stress.clean, stress.runs[case.name])[:per_kind]
        if case.kind not in seen and broken:
            seen.add(case.kind)
            chosen += [(case, position) for position in broken]
    return chosen


def _broken(clean: Run, run: Run) -> list[int]:
    """Return the places in the clean run of clips that only the clean run has right."""
    _, mine, its = np.intersect1d(clean.index, run.index, return_indices=True)
    wrong = (clean.predicted[mine] == clean.truth[mine]) & (run.predicted[its] != run.truth[its])
    confidence = run.probs[its].max(axis=1)
    order = np.argsort(-confidence[wrong], kind="stable")
    return [int(i) for i in mine[wrong][order]]


def _example(
    stress: StressRuns, case: Case, position: int, sound: tuple[Waveform, Waveform]
) -> Example:
    clean, run = stress.clean, stress.runs[case.name]
    there = int(np.searchsorted(run.index, clean.index[position]))
    return Example(
        case=case.name,
        clip_id=clean.clip_ids[position],
        truth=clean.labels[clean.truth[position]],
        clean_label=clean.labels[clean.predicted[position]],
        clean_confidence=float(clean.probs[position].max()),
        label=run.labels[run.predicted[there]],
        confidence=float(run.probs[there].max()),
        sample_rate=int(clean.provenance.model["contract"]["sample_rate"]),
        clean=sound[0],
        perturbed=sound[1],
    )
