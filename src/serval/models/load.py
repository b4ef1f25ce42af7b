"""From a name to an opened model, on one of the runtimes."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from importlib import import_module, metadata, resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from serval.checkpoints import is_checkpoint
from serval.errors import ConfigError, MissingExtraError, ModelError
from serval.files import names_beside
from serval.labels import EMOTIONS
from serval.models.contract import Overrides
from serval.models.options import InferenceOptions, overrides_of
from serval.models.windowed import windowed
from serval.wording import did_you_mean, printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from serval.models.classifier import Classifier
    from serval.models.protocol import Model


AUTO, USUAL, CPU = "auto", "onnxruntime", "cpu"
SHOWN = 6
"""Files of a folder that a message names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """What runs models.

    Attributes:
        module: Where its `open_model(path, overrides, threads)` is, which returns a `Classifier`;
            where it takes folders, with the name instead of the path.
        packages: What must be installed for it; their versions go into a benchmark.
        takes_folder: Whether it opens the folder of a checkpoint, not a file.
        suffix: How files end that no other runtime opens; empty for none.
        prefix: How names begin that it alone opens, and no other names; empty for none.
    """

    module: str
    packages: tuple[str, ...]
    takes_folder: bool = False
    suffix: str = ""
    prefix: str = ""


RUNTIMES = {
    "onnxruntime": Runtime(module="serval.models.onnx", packages=("onnxruntime",)),
    "openvino": Runtime(module="serval.models.openvino", packages=("openvino",), suffix=".xml"),
    "torch": Runtime(
        module="serval.models.torch", packages=("torch", "transformers"), takes_folder=True
    ),
    "python": Runtime(module="serval.models.callable", packages=(), prefix="python:"),
}
"""Every runtime by name; a further one is a line here and a file beside this one."""


def load_as_stated(name: str, options: InferenceOptions) -> Model:
    """Return the model of that name or path, opened as the options say; see `load_model`."""
    stated = overrides_of(options)
    opened = load_model(name, stated, runtime=options.runtime, provider=options.provider)
    return windowed(opened, options)


def load_model(
    name: str,
    overrides: Overrides | None = None,
    *,
    threads: int = 1,
    runtime: str = AUTO,
    provider: str = CPU,
) -> Classifier[Any]:
    """Return the model of that name or path, opened, with its contract.

    Args:
        name: A built-in name, the path of a file or of a checkpoint's folder, `hf:ORG/NAME`, with
            `/FILE.onnx` or `@REVISION` behind it where one is meant, or `python:FILE.py:NAME`.
        overrides: What the user states about it.
        threads: Threads inside one operator.
        runtime: One of `RUNTIMES`, or `auto`: by the end of the name.
        provider: What ONNX Runtime runs it on.

    Raises:
        ModelError: There is no such model, or it does not keep its contract.
        ConfigError: There is no such runtime or provider, or it does not open such files.
        MissingExtraError: The runtime is not installed.
    """
    chosen, note = _runtime_of(name, runtime), ""
    if runtime == AUTO and chosen == USUAL:
        chosen, note = what_is_meant(name, USUAL)
    if chosen != USUAL and provider != CPU:
        raise ConfigError(f"--provider {provider} is of ONNX Runtime; leave it out on {chosen}")
    opened = _opened(name, chosen, overrides or Overrides(), threads, provider)
    opened = replace(opened, runtime=_facts(chosen, provider))
    return opened.with_note(note) if note else opened


def _opened(
    name: str, runtime: str, overrides: Overrides, threads: int, provider: str
) -> Classifier[Any]:
    chosen = RUNTIMES[runtime]
    more = {"provider": provider} if provider != CPU else {}
    model = name if chosen.takes_folder or chosen.prefix else model_path(name)
    try:
        module = import_module(chosen.module)
        opened: Classifier[Any] = module.open_model(model, overrides, threads=threads, **more)
    except ImportError as error:
        if isinstance(error, MissingExtraError) or runtime == USUAL:
            raise
        raise MissingExtraError(
            f"the runtime '{runtime}' is not installed; pip install {' '.join(chosen.packages)}"
        ) from error
    return opened


def _runtime_of(name: str, stated: str) -> str:
    """Return the runtime that is stated, or that a model's name calls for."""
    if stated not in {AUTO, *RUNTIMES}:
        raise ConfigError(f"unknown runtime '{printable(stated)}'; known: {', '.join(RUNTIMES)}")
    own = next((known for known, one in RUNTIMES.items() if _is_of(name, one)), None)
    if own and stated not in {AUTO, own}:
        raise ConfigError(f"{printable(name)} is of {own}; --runtime {stated} runs no such model")
    chosen = own or (USUAL if stated == AUTO else stated)
    if RUNTIMES[chosen].prefix and own != chosen:
        raise ConfigError(f"--runtime {chosen} runs {RUNTIMES[chosen].prefix}FILE.py:NAME alone")
    return chosen


def _is_of(name: str, runtime: Runtime) -> bool:
    """Tell whether only this runtime opens a model of that name."""
    if runtime.prefix:
        return name.startswith(runtime.prefix)
    return bool(runtime.suffix) and Path(name).suffix.lower() == runtime.suffix


