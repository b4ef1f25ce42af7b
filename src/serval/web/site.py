"""A model -> a folder of static files that any web host can serve."""

from __future__ import annotations

import hashlib
import html
import json
import tarfile
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Any

import numpy as np

from serval import __version__
from serval.dress import STYLE, bundled, filled
from serval.errors import ConfigError, ModelError
from serval.files import write_bytes, write_text, writing
from serval.inspection import stored_graph, web_faults
from serval.inspection.verdicts import MUCH_MB, WEB_RUNTIME
from serval.machine import platform_facts
from serval.models.load import BUILTIN_MODELS, model_path
from serval.models.onnx import load_onnx
from serval.models.options import ModelOptions, overrides_of
from serval.models.signature import TYPES
from serval.web.clips import PageClip, Trace, page_clips, trace_of
from serval.web.server import HEADERS, POLICY

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from serval.models.onnx import OnnxModel
    from serval.models.signature import Slot


MOST_CLIPS = 64
"""As many as the demo set has."""

AS_JSON: Mapping[str, Any] = {"ensure_ascii": False, "indent": 1, "allow_nan": False}

RUNTIME_FILES = (
    "vendor/ort.wasm.min.mjs",
    "vendor/ort-wasm-simd-threaded.mjs",
    "vendor/ort-wasm-simd-threaded.wasm",
)
"""What a page loads to run a model where it does not take the WebGPU build."""

EXPORTS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "dom.js": ("", ("counted", "download", "el", "isolated", "option", "percent", "tableOf")),
    "theme.js": ('import { el } from "./dom.js";\n', ("colourNow", "startTheme")),
}
"""Scripts of the report, which are one script there and modules here: what each takes and gives."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WebOptions(ModelOptions):
    """How a page is made.

    Attributes:
        clips: Clips of the demo set on which the page compares itself with Python.
        trace: Whether the page can name the first node that computes otherwise, for which every
            model is there a second time.
        webgpu: The npm package whose WebGPU build the page takes where there is a GPU, or `None`.
    """

    clips: int = 16
    trace: bool = False
    webgpu: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A folder that was written.

    Attributes:
        folder: Where.
        size_mb: Of all its files.
        first_mb: What a browser loads before the first answer: page, runtime and first model.
        gpu_mb: The same where the WebGPU build is the runtime; `None` without it.
        notes: One sentence on each thing to know.
    """

    folder: Path
    size_mb: float
    first_mb: float
    gpu_mb: float | None
    notes: tuple[str, ...]


def write_site(models: Sequence[str], folder: Path, options: WebOptions) -> Site:
    """Return the site of one or several models, after writing it; several are timed in turn.

    Args:
        models: Paths of .onnx files, built-in names, or `hf:ORG/NAME/FILE.onnx`.
        folder: Where to write.
        options: What is stated about the models, and how many clips there are.

    Raises:
        ModelError: A model is none, or does not run in a browser.
        ConfigError: There is another folder with files in the place.
    """
    if not 3 <= options.clips <= MOST_CLIPS:
        raise ConfigError(f"--parity-clips is {options.clips}; give 3 to {MOST_CLIPS}")
    _refuse_other_folder(folder)
    packed = webgpu_files(options.webgpu) if options.webgpu else {}
    gpu = {f"vendor/{name}": content for name, content in packed.items()}
    opened = _opened(models, options)
    names = _names(opened)
    clips = page_clips(opened, names, options.clips)
    traces = [trace_of(model, clips[0]) for model in opened] if options.trace else []
    files = dict(_files(opened, names, clips))
    files |= gpu | {_trace_file(at): trace.graph for at, trace in enumerate(traces)}
    for name, content in files.items():
        write_bytes(folder / name, content)
    document = _document(opened, names, clips, traces) | {"webgpu": bool(gpu)}
    write_text(folder / "site.json", json.dumps(document, **AS_JSON) + "\n")
    _remove_others(folder, files)
    return Site(
        folder=folder,
        size_mb=sum(map(len, files.values())) / 1e6,
        first_mb=_first_mb(files, RUNTIME_FILES),
        gpu_mb=_first_mb(files, list(gpu)) if gpu else None,
        notes=tuple(_notes(opened)),
    )


def _remove_others(folder: Path, files: Mapping[str, bytes]) -> None:
    """Remove the models, clips and runtimes of an earlier site, which nobody means to publish."""
    for part in ("models", "clips", "vendor"):
        for old in (folder / part).rglob("*"):
            if old.is_file() and old.relative_to(folder).as_posix() not in files:
                with writing(old):
                    old.unlink()


