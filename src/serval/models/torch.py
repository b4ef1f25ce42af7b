"""The checkpoint of a classifier, run by torch (extra: `export`)."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from serval.checkpoints import open_checkpoint
from serval.errors import AudioError
from serval.models.classifier import Classifier, identity_of
from serval.models.contract import Contract, Overrides, Source, declared_by, refuse_unscored
from serval.models.trial import tried
from serval.wording import one_line, printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from serval.checkpoints.checkpoint import Checkpoint
    from serval.models.protocol import Logits

__all__ = ["TorchBackend", "answer_of_module", "open_model"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TorchBackend:
    """Runs a network.

    Attributes:
        network: From `(B, T)` samples to `(B, K)` scores, in evaluation mode.
        threads: Threads inside one operator; torch has one number for the whole process.
    """

    network: Any
    threads: int

    def scores(self, samples: NDArray[np.float32], lengths: NDArray[np.int64]) -> Logits:  # noqa: ARG002 - without a mask all rows are of one length
        """Return `(B, K) float32`, what the network gives for each row.

        Raises:
            AudioError: The network cannot take samples of this length.
        """
        import torch

        torch.set_num_threads(self.threads)
        try:
            with torch.inference_mode():
                scores = self.network(torch.from_numpy(samples))
        except RuntimeError as error:
            raise AudioError(
                f"the model cannot take {samples.shape[1]} samples: {one_line(error)[:300]}"
            ) from error
        return np.asarray(scores.float().numpy(), dtype=np.float32)


def open_model(name: str, overrides: Overrides, threads: int) -> Classifier[TorchBackend]:
    """Return the classifier of a checkpoint: a folder, or `hf:ORG/NAME[@REVISION]`.

    Raises:
        MissingExtraError: torch or transformers is not installed.
        ModelError: It is no checkpoint of a classifier with a trained head.
    """
    folder, revision = _folder(name)
    stated = overrides.normalize if overrides.normalize in {"zscore", "none"} else None
    silent = not (folder / "preprocessor_config.json").is_file()
    checkpoint = open_checkpoint(
        folder, name, normalize=stated if silent else None, revision=revision
    )
    refuse_unscored(name, checkpoint.task)
    declared = declared_by(_said(checkpoint), overrides)
    title = name if revision else printable(folder.resolve().name)
    contract = Contract(
        labels=declared.labels,
        sample_rate=declared.sample_rate,
        normalize=declared.normalize,
        max_seconds=declared.max_seconds,
        input_name="input_values",
        output_name="logits",
        task=checkpoint.task,
        sources=declared.sources,
    )
    model = Classifier(
        contract=contract,
        identity=identity_of(title, folder, checkpoint.files),
        backend=TorchBackend(network=_network(checkpoint), threads=threads),
    )
    return tried(model)


def _folder(name: str) -> tuple[Path, str]:
    if not name.startswith("hf:"):
        return Path(name).expanduser(), ""
    from serval.models.hub import hub_checkpoint  # its client takes a while to load

    return hub_checkpoint(name)


def _said(checkpoint: Checkpoint) -> list[Source]:
    """Return what a checkpoint states of its contract, and where it does."""
    said = {
        "labels": checkpoint.labels,
        "sample_rate": checkpoint.sample_rate,
        "normalize": checkpoint.normalize,
        "max_seconds": checkpoint.max_seconds,
    }
    return [(checkpoint.sources[part], {part: value}) for part, value in said.items()]


def _network(checkpoint: Checkpoint) -> Any:  # noqa: ANN401 - torch is an extra
    from serval.checkpoints.network import network_of

    return network_of(checkpoint)


def answer_of_module(module: Any) -> Callable[[NDArray[np.float32]], Any]:  # noqa: ANN401 - torch is an extra
    """Return a function that gives the scores of a module, which is in evaluation mode meanwhile.

    One clip at a time, whatever the number of threads that call: the mode belongs to the whole
    module, and torch has threads of its own inside each operator.

    Args:
        module: A `torch.nn.Module` from `(B, T) float32` samples to `(B, K)` scores, or to an
            object with these as its `logits`.
    """
    import torch

    turn = Lock()

    def answer(samples: NDArray[np.float32]) -> Any:  # noqa: ANN401
        weight = next(iter(module.parameters()), torch.zeros(0))
        with turn, _evaluating(module), torch.inference_mode():
            return module(torch.from_numpy(samples).to(weight.device, weight.dtype))

    return answer


@contextmanager
def _evaluating(module: Any) -> Iterator[None]:  # noqa: ANN401 - torch is an extra
    """Put a module into evaluation mode, and each of its parts back into the mode that it had."""
    modes = {part: part.training for part in module.modules()}
    module.eval()
    try:
        yield
    finally:
        for part, training in modes.items():
            part.training = training
