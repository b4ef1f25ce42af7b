"""A classifier in an ONNX file, run by ONNX Runtime. No other module opens a session."""

from __future__ import annotations

import mmap
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime as ort
from onnxruntime.capi import onnxruntime_pybind11_state as ort_state

from serval.audio import peak_normalized, zscored
from serval.errors import AudioError, ModelError
from serval.files import sha256_of
from serval.models.contract import Contract, Declared, Overrides, declared_contract

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from serval.labels import LabelSet
    from serval.models.protocol import Logits

__all__ = ["OnnxModel", "load_onnx", "open_session"]

ORT_ERRORS: tuple[type[Exception], ...] = (
    ort_state.EPFail,
    ort_state.EngineError,
    ort_state.Fail,
    ort_state.InvalidArgument,
    ort_state.InvalidGraph,
    ort_state.InvalidProtobuf,
    ort_state.NoModel,
    ort_state.NoSuchFile,
    ort_state.NotImplemented,
    ort_state.RuntimeException,
)
FLOATS = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(double)": np.float64}
MASKS = FLOATS | {"tensor(int64)": np.int64, "tensor(int32)": np.int32, "tensor(bool)": np.bool_}
HUB_STEMS = frozenset(
    (
        "model",
        *(f"model_{p}" for p in ("quantized", "int8", "uint8", "fp16", "q4", "q4f16", "bnb4")),
    )
)
"""What every model of the hub is called, so that its folder has to name it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OnnxModel:
    """An opened model file; keeps the `Model` protocol.

    Attributes:
        path: The .onnx file.
        sha256: Of the .onnx file.
        external: Files with external weights: name -> sha256.
        size_bytes: Of the .onnx file and its external weights together.
        contract: What it expects and gives.
        session: The ONNX Runtime session.
    """

    path: Path
    sha256: str
    external: dict[str, str]
    size_bytes: int
    contract: Contract
    session: ort.InferenceSession

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
    def facts(self) -> dict[str, Any]:
        """What a run must know of the model: name, path, sha256, size and contract."""
        return {
            "name": self._name(),
            "path": str(self.path),
            "sha256": self.sha256,
            "external": self.external,
            "size_bytes": self.size_bytes,
            "contract": asdict(self.contract),
        }

    def logits(self, samples: NDArray[np.float32], lengths: NDArray[np.int64]) -> Logits:
        """Return `(B, K) float32` logits of `(B, T) float32` samples with `(B,)` valid lengths.

        Each row is normalised over its valid length. A model with a fixed input length gets the
        first samples of a longer clip and zeros behind a shorter one. For a model that ends in a
        softmax the logits are the logarithms of its probabilities.

        Raises:
            ModelError: Rows of different lengths, but the model has no use of an attention mask.
            AudioError: The model cannot take a clip of this length, or answers with NaN.
        """
        if len(set(lengths.tolist())) > 1 and not self.contract.may_pad:
            raise ModelError(f"{self.path.name} {self._no_mask()}, so clips cannot be padded")
        feeds = self.feeds(samples, lengths)
        try:
            (output,) = self.session.run([self.contract.output_name], feeds)
        except ORT_ERRORS as error:
            raise AudioError(
                f"the model cannot take {samples.shape[1]} samples "
                f"({samples.shape[1] / self.sample_rate:.3f} s): {_first_line(error)}"
            ) from error
        scores = np.asarray(output, dtype=np.float32)
        if not np.isfinite(scores).all():
            raise AudioError("the model answered with NaN or infinite scores")
        if self.contract.outputs == "probabilities":
            return np.log(np.maximum(scores, np.finfo(np.float32).tiny))
        return scores

    def feeds(
        self, samples: NDArray[np.float32], lengths: NDArray[np.int64]
    ) -> dict[str, NDArray[Any]]:
        """Return the graph's inputs for `(B, T) float32` samples with `(B,)` valid lengths."""
        contract = self.contract
        length = contract.static_samples or samples.shape[1]
        batch = np.zeros((len(samples), length), dtype=np.float32)
        mask = np.zeros(batch.shape, dtype=np.bool_)
        for row, (clip, valid) in enumerate(zip(samples, lengths, strict=True)):
            kept = min(int(valid), length)
            batch[row, :kept] = _normalized(clip[:valid], contract.normalize)[:kept]
            mask[row, : kept if contract.masks_padding else length] = True
        types = {node.name: node.type for node in self.session.get_inputs()}
        feeds = {contract.input_name: batch.astype(FLOATS[types[contract.input_name]], copy=False)}
        if contract.mask_name is not None:
            feeds[contract.mask_name] = mask.astype(MASKS[types[contract.mask_name]])
        return feeds

    def _no_mask(self) -> str:
        if self.contract.mask_name is None:
            return "has no attention mask"
        return f"was trained without an attention mask ({self.contract.sources['masks_padding']})"

    def _name(self) -> str:
        if self.path.stem not in HUB_STEMS:
            return self.path.stem
        folder = self.path.absolute().parent
        folder = folder.parent if folder.name == "onnx" else folder
        name = folder.name
        if folder.parent.name == "snapshots":  # of the hub's cache: models--ORG--NAME/snapshots/SHA
            name = folder.parent.parent.name.rpartition("--")[2]
        return f"{name}/{self.path.stem}"