def _first_mb(files: Mapping[str, bytes], runtime: Sequence[str]) -> float:
    """Return what is fetched before the first answer: no licence, clip or second model."""
    fetched = [_model_file(0), *runtime, *(name for name in files if "/" not in name)]
    return sum(len(files[name]) for name in fetched) / 1e6


def _refuse_other_folder(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"--output {folder} is a file; name a folder")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / "site.json").is_file():
        raise ConfigError(f"--output {folder} holds other files; name a new folder")


def _opened(names: Sequence[str], options: WebOptions) -> list[OnnxModel]:
    """Return the models, each of which runs in a browser and names emotions."""
    paths = [model_path(name) for name in names]
    for path in paths:
        if faults := web_faults(stored_graph(path)):
            raise ModelError(f"{path} {faults[0]}")
    models = [load_onnx(path, overrides_of(options)) for path in paths]
    for model in models:
        if model.contract.outputs == "values":
            raise ModelError(
                f"{model.path} gives values of {', '.join(model.labels)}, and a page names "
                "emotions; give it a classifier"
            )
    return models


def _names(models: Sequence[OnnxModel]) -> list[str]:
    """Return a name for each model: its own, with a number where two share one."""
    names = [model.identity.name for model in models]
    return [
        name if names.count(name) == 1 else f"{name} ({names[:at].count(name) + 1})"
        for at, name in enumerate(names)
    ]


def _files(
    models: Sequence[OnnxModel], names: Sequence[str], clips: Sequence[PageClip]
) -> Iterator[tuple[str, bytes]]:
    """Yield every file but `site.json` as its name and content."""
    package = resources.files("serval")
    for part in sorted((package / "web" / "assets").iterdir(), key=lambda part: part.name):
        if part.name != "index.html":
            yield part.name, part.read_bytes()
    for part in sorted((package / "web" / "vendor").iterdir(), key=lambda part: part.name):
        yield f"vendor/{part.name}", part.read_bytes()
    yield "page.css", STYLE.encode()
    for name in EXPORTS:
        yield name, _module(name).encode()
    yield "index.html", _index(names).encode()
    yield "_headers", _hosts_headers().encode()
    for at, model in enumerate(models):
        yield _model_file(at), model.path.read_bytes()
    for clip in clips:
        yield clip.file, clip.encoded


def _model_file(at: int) -> str:
    return f"models/{at}.onnx"


def _trace_file(at: int) -> str:
    return f"models/{at}.trace.onnx"


def _module(name: str) -> str:
    """Return a script of the report as a module."""
    script = bundled("report", "assets", name)
    imports, exports = EXPORTS[name]
    return f"{imports}{script}\nexport {{ {', '.join(exports)} }};\n"


def _index(names: Sequence[str]) -> str:
    parts = {
        "policy": POLICY,
        "version": __version__,
        "runtime": WEB_RUNTIME,
        "title": f"{names[0]}: the emotion in a voice",
        "waiting": "Loading",
    }
    safe = {name: html.escape(part) for name, part in parts.items()}
    return filled(bundled("web", "assets", "index.html"), safe)


def _hosts_headers() -> str:
    """Return the file in which some static hosts look for the headers that threads need."""
    return "\n".join(("/*", *(f"  {name}: {value}" for name, value in HEADERS.items()), ""))


def _document(
    models: Sequence[OnnxModel],
    names: Sequence[str],
    clips: Sequence[PageClip],
    traces: Sequence[Trace],
) -> dict[str, Any]:
    return {
        "version": __version__,
        "runtime": WEB_RUNTIME,
        "machine": _machine(),
        "models": [
            page_contract(model, name, _model_file(at))
            for at, (model, name) in enumerate(zip(models, names, strict=True))
        ],
        "traces": [
            {"model": name, "file": _trace_file(at), **trace.facts}
            for at, (name, trace) in enumerate(zip(names, traces, strict=False))
        ],
        "samples": [_listed(clip) for clip in clips if clip.is_sample],
        "clips": [_listed(clip) for clip in clips],
        "samples_licence": "synthetic speech, Apache-2.0",
    }


def _listed(clip: PageClip) -> dict[str, Any]:
    return {"name": clip.name, "file": clip.file, "logits": clip.logits}


