"""What a run is once it is read: its provenance and its columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from serval.tasks import task_of_facts
from serval.wording import counted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from serval.labels import LabelSet
    from serval.records import Failure
    from serval.tasks import Task


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Everything that a number depends on, in plain JSON types.

    Attributes:
        labels: The model's labels, or dimensions, in the order of its outputs.
        model: name, path, sha256, size in bytes and the resolved contract.
        dataset: name, location, revision, split, fingerprint, licence and caveats; `no_audio`
            says in a sentence why the clips cannot be fetched again, where that is so.
        options: Every option of the evaluation.
        platform: Versions of packages, Python, system and processor.
        identity: The part that decides whether two runs are the same evaluation: a run goes on
            only in a folder with an equal identity.
    """

    labels: LabelSet
    model: Mapping[str, Any]
    dataset: Mapping[str, Any]
    options: Mapping[str, Any]
    platform: Mapping[str, Any]
    identity: Mapping[str, Any]

    @property
    def task(self) -> Task:
        """What the clips were asked for."""
        return task_of_facts(self.dataset)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Run:
    """A finished or unfinished run, column by column, in dataset order.

    Attributes:
        folder: Where it is stored.
        provenance: What was evaluated on what.
        clip_ids: `(N,)` names of the predicted clips.
        index: `(N,) int64` positions in the dataset split.
        truth: `(N,) int64` label ids; -1 in a run of dimensions or of several emotions a clip.
        predicted: `(N,) int64` label ids, of the highest logit; -1 in a run of dimensions.
        logits: `(N, K) float32`; in a run of dimensions their values, as the model gives them.
        probs: `(N, K) float32` in [0, 1], see `probabilities_of`; the logits again in a run of
            dimensions.
        duration_s: `(N,) float64` seconds of audio.
        inference_s: `(N,) float64` seconds in the model.
        audio_sha256: `(N,)` of the encoded files, `""` where unknown.
        speakers: `(N,)` or `None` where unknown.
        groups: Further columns by name, each `(N,)`, `None` where a clip has no value.
        sound: `(N, 3) float64` the fields of `Sound`, NaN where nobody listened; `None` of runs
            that were not made by listening.
        notes: `(N,)` what was done to each clip's sound, or is remarkable in it.
        failures: Clips without a prediction.
        complete: Whether the end of the dataset was reached.
        seconds: Wall time of all sessions together.
        dropped: Clips left out on request because their label has no counterpart, by raw label.
        dropped_indices: Their positions in the dataset split; empty in runs of earlier versions,
            which did not keep them.
        started: UTC time of the first session, ISO 8601.
        peak_memory_mb: Highest resident memory of the process, or NaN when incomplete.
    """

    folder: Path
    provenance: Provenance
    clip_ids: Sequence[str]
    index: NDArray[np.int64]
    truth: NDArray[np.int64]
    predicted: NDArray[np.int64]
    logits: NDArray[np.float32]
    probs: NDArray[np.float32]
    duration_s: NDArray[np.float64]
    inference_s: NDArray[np.float64]
    audio_sha256: Sequence[str]
    speakers: Sequence[str | None]
    groups: Mapping[str, Sequence[str | None]]
    notes: Sequence[tuple[str, ...]]
    sound: NDArray[np.float64] | None = None
    failures: tuple[Failure, ...]
    complete: bool
    seconds: float
    dropped: Mapping[str, int]
    dropped_indices: tuple[int, ...] = ()
    started: str
    peak_memory_mb: float

    @property
    def name(self) -> str:
        """What people read: the name that the run was given, or that of its model."""
        given, model = self.provenance.options.get("name"), self.provenance.model.get("name", "")
        return str(given or model)

    @property
    def labels(self) -> LabelSet:
        """The model's labels."""
        return self.provenance.labels

    @property
    def true_labels(self) -> set[str]:
        """The labels that clips have, of those too that failed."""
        failed = {failure.truth for failure in self.failures if failure.truth}
        return failed | {self.labels[i] for i in set(self.truth.tolist()) if i >= 0}

    def same_model(self, other: Run) -> bool:
        """Whether both are of one model under the same labels; see `model_identity`."""
        own, others = (model_identity(run.provenance.model) for run in (self, other))
        return own == others and set(self.labels) == set(other.labels)

    def __repr__(self) -> str:
        """Return one line: the columns of 100,000 clips are no text for people."""
        data = self.provenance.dataset.get("name", "")
        state = "" if self.complete else ", not finished"
        place = f", in {self.folder}" if self.folder.is_dir() else ""
        return f"<Run {self.name} on {data}: {counted(len(self), 'clip')}{state}{place}>"

    def __len__(self) -> int:
        """Return the number of predicted clips, failures not counted."""
        return len(self.clip_ids)


def model_identity(model: Mapping[str, Any]) -> tuple[object, ...]:
    """Return what tells a model from others, of the facts that a run or a benchmark has of it.

    That is its file, the weights that lie beside it, and which of a Python file's it is.
    """
    weights = sorted((model.get("external") or {}).items())
    return model.get("sha256"), tuple(weights), named_in_python(model)


def is_told_of(told: Mapping[str, Any], model: Mapping[str, Any]) -> bool:
    """Tell whether what a file says of a model fits a run's, of which it says its sha256 at least.

    A page of a browser and earlier versions do not say what ran the model.
    """
    return model_identity({**model, "sha256": None, **told}) == model_identity(model)


IN_PYTHON = "model in Python"
"""The part of an identity that says which of the models of a Python file it is."""


def named_in_python(model: Mapping[str, Any]) -> str | None:
    """Return which of the models of a Python file a model is; `None` of any other kind."""
    is_python = model.get("runtime", {}).get("name") == "python"
    return str(model.get("name")) if is_python else None


def unfinished(run: Run) -> str:
    """Return the sentence that every reader of an unfinished run begins with; `""` of a whole one.

    How many clips are missing is not known where the dataset did not say how many it has.
    """
    if run.complete:
        return ""
    done = len(run) + len(run.failures)
    known = (run.provenance.dataset.get("n_clips"), run.provenance.options.get("limit"))
    total = min((n for n in known if isinstance(n, int)), default=0)
    so_far = f"{done:,} of {counted(total, 'clip')}" if total > done else counted(done, "clip")
    return (
        f"run {run.folder} is not finished: {so_far} so far, and every number is of those; "
        "give the command that made it again, it goes on where it was"
    )
