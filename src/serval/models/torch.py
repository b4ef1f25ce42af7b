"""The checkpoint of a classifier, run by torch (extra: `export`)."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from serval.checkpoints import SETTINGS, open_checkpoint, refuse_missing
from serval.errors import AudioError, ModelError
from serval.models.classifier import Classifier, Identity, identity_of
from serval.models.sources import (
    ARCHITECTURE,
    MOST_SECONDS,
    Source,
    declared_by,
    refuse_output_name,
)
from serval.models.trial import tried
from serval.tasks import DIMENSIONAL
from serval.wording import counted, one_line, printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from serval.checkpoints.checkpoint import Checkpoint
    from serval.models.contract import Contract, Overrides
    from serval.models.protocol import Logits

INPUT, OUTPUT = "input_values", "logits"
"""What exporters call the input and the output."""
SHOWN = 12
"""Labels that a message shows."""


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
    checkpoint = open_named(name, overrides)
    from serval.checkpoints.check import head_check, refuse_fresh
    from serval.checkpoints.network import network_of

    check = head_check(checkpoint)
    refuse_fresh(check, checkpoint.source)
    declared, notes = declared_of(checkpoint, overrides), (*check.doubts, *checkpoint.notes)
    contract = replace(declared, input_name=INPUT, output_name=OUTPUT, notes=notes)
    model = Classifier(
        contract=contract,
        identity=_identity(checkpoint),
        backend=TorchBackend(network=network_of(checkpoint), threads=threads),
        head=check.facts,
    )
    return tried(model)


def open_named(name: str, overrides: Overrides) -> Checkpoint:
    """Return the checkpoint of that name, whatever its task, with a head that may be untrained.

    Raises:
        MissingExtraError: torch or transformers is not installed.
        ModelError: It is no checkpoint of a classifier, or has not as many outputs as labels.
    """
    refuse_output_name(overrides, f"checkpoint '{printable(name)[:200]}'")
    folder, revision = _folder(name)
    opened = open_checkpoint(folder, name, normalize=_unsaid(folder, overrides), revision=revision)
    if overrides.labels is None:
        return opened
    n_outputs, n_labels = len(opened.labels), len(overrides.labels)
    if n_labels != n_outputs and (n_outputs, n_labels) != (1, 2):
        raise ModelError(
            f"checkpoint '{name}': {counted(n_outputs, 'output')} but "
            f"{counted(n_labels, 'label')} ({', '.join(overrides.labels[:SHOWN])}); state one for "
            "each output with --labels"
        )
    sources = {**opened.sources, "labels": "command line"}
    return replace(opened, labels=overrides.labels, sources=sources)


def open_levels(
    name: str, overrides: Overrides, asked: str, *, deviation: bool
) -> tuple[Classifier[TorchBackend], Checkpoint, list[str]]:
    """Return a model whose answers are the pooled features of an encoder's levels, and these.

    Args:
        name: A folder, or `hf:ORG/NAME[@REVISION]`.
        overrides: What the user states.
        asked: `all`, `weighted` (which needs all), `last`, or a number from 0, which is what goes
            into the first block.
        deviation: Whether the standard deviation over time stands beside the mean.

    Raises:
        MissingExtraError: torch or transformers is not installed.
        ModelError: It is no such encoder, or has no such level.
    """
    opened = open_encoder(name, overrides)
    from serval.checkpoints.network import HiddenLevels, HiddenStates

    wanted = _levels(opened, name, asked)
    states = HiddenStates(opened, map(int, wanted))
    n_features = opened.width * len(wanted) * (2 if deviation else 1)
    network = HiddenLevels(states, deviation=deviation).eval()
    model = Classifier(
        contract=_contract_of_features(opened, n_features, overrides),
        identity=_identity(opened),
        backend=TorchBackend(network=network, threads=1),
        runtime={"name": "torch"},
    )
    return tried(model), opened, wanted


def _contract_of_features(encoder: Checkpoint, n: int, overrides: Overrides) -> Contract:
    """Return the contract of an encoder that gives n numbers of no name."""
    labels = tuple(map(str, range(n)))
    declared = declared_by(_said(replace(encoder, labels=labels)), overrides)
    return replace(
        declared,
        input_name=INPUT,
        output_name=OUTPUT,
        outputs=DIMENSIONAL.outputs,
        scale="0..1",
        task=DIMENSIONAL.model,
        sources={**declared.sources, "labels": "dataset"},
    )


def _levels(encoder: Checkpoint, name: str, asked: str) -> list[str]:
    last = str(encoder.layers)
    names = [str(level) for level in range(encoder.layers + 1)]
    wanted = {"all": names, "weighted": names, "last": [last]}.get(asked, [asked])
    if not set(wanted) <= set(names):
        raise ModelError(f"{name} has no --layer {printable(asked)[:60]}; it has 0 to {last}")
    return wanted


def open_encoder(name: str, overrides: Overrides) -> Checkpoint:
    """Return the encoder of that name, without whatever head it has.

    Raises:
        MissingExtraError: torch or transformers is not installed.
        ModelError: It is no encoder whose levels are read.
    """
    refuse_missing(name)
    from serval.checkpoints.opened import open_hidden_levels

    folder, revision = _folder(name)
    opened = open_hidden_levels(folder, name, _unsaid(folder, overrides))
    return replace(opened, revision=revision)


def _unsaid(folder: Path, overrides: Overrides) -> str | None:
    """Return the normalisation that the user states of a checkpoint which does not say its own."""
    said = (folder / "preprocessor_config.json").is_file() or overrides.normalize == "peak"
    return None if said else overrides.normalize


def _identity(checkpoint: Checkpoint) -> Identity:
    """Return which model it is: settings count as weights do, for both decide what it answers."""
    settings = (checkpoint.folder / name for name in SETTINGS)
    files = (*checkpoint.files, *(file for file in settings if file.is_file()))
    return identity_of(_title(checkpoint), checkpoint.folder, files)


def _title(checkpoint: Checkpoint) -> str:
    if checkpoint.revision:
        return checkpoint.source
    return printable(checkpoint.folder.resolve().name)


def _folder(name: str) -> tuple[Path, str]:
    if not name.startswith("hf:"):
        return Path(name).expanduser(), ""
    from serval.models.hub import hub_checkpoint  # its client takes a while to load

    return hub_checkpoint(name)


def declared_of(checkpoint: Checkpoint, overrides: Overrides) -> Contract:
    """Return what is stated of a checkpoint, by the user first.

    Raises:
        ConfigError: The user states what does not go with it.
    """
    return declared_by(_said(checkpoint), overrides)


def _said(checkpoint: Checkpoint) -> list[Source]:
    """Return what a checkpoint states of its contract, and where it does."""
    said = {
        "labels": checkpoint.labels,
        "sample_rate": checkpoint.sample_rate,
        "normalize": checkpoint.normalize,
        "max_seconds": checkpoint.max_seconds,
        MOST_SECONDS: checkpoint.max_seconds,
        "task": None if checkpoint.sources.get("task") == "default" else checkpoint.task.model,
        # Its last layer is linear, and serval puts the sigmoids behind it.
        "outputs": checkpoint.task.outputs if checkpoint.task.has_labels else None,
    }
    return [
        ({"outputs": ARCHITECTURE, **checkpoint.sources}.get(part, "config.json"), {part: value})
        for part, value in said.items()
    ]


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