def _machine() -> str:
    facts = platform_facts()
    return f"{facts['processor']} with onnxruntime {facts['packages']['onnxruntime']}"


def _notes(models: Sequence[OnnxModel]) -> Iterator[str]:
    for model in models:
        if model.size_bytes > MUCH_MB * 1e6:
            yield (
                f"{model.path.name} has {model.size_bytes / 1e6:.0f} MB to load, much for a phone; "
                "serval quantize --target web makes it about a quarter"
            )
        yield from model.contract.warnings


FLOAT_TOLERANCE = 0.005
"""Difference of a logit that sums in another order and the filter of a resampled clip make."""

INTEGER_TOLERANCE = 0.3
"""The same where activations are rounded to integers, since a sum may fall on the other side."""


def page_contract(model: OnnxModel, name: str, file: str) -> dict[str, Any]:
    """Return what the page must know: labels, rate, normalisation, inputs, outputs.

    `name` is what people read, `file` the model's file in the site.
    """
    contract, signature = model.contract, model.backend.signature
    return {
        "name": name,
        "file": file,
        "sha256": model.identity.sha256,
        "size_bytes": model.size_bytes,
        "labels": list(contract.labels),
        "sample_rate": contract.sample_rate,
        "normalize": contract.normalize,
        "max_seconds": contract.max_seconds,
        "static_samples": contract.static_samples,
        "layout": contract.layout,
        "input": _slot(signature.waveform),
        "mask": _slot(signature.mask) if signature.mask else None,
        "masks_padding": contract.masks_padding,
        "mask_marks": contract.mask_marks,
        "output": contract.output_name,
        "outputs": contract.outputs,
        "one_output": contract.one_output,
        "adds_sigmoid": contract.adds_sigmoid,
        "tolerance": _tolerance(model),
        "licence": _licence(model),
    }


def _slot(slot: Slot) -> dict[str, Any]:
    kind = np.dtype(TYPES[slot.type]).name  # what ONNX Runtime's JavaScript calls it
    return {"name": slot.name, "type": kind, "rank": len(slot.shape) or 2}


def _tolerance(model: OnnxModel) -> float:
    weights = stored_graph(model.path).weight_shares
    return INTEGER_TOLERANCE if weights.keys() & {"int8", "int4"} else FLOAT_TOLERANCE


def _licence(model: OnnxModel) -> str:
    """Return the licence that the file states, or that of a built-in model, or nothing."""
    stated = model.backend.session.get_modelmeta().custom_metadata_map
    builtin = {known.path: known.licence for known in BUILTIN_MODELS}
    return builtin.get(model.path) or str(stated.get("license", ""))


FETCH = f"npm pack onnxruntime-web@{WEB_RUNTIME}"
"""Fetches the package, 31 MB, into the folder where it is run."""

CHECKSUMS: Mapping[str, str] = {
    "ort.webgpu.min.mjs": "c50f835ca8ee0999fef441f9319e507b0247923943aec034418b889904e94789",
    "ort-wasm-simd-threaded.asyncify.mjs": (
        "dee69056fbfedf946ba0d9026e191c1361c5455895355e03f4346bf9308e58eb"
    ),
    "ort-wasm-simd-threaded.asyncify.wasm": (
        "f33595b9f7ea51aa6f646dd5a2bde6fbb1c7bcde0b9d2b5f240011a09c1830d0"
    ),
}
"""The files that a page needs, with their sha256."""

MOST_BYTES = 40_000_000


def webgpu_files(package: Path) -> dict[str, bytes]:
    """Return the files of the WebGPU build by name, out of the .tgz file that `FETCH` wrote."""
    try:
        with tarfile.open(package, "r:gz") as packed:
            files = {name: _member(packed, f"package/dist/{name}") for name in CHECKSUMS}
    except (OSError, EOFError, KeyError, tarfile.TarError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "damaged"
        raise ConfigError(f"--webgpu {package} cannot be read ({reason}); {_remedy()}") from error
    for name, content in files.items():
        if hashlib.sha256(content).hexdigest() != CHECKSUMS[name]:
            raise ConfigError(f"--webgpu {package} holds another {name}; {_remedy()}")
    return files


def _member(packed: tarfile.TarFile, name: str) -> bytes:
    file = packed.extractfile(name)
    return file.read(MOST_BYTES) if file else b""


def _remedy() -> str:
    return f"fetch the package once: {FETCH}"
