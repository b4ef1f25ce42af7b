"""A classifier in an ONNX file or in OpenVINO's own (IR), run by OpenVINO (extra: `openvino`)."""

from __future__ import annotations

import hashlib
import os
import sys
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from threading import local
from typing import TYPE_CHECKING, Any

import numpy as np

from serval.errors import AudioError, MissingExtraError, ModelError
from serval.machine import available_cores
from serval.models.backend import GraphBackend, Opened, classifier_of
from serval.models.classifier import identity_of
from serval.models.onnx import file_title, load_onnx, refuse_no_file
from serval.models.signature import Slot
from serval.wording import one_line

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from serval.models.backend import Feeds
    from serval.models.classifier import Classifier, Identity
    from serval.models.contract import Overrides

IR = ".xml"
"""How the files of OpenVINO's own form end; their weights lie in a .bin beside them."""

TYPES: Mapping[str, str] = {
    "f32": "tensor(float)",
    "f16": "tensor(float16)",
    "f64": "tensor(double)",
    "i64": "tensor(int64)",
    "i32": "tensor(int32)",
    "u8": "tensor(uint8)",
    "i8": "tensor(int8)",
    "boolean": "tensor(bool)",
}
"""Types of OpenVINO, and what ONNX Runtime calls them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenVinoBackend(GraphBackend):
    """Runs a compiled graph; each thread has a request of its own, and each core a stream.

    Attributes:
        compiled: The compiled model.
        requests: One for each thread.
    """

    compiled: Any
    requests: local = field(default_factory=local)

    def run(self, names: Sequence[str], feeds: Feeds) -> list[NDArray[Any]]:
        """Return those outputs of the graph for its inputs."""
        if not hasattr(self.requests, "own"):
            self.requests.own = self.compiled.create_infer_request()
        try:
            answers = self.requests.own.infer(feeds)
        except RuntimeError as error:
            n = max(feeds[self.contract.input_name].shape)
            raise AudioError(
                f"OpenVINO cannot run the model on {n} samples: {one_line(error)[-300:]}"
            ) from error
        return [np.array(answers[name]) for name in names]


def open_model(path: Path, overrides: Overrides, threads: int) -> Classifier[OpenVinoBackend]:
    """Return the model in an .onnx or .xml file, compiled for that many threads a stream.

    What an .onnx file expects and gives is found by ONNX Runtime, so that both have one contract.

    Raises:
        MissingExtraError: OpenVINO is not installed.
        ModelError: It cannot run this model.
    """
    try:
        import openvino
    except ImportError as error:
        raise MissingExtraError(
            "the runtime 'openvino' is not installed; pip install openvino"
        ) from error
    core = openvino.Core()
    if path.suffix.lower() == IR:
        return _open_ir(core, path, overrides, threads)
    known = load_onnx(path, overrides)
    compiled = _compiled(core, known.identity, threads)
    signature = known.backend.signature
    return known.on(
        OpenVinoBackend(compiled=compiled, contract=known.contract, signature=signature)
    )


def compiled_folder() -> Path:
    """Return where compiled models are kept: in the user's own cache folder."""
    home = Path.home()
    usual = {"win32": home / "AppData" / "Local", "darwin": home / "Library" / "Caches"}
    variable = "LOCALAPPDATA" if sys.platform == "win32" else "XDG_CACHE_HOME"
    own = os.environ.get(variable)
    return (Path(own) if own else usual.get(sys.platform, home / ".cache")) / "serval" / "openvino"


def _open_ir(
    core: Any,  # noqa: ANN401 - OpenVINO is an extra
    path: Path,
    overrides: Overrides,
    threads: int,
) -> Classifier[OpenVinoBackend]:
    weights = path.with_suffix(".bin")
    refuse_no_file(path)
    if not weights.is_file():
        raise ModelError(f"{path}: its weights {weights.name} are not beside it; copy both")
    graph = _known(path, partial(core.read_model, str(path)))
    identity = identity_of(file_title(path), path, [path, weights])
    opened = Opened(
        identity=identity,
        metadata=_metadata(graph),
        nodes=([_slot(port) for port in graph.inputs], [_slot(port) for port in graph.outputs]),
    )
    compiled = _compiled(core, identity, threads)
    return classifier_of(opened, overrides, partial(OpenVinoBackend, compiled=compiled))


def _compiled(core: Any, identity: Identity, threads: int) -> Any:  # noqa: ANN401
    """Return the model compiled, taken from the cache where it was compiled before.

    The cache has a folder for each content of the files: OpenVINO itself goes by name and date.
    """
    streams = available_cores()
    settings = {
        "NUM_STREAMS": streams,
        "INFERENCE_NUM_THREADS": streams * threads,
        # Workers of a cluster, and other programs, would be tied to the same cores.
        "ENABLE_CPU_PINNING": False,
        # Where the processor has bfloat16, OpenVINO would round an fp32 model to it.
        "INFERENCE_PRECISION_HINT": "f32",
    }
    contents = "".join([identity.sha256, *identity.external.values()])
    folder = compiled_folder() / hashlib.sha256(contents.encode()).hexdigest()[:32]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        settings["CACHE_DIR"] = str(folder)
    except OSError:  # a home that cannot be written: it is compiled each time
        pass
    path = identity.path
    return _known(path, partial(core.compile_model, str(path), "CPU", settings))


def _known(path: Path, ask: partial[Any]) -> Any:  # noqa: ANN401
    try:
        return ask()
    except RuntimeError as error:
        last = str(error).strip().splitlines()[-1]
        raise ModelError(f"OpenVINO cannot run {path}: {one_line(last)[:300]}") from error


def _slot(port: Any) -> Slot:  # noqa: ANN401
    """Return an input or output of OpenVINO as ONNX Runtime would describe it."""
    kind = port.get_element_type().get_type_name()
    shape = port.get_partial_shape()
    axes = () if shape.rank.is_dynamic else tuple(shape)
    return Slot(
        name=port.get_any_name(),
        type=TYPES.get(kind, f"tensor({kind})"),
        shape=tuple(None if axis.is_dynamic else axis.get_length() for axis in axes),
    )


def _metadata(graph: Any) -> dict[str, str]:  # noqa: ANN401
    """Return the metadata of the ONNX file that an IR was made from, which it keeps."""
    if not graph.has_rt_info("framework"):
        return {}
    found = graph.get_rt_info("framework").value
    return {str(key): str(value) for key, value in found.items()} if isinstance(found, dict) else {}