def open_session(
    path: Path, *, threads: int = 1, optimize: bool = True, profile: Path | None = None
) -> ort.InferenceSession:
    """Return an ONNX Runtime session on the CPU.

    Args:
        path: The .onnx file; external weights are found beside it.
        threads: Threads inside one operator. With 1, any number of callers gives equal bits.
        optimize: Whether ONNX Runtime may rewrite the graph.
        profile: Where to write what ran, as `end_profiling` of the session then does.

    Raises:
        ModelError: The file is missing, empty or not a model that ONNX Runtime can run.
    """
    if not path.is_file():
        raise ModelError(f"no model file {path}; give the path of an .onnx file or a built-in name")
    if path.stat().st_size == 0:
        raise ModelError(f"{path} is empty (0 bytes); copy or download it again")
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    if not optimize:
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    if profile:
        options.enable_profiling = True
        options.profile_file_prefix = str(profile)
        # Weights that were packed for a kernel no longer show their shape.
        options.add_session_config_entry("session.disable_prepacking", "1")
    try:
        return ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except ORT_ERRORS as error:
        raise ModelError(
            f"{path} cannot be opened as an ONNX model: {_fault(path, error)}"
        ) from error


def load_onnx(path: Path, overrides: Overrides | None = None, *, threads: int = 1) -> OnnxModel:
    """Return the model in an .onnx file with its contract resolved and tried once on noise.

    Raises:
        ModelError: The file cannot be run, its inputs or outputs are not those of a speech
            classifier, or it has not as many outputs as labels.
    """
    session = open_session(path, threads=threads)
    metadata = session.get_modelmeta().custom_metadata_map
    declared = declared_contract(path, metadata, overrides or Overrides())
    contract = _graph_contract(path, session, declared)
    external = _external_files(path)
    model = OnnxModel(
        path=path,
        sha256=sha256_of(path),
        external={file.name: sha256_of(file) for file in external},
        size_bytes=sum(file.stat().st_size for file in (path, *external)),
        contract=contract,
        session=session,
    )
    return _tried(model)


def _graph_contract(path: Path, session: ort.InferenceSession, declared: Declared) -> Contract:
    waveform, mask = _inputs(path, session.get_inputs())
    batch, samples = waveform.shape
    if isinstance(batch, int) and batch != 1:
        raise ModelError(f"{path}: input '{waveform.name}' wants batches of {batch}; export with 1")
    return Contract(
        labels=declared.labels,
        sample_rate=declared.sample_rate,
        normalize=declared.normalize,
        max_seconds=declared.max_seconds,
        input_name=waveform.name,
        mask_name=mask.name if mask else None,
        masks_padding=declared.masks_padding,
        output_name=_output_name(path, session.get_outputs()),
        static_samples=samples if isinstance(samples, int) else None,
        sources=declared.sources,
    )


