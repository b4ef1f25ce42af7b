"""A classifier in an ONNX file, run by ONNX Runtime. No other module opens a session."""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

import onnxruntime as ort
from onnxruntime.capi import onnxruntime_pybind11_state as ort_state

from serval.errors import AudioError, ConfigError, ModelError
from serval.models.backend import GraphBackend, Opened, classifier_of
from serval.models.classifier import Classifier, identity_of
from serval.models.contract import Overrides
from serval.models.graph import external_names, read_skeleton
from serval.wording import one_line, printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from serval.models.backend import Feeds

CPU = "cpu"
"""The provider that every ONNX Runtime has."""
PROVIDER = "ExecutionProvider"
"""How the names of ONNX Runtime end."""
REMOTE = "AzureExecutionProvider"
"""Sends what it is given to a service, and runs no graph here."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class OnnxBackend(GraphBackend):
    """Runs a graph in a session, which any number of threads may call.

    Attributes:
        session: The ONNX Runtime session.
    """

    session: ort.InferenceSession

    def run(self, names: Sequence[str], feeds: Feeds) -> list[NDArray[Any]]:
        """Return those outputs of the graph for its inputs."""
        try:
            return list(self.session.run(list(names), feeds))
        except ORT_ERRORS as error:
            n = max(feeds[self.contract.input_name].shape)
            raise AudioError(
                f"the model cannot take {n} samples "
                f"({n / self.contract.sample_rate:.3f} s): {ort_reason(error)}"
            ) from error


OnnxModel: TypeAlias = Classifier[OnnxBackend]
"""An opened .onnx file."""


def providers() -> dict[str, str]:
    """Return what the installed ONNX Runtime can run graphs on: `cuda` -> its own name.

    Examples:
        >>> providers()["cpu"]
        'CPUExecutionProvider'
    """
    known = (name for name in ort.get_available_providers() if name != REMOTE)
    return {name.removesuffix(PROVIDER).lower(): name for name in known}


def open_session(
    path: Path,
    *,
    threads: int = 1,
    optimize: bool = True,
    profile: Path | None = None,
    rewritten: Path | None = None,
    provider: str = CPU,
) -> ort.InferenceSession:
    """Return an ONNX Runtime session.

    Args:
        path: The .onnx file; external weights are found beside it.
        threads: Threads inside one operator. With 1, any number of callers gives equal bits.
        optimize: Whether ONNX Runtime may rewrite the graph.
        profile: Where to write what ran, as `end_profiling` of the session then does.
        rewritten: Where to write the graph as it runs, without what only this processor has.
        provider: One of `providers`; what it does not run itself, the CPU runs.

    Raises:
        ModelError: The file is missing, empty or not a model that ONNX Runtime can run.
        ConfigError: There is no such provider, or it does not start on this machine.
    """
    refuse_no_file(path)
    options = _session_options(threads, optimize=optimize, profile=profile, rewritten=rewritten)
    wanted = _provider(provider)
    session = _session(path, options, list(dict.fromkeys(wanted)))
    if wanted[0] not in session.get_providers():  # ONNX Runtime goes on with the CPU by itself
        raise ConfigError(
            f"--provider {provider} does not start on this machine: its libraries or its device "
            f"are missing; use --provider {CPU}"
        )
    return session


def _session(
    path: Path, options: ort.SessionOptions, wanted: Sequence[str]
) -> ort.InferenceSession:
    try:
        return ort.InferenceSession(path, options, providers=wanted)
    except ORT_ERRORS as error:
        fault = _fault(path, error)
        raise ModelError(f"{path} cannot be opened as an ONNX model: {fault}") from error


def _session_options(
    threads: int, *, optimize: bool, profile: Path | None, rewritten: Path | None
) -> ort.SessionOptions:
    """Return what `open_session` asks of ONNX Runtime."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    if not optimize:
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    if rewritten:
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
        options.optimized_model_filepath = str(rewritten)
    if profile:
        options.enable_profiling = True
        options.profile_file_prefix = str(profile)
        # Weights that were packed for a kernel no longer show their shape.
        options.add_session_config_entry("session.disable_prepacking", "1")
    return options


def _provider(name: str) -> tuple[str, str]:
    """Return ONNX Runtime's name of a provider, and of the CPU."""
    known = providers()
    if name not in known:
        raise ConfigError(
            f"the installed ONNX Runtime has no --provider '{printable(name)}'; it has "
            f"{', '.join(known)}; install the onnxruntime package that has it"
        )
    return known[name], known[CPU]


def load_onnx(
    path: Path, overrides: Overrides | None = None, *, threads: int = 1, provider: str = CPU
) -> OnnxModel:
    """Return the model in an .onnx file with its contract resolved, and tried before any clip.

    Raises:
        ModelError: The file cannot be run, its inputs or outputs are not those of a speech
            classifier, it has not as many outputs as labels, or two runs of it disagree.
        ConfigError: There is no such provider.
    """
    refuse_no_file(path)
    with _plain_names(path):
        skeleton = read_skeleton(path)
        files = [path, *(path.parent / name for name in external_names(skeleton, path))]
        session = open_session(path, threads=threads, provider=provider)
        opened = Opened(
            identity=identity_of(file_title(path), path, files),
            metadata=session.get_modelmeta().custom_metadata_map,
            nodes=(session.get_inputs(), session.get_outputs()),
            skeleton=skeleton,
        )
        return classifier_of(
            opened, overrides or Overrides(), partial(OnnxBackend, session=session)
        )


open_model = load_onnx
"""As the runtimes of `serval.models.load` call it."""


def refuse_no_file(path: Path) -> None:
    """Refuse a model file that is missing or empty."""
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


def file_title(path: Path) -> str:
    """Return what people call the model in a file: its name, with the folder where all have it."""
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
