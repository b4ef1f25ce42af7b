"""A graph on whatever runtime: how it is fed, and how it becomes a classifier with a contract."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from serval.errors import AudioError, ModelError
from serval.models.classifier import Classifier, Identity
from serval.models.protocol import white_noise
from serval.models.signature import TYPES, Signature, signature_of
from serval.models.sources import OUTPUT_NAME, declared_contract, made_of, with_making
from serval.models.trial import marked_by, tried

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from serval.models.contract import Contract, Overrides
    from serval.models.graph import Skeleton
    from serval.models.protocol import Logits

LONGEST_INPUT_S = 600.0
"""Longest fixed input that is fed: a longer one is no clip, and would only fill the memory."""

Feeds = dict[str, "NDArray[Any]"]
"""Name of an input of the graph -> what it is given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphBackend(ABC):
    """Runs a graph with named inputs and outputs.

    Attributes:
        contract: Which inputs and output of the graph are used, and how.
        signature: Their types and shapes.
    """

    contract: Contract
    signature: Signature

    @abstractmethod
    def run(self, names: Sequence[str], feeds: Feeds) -> list[NDArray[Any]]:
        """Return those outputs of the graph for its inputs.

        Raises:
            AudioError: The runtime cannot run the graph on them.
        """

    def scores(self, samples: NDArray[np.float32], lengths: NDArray[np.int64]) -> Logits:
        """Return `(B, K) float32`, what the graph gives for each row."""
        if self.signature.alone and len(samples) > 1:
            rows = zip(samples[:, np.newaxis], lengths[:, np.newaxis], strict=True)
            return np.concatenate([self.answer(self.feeds(*row)) for row in rows])
        return self.answer(self.feeds(samples, lengths))

    def answer(self, feeds: Feeds) -> Logits:
        """Return `(B, K) float32`, what the graph gives for its inputs."""
        (output,) = self.run([self.contract.output_name], feeds)
        batch = self.signature.batch_of(feeds[self.contract.input_name].shape)
        return _rows(np.asarray(output, dtype=np.float32), batch)

    def feeds(self, samples: NDArray[np.float32], lengths: NDArray[np.int64]) -> Feeds:
        """Return the graph's inputs for normalised `(B, T)` samples with `(B,)` valid lengths."""
        all_of_it = samples.shape[1]
        valid = lengths if self.contract.masks_padding else np.full(len(samples), all_of_it)
        return self.marked(samples, np.arange(all_of_it) < valid[:, np.newaxis])

    def marked(self, samples: NDArray[np.float32], valid: NDArray[np.bool_]) -> Feeds:
        """Return the graph's inputs for `(B, T)` samples of which some are valid."""
        contract, signature = self.contract, self.signature
        wave = signature.laid_out(samples, contract.layout)
        feeds: Feeds = {
            contract.input_name: wave.astype(TYPES[signature.waveform.type], copy=False)
        }
        if signature.mask is not None:
            ones = valid if contract.mask_marks == "valid" else ~valid
            shaped = signature.mask_laid_out(ones)
            feeds[signature.mask.name] = shaped.astype(TYPES[signature.mask.type])
        return feeds


G = TypeVar("G", bound=GraphBackend)


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """What a runtime knows of a graph that it has opened.

    Attributes:
        identity: Which model it is.
        metadata: What the file says of itself.
        nodes: Inputs and outputs, each with name, type and shape as ONNX Runtime gives them.
        skeleton: Of the graph; empty where there is none to read.
    """

    identity: Identity
    metadata: Mapping[str, str]
    nodes: tuple[Sequence[Any], Sequence[Any]]
    skeleton: Skeleton = b""


def classifier_of(
    opened: Opened, overrides: Overrides, backend_of: Callable[..., G]
) -> Classifier[G]:
    """Return a graph as a classifier, its contract resolved, and tried before any clip.

    `backend_of` makes the backend of a contract and a signature, once these are known.

    Raises:
        ModelError: Its inputs or outputs are not those of a speech classifier, it has not as many
            outputs as labels, or two runs of it disagree.
    """
    path = opened.identity.path
    declared = declared_contract(path, opened.metadata, overrides)
    signature = signature_of(
        path,
        opened.nodes,
        (len(declared.labels), overrides.output_name or opened.metadata.get(OUTPUT_NAME)),
        partial(_fitting, backend_of, declared),
    )
    contract = with_making(_contract(declared, signature), opened.metadata)
    _refuse_endless(path, contract)
    model = Classifier(
        contract=contract,
        identity=opened.identity,
        backend=backend_of(contract=contract, signature=signature),
        made_of=made_of(opened.metadata),
    )
    return _with_trial(model, opened.skeleton)


def feeds_of(model: Classifier[G], samples: NDArray[np.float32]) -> Feeds:
    """Return the inputs of a model's graph for one clip, `(T,) float32` as decoded."""
    return model.backend.feeds(*model.prepared(samples[np.newaxis], np.array([len(samples)])))


def _contract(declared: Contract, signature: Signature) -> Contract:
    return replace(
        declared,
        input_name=signature.waveform.name,
        mask_name=signature.mask.name if signature.mask else None,
        output_name=signature.output,
        static_samples=signature.static_samples,
        layout=signature.layout,
    )


def _fitting(
    backend_of: Callable[..., GraphBackend],
    declared: Contract,
    signature: Signature,
    names: list[str],
) -> list[str]:
    """Return the outputs that give one number a label for a second of noise."""
    contract = _contract(declared, signature)
    n = min(contract.static_samples or contract.sample_rate, 10_000_000)
    backend = backend_of(contract=contract, signature=signature)
    try:
        answers = backend.run(names, backend.feeds(white_noise(n), np.array([n])))
    except AudioError:
        return names
    pairs = zip(names, answers, strict=True)
    return [name for name, answer in pairs if np.size(answer) == len(declared.labels)]


def _refuse_endless(path: Path, contract: Contract) -> None:
    fixed = contract.static_samples
    if fixed is not None and fixed > LONGEST_INPUT_S * contract.sample_rate:
        raise ModelError(
            f"{path}: its input is fixed to {fixed} samples "
            f"({fixed / contract.sample_rate:,.0f} s), more than the {LONGEST_INPUT_S:g} s that "
            "serval fills up at most; export it with a free number of samples"
        )


def _with_trial(model: Classifier[G], skeleton: Skeleton) -> Classifier[G]:
    """Return the model with what a few runs on noise show of its mask and its outputs."""

    def with_contract(contract: Contract) -> Classifier[G]:
        backend = replace(model.backend, contract=contract)
        return replace(model, contract=contract, backend=backend)

    chosen = with_contract(marked_by(model))
    return with_contract(tried(chosen, skeleton).contract)


def _rows(output: NDArray[np.float32], batch: int) -> Logits:
    """Return `(B, K)` of `(B, K)`, `(B, 1, K)`, `(B, K, 1)` or, of one clip, `(K,)`, no other."""
    longer = [size for size in output.shape if size != 1]
    rows = longer[1:] if batch > 1 and longer[:1] == [batch] else longer
    if len(rows) > 1 or output.size % batch or (batch > 1 and longer[:1] != [batch]):
        raise AudioError(
            f"the model answered with a tensor of shape {list(output.shape)}, not (batch, labels)"
        )
    return output.reshape(batch, -1)
