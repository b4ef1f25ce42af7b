"""An opened model on whatever runtime: what is the same for all of them stands here."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np

from serval.audio import peak_normalized, zscored
from serval.errors import ModelError
from serval.files import sha256_of
from serval.models.protocol import Backend, finite
from serval.probabilities import logits_of_scores

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from serval.labels import LabelSet
    from serval.models.contract import Contract
    from serval.models.protocol import Logits

Other = TypeVar("Other", bound=Backend)
B_co = TypeVar("B_co", bound=Backend, covariant=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Which model it is, whatever it runs on.

    Attributes:
        name: What people read.
        path: The model file, or the folder of a checkpoint.
        sha256: Of the model file.
        size_bytes: Of all its files together.
        external: Files with further weights: name -> sha256.
    """

    name: str
    path: Path
    sha256: str
    size_bytes: int
    external: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Classifier(Generic[B_co]):
    """An opened model; keeps the `Model` protocol.

    Attributes:
        contract: What it expects and gives.
        identity: Which model it is.
        backend: What runs it.
        runtime: Name and version of what that belongs to; empty for ONNX Runtime on the CPU.
        head: Of a checkpoint, what the check of its head found.
        made_of: Of a file of `serval probe --save`, what its metadata say of its making.
    """

    contract: Contract
    identity: Identity
    backend: B_co
    runtime: Mapping[str, str] = field(default_factory=dict)
    head: Mapping[str, Any] = field(default_factory=dict)
    made_of: Mapping[str, str] = field(default_factory=dict)

    @property
    def labels(self) -> LabelSet:
        """The K labels, in the order of the logits."""
        return self.contract.labels

    @property
    def sample_rate(self) -> int:
        """The sample rate in Hz that `logits` expects."""
        return self.contract.sample_rate

    @property
    def max_seconds(self) -> float:
        """The longest clip in seconds."""
        return self.contract.max_seconds

    @property
    def path(self) -> Path:
        """The model file, or the folder of a checkpoint."""
        return self.identity.path

    @property
    def size_bytes(self) -> int:
        """Of all files of the model together."""
        return self.identity.size_bytes

    @property
    def facts(self) -> dict[str, Any]:
        """What a run must know of the model: name, path, sha256, size, contract and warnings."""
        warnings, trained_on = list(self.contract.warnings), self.contract.trained_on
        ranges = self.contract.sound_ranges
        return {
            "name": self.identity.name,
            "path": str(self.identity.path),
            "sha256": self.identity.sha256,
            "external": dict(self.identity.external),
            "size_bytes": self.identity.size_bytes,
            "contract": self.contract.facts,
            **({"runtime": dict(self.runtime)} if self.runtime else {}),
            **({"head": dict(self.head)} if self.head else {}),
            **({"made_of": dict(self.made_of)} if self.made_of else {}),
            **({"warnings": warnings} if warnings else {}),
            **({} if trained_on is None else {"trained_on": trained_on.facts()}),
            **({} if ranges is None else {"sound_ranges": ranges.facts()}),
        }

    def with_note(self, note: str) -> Classifier[B_co]:
        """Return the same model with one more sentence that a run keeps among its warnings."""
        contract = replace(self.contract, notes=(*self.contract.notes, note))
        return replace(self, contract=contract)

    def on(self, backend: Other) -> Classifier[Other]:
        """Return the same model on another backend."""
        return Classifier(
            contract=self.contract, identity=self.identity, backend=backend, made_of=self.made_of
        )

    def logits(self, samples: NDArray[np.float32], lengths: NDArray[np.int64]) -> Logits:
        """Return `(B, K) float32` logits of `(B, T) float32` samples with `(B,)` valid lengths.

        A model with a fixed input length gets the first samples of a longer clip and zeros behind
        a shorter one. Each row is normalised over the samples of its clip that the model gets.

        Of a model that ends in a softmax the logits are the logarithms of its probabilities, of
        one that ends in sigmoids the log-odds of its scores; of one whose sigmoids are left out
        they are what it gives.

        Raises:
            ModelError: Rows of different lengths, but the model has no use of an attention mask.
            AudioError: The model cannot take a clip of this length, or answers with NaN.
        """
        if len(set(lengths.tolist())) > 1 and not self.contract.may_pad:
            raise ModelError(f"{self.path.name} {self._no_mask()}, so clips cannot be padded")
        scores = self.scores(samples, lengths)
        if self.contract.adds_sigmoid:
            return scores
        return logits_of_scores(scores, self.contract.outputs)

    def scores(self, samples: NDArray[np.float32], lengths: NDArray[np.int64]) -> Logits:
        """Return `(B, K) float32` as the model gives it, one column for each label.

        Raises:
            AudioError: The model cannot take a clip of this length, or answers with NaN.
        """
        scores = finite(self.backend.scores(*self.prepared(samples, lengths)))
        if not self.contract.one_output or scores.shape[1] != 1:
            return scores
        first = 1 - scores if self.contract.outputs == "probabilities" else np.zeros_like(scores)
        return np.concatenate([first, scores], axis=1)

    def prepared(
        self, samples: NDArray[np.float32], lengths: NDArray[np.int64]
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Return the samples cut, normalised, filled up with zeros, and their valid lengths."""
        length = self.contract.static_samples or samples.shape[1]
        batch = np.zeros((len(samples), length), dtype=np.float32)
        kept = np.minimum(lengths, length)
        for row, clip, n in zip(batch, samples, kept, strict=True):
            row[:n] = _normalized(clip[:n], self.contract.normalize)
        return batch, kept

    def _no_mask(self) -> str:
        if self.contract.mask_name is None:
            return "has no attention mask"
        source = self.contract.sources["masks_padding"]
        return f"was trained without an attention mask ({source})"


def identity_of(name: str, path: Path, files: Sequence[Path]) -> Identity:
    """Return the identity of a model that consists of a file and others beside it.

    Args:
        name: What people read.
        path: What the model was opened by: its file, or its folder.
        files: The model file first, then those with further weights.
    """
    first, *others = files
    return Identity(
        name=name,
        path=path,
        sha256=sha256_of(first),
        external={file.name: sha256_of(file) for file in others},
        size_bytes=sum(file.stat().st_size for file in files),
    )


def _normalized(samples: NDArray[np.float32], normalize: str) -> NDArray[np.float32]:
    if normalize == "peak":
        return peak_normalized(samples)
    return zscored(samples) if normalize == "zscore" else samples
