"""What a name means where it could be a model file or a checkpoint, and how to say the other."""

from __future__ import annotations

import os
from pathlib import Path

from serval.checkpoints import is_checkpoint


def what_is_meant(name: str, runtime: str) -> tuple[str, str]:
    """Return the runtime that opens what a name means, and what to say of the other way.

    A folder with weights and a `config.json` is a checkpoint, whatever else lies in it. Of a model
    on the hub named without a file, the only .onnx file is taken, else the checkpoint.

    Args:
        name: As the user gave it.
        runtime: The one for model files, unless the user named another.

    Returns:
        The runtime, and one sentence, or `""` where there is no other way.
    """
    if name.startswith("hf:"):
        from serval.models.hub import hub_choice  # its client takes a while to load

        files = hub_choice(name)
        onnx = [file for file in files if file.endswith(".onnx")]
        return _chosen(name, runtime, onnx, has_weights=len(onnx) < len(files))
    if runtime != "onnxruntime" or not os.path.isdir(name or "."):  # noqa: PTH112 - any text may be asked
        return runtime, ""
    folder = Path(name).expanduser()
    if not is_checkpoint(folder):
        return runtime, ""
    found = [str(path) for path in sorted((*folder.glob("*.onnx"), *folder.glob("onnx/*.onnx")))]
    return "torch", _other(found) if found else ""


def _chosen(name: str, runtime: str, onnx: list[str], *, has_weights: bool) -> tuple[str, str]:
    if not has_weights:
        return runtime, ""
    if runtime == "onnxruntime" and len(onnx) == 1:
        return runtime, (
            f"{name} has {onnx[0]}, which was taken, and a checkpoint too: "
            "take that with --runtime torch."
        )
    return "torch", _other([f"{name}/{file}" for file in onnx]) if onnx else ""


def _other(files: list[str]) -> str:
    return f"The checkpoint was taken; there is an ONNX file too: take it with -m {files[0]}."
