"""A classifier in an ONNX file, run by ONNX Runtime. No other module opens a session."""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import onnxruntime as ort
from onnxruntime.capi import onnxruntime_pybind11_state as ort_state

from serval.errors import AudioError, ModelError
from serval.models.classifier import Classifier, identity_of
from serval.models.contract import Contract, Declared, Overrides, declared_contract, trained_on
from serval.models.graph import external_names, read_skeleton
from serval.models.masks import marked_by
from serval.models.signature import Signature, signature_of
from serval.models.trial import tried
from serval.wording import one_line, printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from serval.models.graph import Skeleton
    from serval.models.protocol import Backend, Logits

__all__ = [
    "OnnxBackend",
    "OnnxModel",
    "as_rows",
    "feeds_of",
    "load_onnx",
    "one_by_one",
    "open_model",
    "open_session",
    "ort_reason",
    "refuse_no_file",
]

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
    MemoryError,
)
TYPES: Mapping[str, type[np.generic]] = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
    "tensor(uint8)": np.uint8,
    "tensor(int8)": np.int8,
    "tensor(bool)": np.bool_,
}
HUB_STEMS = frozenset(
    (
        "model",
        *(f"model_{p}" for p in ("quantized", "int8", "uint8", "fp16", "q4", "q4f16", "bnb4")),
    )
)
"""What every model of the hub is called, so that its folder has to name it."""
NODE_FAILED = re.compile(
    r"^Non-zero status code returned while running (\w+) node\. Name:'([^']*)' Status Message: "
)
LONGEST_INPUT_S = 600.0
"""Longest fixed input that is fed: a longer one is no clip, and would only fill the memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OnnxBackend:
    """Runs a graph.

    Attributes:
        session: The ONNX Runtime session.
        contract: Which inputs and output of the graph are used, and how.
        signature: Their types and shapes.
    """

    session: ort.InferenceSession
    contract: Contract
    signature: Signature

    def scores(self, samples: NDArray[np.float32], lengths: NDArray[np.int64]) -> Logits:
        """Return `(B, K) float32`, what the graph gives for each row.

        Raises:
            AudioError: ONNX Runtime cannot run the graph on samples of this length.
        """
        if self.signature.alone and len(samples) > 1:
            return one_by_one(self, samples, lengths)
        return self.answer(self.feeds(samples, lengths))

    def answer(self, feeds: Mapping[str, NDArray[Any]]) -> Logits:
        """Return `(B, K) float32`, what the graph gives for its inputs.

        Raises:
            AudioError: ONNX Runtime cannot run the graph on them.
        """
        shape = feeds[self.contract.input_name].shape
        try:
            (output,) = self.session.run([self.contract.output_name], feeds)
        except ORT_ERRORS as error:
            n = max(shape)
            raise AudioError(
                f"the model cannot take {n} samples "
                f"({n / self.contract.sample_rate:.3f} s): {ort_reason(error)}"
            ) from error
        return as_rows(np.asarray(output, dtype=np.float32), self.signature.batch_of(shape))

    def feeds(
        self, samples: NDArray[np.float32], lengths: NDArray[np.int64]
    ) -> dict[str, NDArray[Any]]:
        """Return the graph's inputs for normalised `(B, T)` samples with `(B,)` valid lengths."""
        all_of_it = samples.shape[1]
        valid = lengths if self.contract.masks_padding else np.full(len(samples), all_of_it)
        return self.marked(samples, np.arange(all_of_it) < valid[:, np.newaxis])

    def marked(
        self, samples: NDArray[np.float32], valid: NDArray[np.bool_]
    ) -> dict[str, NDArray[Any]]:
        """Return the graph's inputs for `(B, T)` samples of which some are valid."""
        contract, signature = self.contract, self.signature
        wave = signature.laid_out(samples, contract.layout)
        feeds: dict[str, NDArray[Any]] = {
            contract.input_name: wave.astype(TYPES[signature.waveform.type], copy=False)
        }
        if signature.mask is not None:
            ones = valid if contract.mask_marks == "valid" else ~valid
            shaped = signature.mask_laid_out(ones)
            feeds[signature.mask.name] = shaped.astype(TYPES[signature.mask.type])
        return feeds


