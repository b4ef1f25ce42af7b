"""The checkpoint of a classifier on waveforms, run by torch (extra: `export`)."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from serval.errors import AudioError, MissingExtraError, ModelError
from serval.models.classifier import Classifier, identity_of
from serval.models.contract import Contract, Overrides, declared_contract, hub_file
from serval.models.trial import tried
from serval.wording import one_line, printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from serval.models.protocol import Logits

__all__ = ["TorchBackend", "answer_of_module", "open_model"]

WEIGHTS = ("model*.safetensors", "pytorch_model*.bin")


@dataclass(frozen=True, slots=True, kw_only=True)
class TorchBackend:
    """Runs a classifier of transformers.

    Attributes:
        network: In evaluation mode.
        threads: Threads inside one operator; torch has one number for the whole process.
    """

    network: Any
    threads: int

    def scores(self, samples: NDArray[np.float32], lengths: NDArray[np.int64]) -> Logits:  # noqa: ARG002 - without a mask all rows are of one length
        """Return `(B, K) float32` logits.

        Raises:
            AudioError: The network cannot take samples of this length.
        """
        import torch

        torch.set_num_threads(self.threads)
        try:
            with torch.inference_mode():
                logits = self.network(torch.from_numpy(samples)).logits
        except RuntimeError as error:
            raise AudioError(
                f"the model cannot take {samples.shape[1]} samples: {one_line(error)[:300]}"
            ) from error
        return np.asarray(logits.float().numpy(), dtype=np.float32)


def open_model(folder: Path, overrides: Overrides, threads: int) -> Classifier[TorchBackend]:
    """Return the classifier in a folder that `save_pretrained` wrote.

    Raises:
        MissingExtraError: torch or transformers is not installed.
        ModelError: It is no such folder, or not a classifier on waveforms with a trained head.
    """
    try:
        import torch  # noqa: F401 - transformers works without it, but runs nothing
        from transformers import AutoModelForAudioClassification
    except ImportError as error:
        raise MissingExtraError(
            "the runtime 'torch' is not installed; pip install torch transformers"
        ) from error
    _refuse_other_folder(folder)
    try:
        network, loaded = AutoModelForAudioClassification.from_pretrained(
            folder, trust_remote_code=False, output_loading_info=True, dtype="float32"
        )
    except Exception as error:  # transformers raises whatever a file of this kind makes it raise
        raise ModelError(f"transformers cannot open {folder}: {one_line(error)[:300]}") from error
    if loaded["missing_keys"]:
        raise ModelError(
            f"{folder} lacks trained weights for {', '.join(sorted(loaded['missing_keys'])[:4])}, "
            "which would be random; save it again with the class that trained it"
        )
    declared = declared_contract(folder / "config.json", {}, overrides)
    files = next(found for kind in WEIGHTS if (found := sorted(folder.glob(kind))))
    model = Classifier(
        contract=Contract(
            labels=declared.labels,
            sample_rate=declared.sample_rate,
            normalize=declared.normalize,
            max_seconds=declared.max_seconds,
            input_name=str(network.main_input_name),
            output_name="logits",
            outputs="values" if declared.of_dimensions else "logits",
            scale=declared.scale,
            sources=declared.sources,
        ),
        identity=identity_of(printable(folder.resolve().name), folder, files),
        backend=TorchBackend(network=network.eval(), threads=threads),
    )
    return tried(model)


def _refuse_other_folder(folder: Path) -> None:
    if not (folder / "config.json").is_file():
        raise ModelError(
            f"transformers cannot open {folder}: it is no folder with a config.json; give the "
            "folder that save_pretrained wrote"
        )
    if "conv_stride" not in hub_file(folder / "config.json"):
        raise ModelError(
            f"{folder} is not a classifier on raw waveforms, and torch runs no other here; make a "
            f"model of it: serval export {folder} -o model.onnx"
        )


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