def _facts(runtime: str, provider: str) -> dict[str, str]:
    """Return what a run must know of what ran the model; nothing of ONNX Runtime on the CPU."""
    if runtime == USUAL:
        return {} if provider == CPU else {"name": runtime, "provider": provider}
    packages = RUNTIMES[runtime].packages
    return {"name": runtime} | ({"version": metadata.version(packages[0])} if packages else {})


def refuse_no_model(name: str) -> None:
    """Refuse a name that means no model, as far as that shows without opening it."""
    if name.startswith(RUNTIMES["python"].prefix):
        from serval.models.callable import refuse_no_source

        refuse_no_source(name)
    else:
        model_path(name)


def model_path(name: str) -> Path:
    """Return the file that a model name means: a built-in name, a path, or `hf:ORG/NAME/FILE`.

    Raises:
        ModelError: There is no such file, or the hub cannot give it.
    """
    if name.startswith(RUNTIMES["python"].prefix):
        raise ModelError(
            f"{printable(name)[:200]} is an object of Python, and what this looks at is a file; "
            "give an .onnx file"
        )
    if name.startswith("hf:"):
        from serval.models.hub import hub_model  # its client takes a while to load

        return hub_model(name)
    builtin = {model.name: model.path for model in BUILTIN_MODELS}
    path = builtin.get(name) or Path(name).expanduser()
    # Any text may be asked of in this way: pathlib's own questions raise for some.
    if os.path.isfile(path):  # noqa: PTH113
        return path
    if name and os.path.isdir(path):  # noqa: PTH112
        raise ModelError(_folder_instead(name, path))
    raise ModelError(
        f"no model '{printable(name[:200])}': neither a file nor built in; "
        f"built in: {', '.join(builtin)}; one of the hub is hf:ORG/NAME/FILE.onnx"
        f"{_meant(name, builtin)}"
    )


def _meant(name: str, builtin: Iterable[str]) -> str:
    """Return the built-in model, or the file beside, that a name may have meant."""
    files = [file for file in names_beside(name) if file.endswith((".onnx", ".xml"))]
    return did_you_mean(os.path.basename(name), [*builtin, *files])  # noqa: PTH119 - takes any text


def what_is_meant(name: str, runtime: str) -> tuple[str, str]:
    """Return the runtime that opens what a name means, and a sentence on the other way, or `""`.

    A folder with weights and a `config.json` is a checkpoint, whatever else lies in it. Of a model
    on the hub named without a file, the only .onnx file is taken, else the checkpoint.

    Args:
        name: As the user gave it.
        runtime: The one for model files, unless the user named another.
    """
    if name.startswith("hf:"):
        from serval.models.hub import hub_choice  # its client takes a while to load

        files = hub_choice(name)
        onnx = [file for file in files if file.endswith(".onnx")]
        return _chosen(name, runtime, onnx, has_weights=len(onnx) < len(files))
    if runtime != USUAL or not os.path.isdir(name or "."):  # noqa: PTH112 - any text may be asked
        return runtime, ""
    folder = Path(name).expanduser()
    if not is_checkpoint(folder):
        return runtime, ""
    found = _onnx_files(folder)
    return "torch", _other(found) if found else ""


def _chosen(name: str, runtime: str, onnx: Sequence[str], *, has_weights: bool) -> tuple[str, str]:
    if not has_weights:
        return runtime, ""
    if runtime == USUAL and len(onnx) == 1:
        return runtime, (
            f"{name} has {onnx[0]}, which was taken, and a checkpoint too: "
            "take that with --runtime torch."
        )
    return "torch", _other([f"{name}/{file}" for file in onnx]) if onnx else ""


def _other(files: Sequence[object]) -> str:
    return f"The checkpoint was taken; there is an ONNX file too: take it with -m {files[0]}."


def _onnx_files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.onnx")) + sorted(folder.glob("onnx/*.onnx"))


def _folder_instead(name: str, folder: Path) -> str:
    """Return what to name instead of a folder: the models in it, or how to make one of it."""
    found = _onnx_files(folder)
    if found:
        more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
        names = ", ".join(f"-m {file}" for file in found[:SHOWN])
        return f"model '{name}' is a folder; name the file in it: {names}{more}"
    if (folder / "config.json").is_file():
        return (
            f"model '{name}' is a folder with a config.json but without weights (model.safetensors "
            "or pytorch_model.bin); download it again, with all of its files"
        )
    return f"model '{name}' is a folder without an .onnx file; name the file of a model"


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltinModel:
    """A model that is part of the package."""

    name: str
    what: str
    licence: str
    origin: str

    @property
    def path(self) -> Path:
        """Where the file is on this machine."""
        return Path(str(resources.files("serval"))) / "builtin" / "models" / f"{self.name}.onnx"


BUILTIN_MODELS = (
    BuiltinModel(
        name="serval-tiny",
        what=f"{', '.join(EMOTIONS)}; raw 16 kHz waveform, INT8, clips up to 30 s",
        licence="CC BY-NC-SA 4.0 (weights; see the model card beside the file)",
        origin="trained for serval on the SSI train split; encoder from Whisper tiny",
    ),
)