OnnxModel: TypeAlias = Classifier[OnnxBackend]
"""An opened .onnx file."""


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
    refuse_no_file(path)
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


def open_model(path: Path, overrides: Overrides, threads: int) -> OnnxModel:
    """Return the model in an .onnx file; see `load_onnx`."""
    return load_onnx(path, overrides, threads=threads)


def load_onnx(path: Path, overrides: Overrides | None = None, *, threads: int = 1) -> OnnxModel:
    """Return the model in an .onnx file with its contract resolved, and tried before any clip.

    Raises:
        ModelError: The file cannot be run, its inputs or outputs are not those of a speech
            classifier, it has not as many outputs as labels, or two runs of it disagree.
    """
    refuse_no_file(path)
    with _plain_names(path):
        skeleton = read_skeleton(path)
        files = [path, *(path.parent / name for name in external_names(skeleton, path))]
        session = open_session(path, threads=threads)
        metadata = session.get_modelmeta().custom_metadata_map
        given = overrides or Overrides()
        declared = declared_contract(path, metadata, given)
        signature = signature_of(
            path,
            (session.get_inputs(), session.get_outputs()),
            (len(declared.labels), given.output_name),
            partial(_fitting, session, declared),
        )
        trained, notes = trained_on(metadata)
        contract = replace(_contract(declared, signature), trained_on=trained, notes=notes)
        _refuse_endless(path, contract)
        model = Classifier(
            contract=contract,
            identity=identity_of(_name(path), path, files),
            backend=OnnxBackend(session=session, contract=contract, signature=signature),
        )
        return _with_trial(model, skeleton)


