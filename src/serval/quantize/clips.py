"""Clips in memory with the answers of the FP32 model, on which candidates are compared."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from serval.audio import decode, encoded_bytes
from serval.datasets import DatasetOptions, load_dataset
from serval.errors import AudioError, DatasetError, DatasetNotFoundError, LabelError
from serval.labels import LabelMap, label_map_from_option

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from numpy.typing import NDArray

    from serval.audio import Waveform
    from serval.models.onnx import OnnxModel
    from serval.models.protocol import Logits
    from serval.quantize.options import QuantizeOptions
    from serval.records import Clip, Dataset

_Answer: TypeAlias = "tuple[Waveform, NDArray[np.float32], int, str | None]"
"""Waveform, FP32 logits, class and speaker of a clip."""

__all__ = ["Clips", "calibration_clips", "evaluation_clips", "logits_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Clips:
    """N decoded clips and what the FP32 model says of them.

    Attributes:
        name: Of the dataset, with its split.
        waveforms: N waveforms at the model's rate.
        reference: `(N, K) float32` logits in FP32.
        truth: `(N,)` classes, or `None` where nobody asked.
        speakers: Who speaks in each, `None` where unknown; empty if nothing is known.
        failed: Further clips that could not be decoded or run.
        unknown: Further clips by a label that the model does not have.
    """

    name: str
    waveforms: tuple[Waveform, ...]
    reference: Logits
    truth: NDArray[np.int64] | None = None
    speakers: tuple[str | None, ...] = ()
    failed: int = 0
    unknown: Mapping[str, int] = field(default_factory=dict)

    @property
    def left_out(self) -> str:
        """Which clips of the set are not among these, in words; empty if all of them are."""
        names = ", ".join(f"'{raw}' ({n})" for raw, n in sorted(self.unknown.items()))
        reasons = [f"label unknown to the model: {names}"] if names else []
        reasons += [f"not decodable: {self.failed}"] if self.failed else []
        return "; ".join(reasons)

    def part(self, chosen: Iterable[int]) -> Clips:
        """Return the clips at those positions."""
        kept = [i for i in chosen if i < len(self.waveforms)]
        return Clips(
            name=self.name,
            waveforms=tuple(self.waveforms[i] for i in kept),
            reference=self.reference[kept],
            truth=None if self.truth is None else self.truth[kept],
            speakers=tuple(self.speakers[i] for i in kept) if self.speakers else (),
        )

    def every(self, step: int) -> Clips:
        """Return one clip in `step`, from the first."""
        return self.part(range(0, len(self.waveforms), step))

    def without_every(self, step: int) -> Clips:
        """Return the clips that `every(step)` leaves."""
        return self.part(i for i in range(len(self.waveforms)) if i % step)


def calibration_clips(name: str, n: int, model: OnnxModel, workers: int) -> Clips:
    """Return up to n clips spread evenly over a dataset's train split, or its only split.

    Raises:
        DatasetError: No clip of it can be used.
    """
    dataset = _train_split(name)
    total = sum(1 for _ in dataset.metadata(0, None))
    chosen = {int(i) for i in np.linspace(0, max(0, total - 1), min(n, total))}
    picked = (clip for clip in dataset.clips(0, None) if clip.index in chosen)
    return _answered(dataset, ((clip, 0) for clip in picked), model, workers, labelled=False)


def evaluation_clips(options: QuantizeOptions, model: OnnxModel, workers: int) -> Clips:
    """Return the labelled clips of the evaluation set whose emotion the model knows.

    Raises:
        DatasetError: There is none that can be decoded.
        LabelError: There is none with such a label.
    """
    dataset = load_dataset(
        options.evaluation or "", options=DatasetOptions(split=options.split, limit=options.limit)
    )
    stated = label_map_from_option(options.label_map)
    known = {raw: label for raw, label in dataset.label_map.items() if label in model.labels}
    mapping = LabelMap(labels=model.labels, explicit=known | stated)
    unknown: Counter[str] = Counter()

    def labelled() -> Iterator[tuple[Clip, int]]:
        for clip in dataset.clips(0, options.limit):
            label = mapping[clip.label]
            if label is None:
                unknown[clip.label] += 1
            else:
                yield clip, model.labels.id_of(label)

    try:
        found = _answered(dataset, labelled(), model, workers, labelled=True)
    except DatasetError as error:
        if not unknown:
            raise
        raise LabelError(
            f"no clip of {dataset.name} has a label that the model knows; it has "
            f"{', '.join(sorted(unknown))}; known: {', '.join(model.labels)}; "
            "map them with --label-map RAW=label,..."
        ) from error
    return replace(found, unknown=dict(unknown))


def logits_of(model: OnnxModel, waveforms: tuple[Waveform, ...], workers: int) -> Logits:
    """Return `(N, K) float32` logits, every clip run alone."""
    with ThreadPoolExecutor(workers) as pool:
        rows = list(pool.map(lambda samples: _logits(model, samples), waveforms))
    return np.stack(rows) if rows else np.zeros((0, len(model.labels)), dtype=np.float32)


def _train_split(name: str) -> Dataset:
    try:
        return load_dataset(name, options=DatasetOptions(split="train"))
    except DatasetNotFoundError:
        return load_dataset(name)


def _answered(
    dataset: Dataset,
    clips: Iterable[tuple[Clip, int]],
    model: OnnxModel,
    workers: int,
    *,
    labelled: bool,
) -> Clips:
    answers = list(_answers(clips, model, workers))
    rows = [row for row in answers if row is not None]
    if not rows:
        raise DatasetError(f"{dataset.name} has no clip that the model can use; try another set")
    waveforms, reference, truth, speakers = zip(*rows, strict=True)
    return Clips(
        name=f"{dataset.name} {dataset.split}".strip(),
        waveforms=waveforms,
        reference=np.stack(reference),
        truth=np.array(truth) if labelled else None,
        speakers=speakers,
        failed=len(answers) - len(rows),
    )


def _answers(
    clips: Iterable[tuple[Clip, int]], model: OnnxModel, workers: int
) -> Iterator[_Answer | None]:
    """Yield what became of each clip, or `None` if it cannot be run."""

    def answer(item: tuple[Clip, int]) -> _Answer | None:
        try:
            audio = encoded_bytes(item[0].audio)
            samples = decode(audio, model.sample_rate, max_seconds=model.max_seconds).samples
            return samples, _logits(model, samples), item[1], item[0].speaker
        except AudioError:
            return None

    with ThreadPoolExecutor(workers) as pool:
        yield from pool.map(answer, clips)


def _logits(model: OnnxModel, samples: Waveform) -> NDArray[np.float32]:
    answer: NDArray[np.float32] = model.logits(samples[np.newaxis], np.array([len(samples)]))[0]
    return answer