def _inputs(path: Path, nodes: list[Any]) -> tuple[Any, Any | None]:
    """Return the waveform input and the mask input, if any."""
    masks = [node for node in nodes if "mask" in node.name.lower() and node.type in MASKS]
    others = [node for node in nodes if node not in masks]
    waveforms = [node for node in others if node.type in FLOATS and len(node.shape) == 2]
    if not waveforms:
        raise ModelError(
            f"{path}: no float input (batch, samples) for a raw waveform; "
            f"its inputs are {_listed(nodes)}"
        )
    unknown = [node for node in others if node is not waveforms[0]] + masks[1:]
    if unknown:
        raise ModelError(
            f"{path}: unknown input {_listed(unknown)} beside '{waveforms[0].name}'; "
            "serval feeds a waveform and an attention mask"
        )
    return waveforms[0], masks[0] if masks else None


def _output_name(path: Path, nodes: list[Any]) -> str:
    scores = [node for node in nodes if node.type in FLOATS and len(node.shape) == 2]
    named = [node for node in scores if "logit" in node.name.lower()]
    candidates = named or scores
    if len(candidates) != 1:
        raise ModelError(
            f"{path}: expected one float output (batch, K) or one named 'logits'; "
            f"its outputs are {_listed(nodes)}"
        )
    return str(candidates[0].name)


def _tried(model: OnnxModel) -> OnnxModel:
    """Return the model after a first run on noise, with what its outputs turned out to be."""
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 0.1, (1, model.contract.static_samples or model.sample_rate))
    try:
        answer = model.logits(noise.astype(np.float32), np.array([noise.shape[1]]))
    except AudioError as error:
        raise ModelError(f"{model.path}: tried on a second of noise, {error}") from error
    labels = model.labels
    if answer.shape != (1, len(labels)):
        raise ModelError(
            f"{model.path}: {answer.shape[-1]} outputs but {len(labels)} labels "
            f"({', '.join(labels)}, from {model.contract.sources['labels']}); "
            "state them with --labels"
        )
    # The margin is what an 8-bit softmax may be off by.
    if not (answer.min() >= 0 and abs(answer.sum() - 1) < 0.02):
        return model
    return replace(model, contract=replace(model.contract, outputs="probabilities"))


def _normalized(samples: NDArray[np.float32], normalize: str) -> NDArray[np.float32]:
    if normalize == "peak":
        return peak_normalized(samples)
    return zscored(samples) if normalize == "zscore" else samples


def _external_files(path: Path) -> list[Path]:
    """Return the files beside the model that hold weights of its graph."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as graph:
        if graph.find(b"location") < 0:
            return []
    import onnx  # only for models that may have such files: it takes a while to load

    weights = onnx.load(path, load_external_data=False).graph.initializer
    named = {e.value for w in weights for e in w.external_data if e.key == "location"}
    return sorted(path.parent / name for name in named)


def _listed(nodes: list[Any]) -> str:
    return ", ".join(f"'{node.name}' {node.type} {node.shape}" for node in nodes)


def _fault(path: Path, error: Exception) -> str:
    """Return why a file does not open, in the words of ONNX Runtime only where there are no better.

    What it says of a damaged file or of missing weights is true, but tells nobody what to do.
    """
    if isinstance(error, ort_state.InvalidProtobuf):
        return "it is damaged, cut off or another kind of file; copy or download it again"
    gone = [file.name for file in _external_files(path) if not file.is_file()]
    if gone:
        return f"its weights in {', '.join(gone)} are not beside it; copy both"
    return _first_line(error)


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:300]