def feeds_of(model: OnnxModel, samples: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
    """Return the inputs of a model's graph for one clip, `(T,) float32` as decoded."""
    return model.backend.feeds(*model.prepared(samples[np.newaxis], np.array([len(samples)])))


def refuse_no_file(path: Path) -> None:
    """Do nothing if there is a file with something in it.

    Raises:
        ModelError: There is none, or it is empty.
    """
    if not path.is_file():
        raise ModelError(f"no model file {path}; give the path of an .onnx file or a built-in name")
    if path.stat().st_size == 0:
        raise ModelError(f"{path} is empty (0 bytes); copy or download it again")


def ort_reason(error: BaseException) -> str:
    """Return why ONNX Runtime refuses, without the places in its source that it names.

    Examples:
        >>> ort_reason(ValueError(
        ...     "[ONNXRuntimeError] : 1 : FAIL : Load model from m.onnx failed:/src/model.cc:256 "
        ...     "onnxruntime::Model::Model(onnx::ModelProto&&, const int*) Unsupported model IR "
        ...     "version: 99, max supported IR version: 14"
        ... ))
        'Unsupported model IR version: 99, max supported IR version: 14'
        >>> ort_reason(ValueError(
        ...     "[ONNXRuntimeError] : 6 : RUNTIME_EXCEPTION : Non-zero status code returned while "
        ...     "running Pad node. Name:'/Pad' Status Message: Pad reflect: pre-pad (200) is more"
        ... ))
        'at /Pad (Pad): Pad reflect: pre-pad (200) is more'
    """
    text = one_line(error) or type(error).__name__
    text = re.sub(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ", "", text)
    text = re.sub(r"^Load model from .*? failed: ?", "", text)
    text = NODE_FAILED.sub(r"at \2 (\1): ", text)
    while (
        place := re.search(r"\S*[/\\]\S+\.(?:cc|h|cpp|hpp|cu)(?::\d+|\(\d+\)) ", text)
    ) is not None:
        text = text[: place.start()] + _after_signature(text[place.end() :])
    text = re.sub(r"\b(?:onnxruntime|onnx|std|Ort|google)(?:::\w+)+", _last_name, text)
    return text[:400].strip()


def _last_name(found: re.Match[str]) -> str:
    return found.group().rpartition("::")[2]


def _after_signature(text: str) -> str:
    """Return what follows the signature of a C++ function that a text begins with."""
    depth = 0
    for at, character in enumerate(text):
        depth += {"(": 1, ")": -1}.get(character, 0)
        if character == ")" and depth == 0:
            rest = text[at + 1 :]
            return re.sub(r"^(?: const| noexcept|::\S+|\s*\[with [^]]*\])*\s*", "", rest)
    return text


@contextmanager
def _plain_names(path: Path) -> Iterator[None]:
    try:
        yield
    except UnicodeDecodeError as error:
        raise ModelError(
            f"{path}: a name or an entry of its metadata is not UTF-8; the file is damaged, or was "
            "made by a faulty tool: export the model again"
        ) from error


def _contract(declared: Declared, signature: Signature) -> Contract:
    return Contract(
        labels=declared.labels,
        sample_rate=declared.sample_rate,
        normalize=declared.normalize,
        max_seconds=declared.max_seconds,
        input_name=signature.waveform.name,
        mask_name=signature.mask.name if signature.mask else None,
        masks_padding=declared.masks_padding,
        output_name=signature.output,
        static_samples=signature.static_samples,
        layout=signature.layout,
        sources=declared.sources,
    )


def _fitting(
    session: ort.InferenceSession, declared: Declared, signature: Signature, names: list[str]
) -> list[str]:
    """Return the outputs that give one number a label for a second of noise."""
    contract = _contract(declared, signature)
    n = min(contract.static_samples or contract.sample_rate, 10_000_000)
    noise = np.random.default_rng(0).normal(0, 0.1, (1, n)).astype(np.float32)
    backend = OnnxBackend(session=session, contract=contract, signature=signature)
    try:
        answers = session.run(names, backend.feeds(noise, np.array([n])))
    except ORT_ERRORS:
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


def _with_trial(model: OnnxModel, skeleton: Skeleton) -> OnnxModel:
    """Return the model with what a few runs on noise show of its mask and its outputs."""

    def with_contract(contract: Contract) -> OnnxModel:
        backend = replace(model.backend, contract=contract)
        return replace(model, contract=contract, backend=backend)

    chosen = with_contract(marked_by(model))
    return with_contract(tried(chosen, skeleton).contract)


def one_by_one(
    backend: Backend, samples: NDArray[np.float32], lengths: NDArray[np.int64]
) -> Logits:
    """Return `(B, K) float32` scores from a backend whose graph takes one clip at a time."""
    rows = zip(samples[:, np.newaxis], lengths[:, np.newaxis], strict=True)
    return np.concatenate([backend.scores(*row) for row in rows])


def as_rows(output: NDArray[np.float32], batch: int) -> Logits:
    """Return `(B, K)` of `(B, K)`, `(B, 1, K)`, `(B, K, 1)` or, for one clip, `(K,)`.

    Raises:
        AudioError: It is none of these.
    """
    longer = [size for size in output.shape if size != 1]
    rows = longer[1:] if batch > 1 and longer[:1] == [batch] else longer
    if len(rows) > 1 or output.size % batch or (batch > 1 and longer[:1] != [batch]):
        raise AudioError(
            f"the model answered with a tensor of shape {list(output.shape)}, not (batch, labels)"
        )
    return output.reshape(batch, -1)


def _name(path: Path) -> str:
    if path.stem not in HUB_STEMS:
        return printable(path.stem)
    folder = path.absolute().parent
    folder = folder.parent if folder.name == "onnx" else folder
    name = folder.name
    if folder.parent.name == "snapshots":  # of the hub's cache: models--ORG--NAME/snapshots/SHA
        name = folder.parent.parent.name.rpartition("--")[2]
    return printable(f"{name}/{path.stem}")


def _fault(path: Path, error: BaseException) -> str:
    """Return why a file does not open, in the words of ONNX Runtime only where there are no better.

    What it says of a damaged file or of missing weights is true, but tells nobody what to do.
    """
    if isinstance(error, ort_state.InvalidProtobuf):
        return "it is damaged, cut off or another kind of file; copy or download it again"
    names = external_names(read_skeleton(path), path)
    gone = [printable(name) for name in names if not (path.parent / name).is_file()]
    if gone:
        return f"its weights in {', '.join(gone)} are not beside it; copy both"
    reason = ort_reason(error)
    newer = re.search(r"IR version|[Oo]pset|domain_version|not a registered function", reason)
    remedy = "; install a newer onnxruntime, or export the model for an older opset"
    return reason.rstrip(".") + (remedy if newer else "")
