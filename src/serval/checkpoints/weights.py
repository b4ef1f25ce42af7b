"""The weights of a checkpoint: which files have them, and what is in these.

Nothing in such a file is run: `.bin` and `.ckpt` files are pickles, and of these torch reads only
tensors and plain containers.
"""

from __future__ import annotations

from pickle import UnpicklingError
from typing import TYPE_CHECKING, Any

from serval.errors import ModelError
from serval.texts import json_in
from serval.wording import one_line, printable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from torch import Tensor

Shapes = dict[str, tuple[int, ...]]

NEWER, OLDER = ("model.safetensors", "pytorch_model.bin")
SHOWN = 4
"""Tensors that a message names."""
OLD_NAMES = {
    ".weight_g": ".parametrizations.weight.original0",
    ".weight_v": ".parametrizations.weight.original1",
}
"""How earlier versions of torch called the parts of a weight norm."""


def weight_files(folder: Path) -> list[Path]:
    """Return the files with the weights of a folder in hub layout; none where it has none.

    Safetensors come first: many checkpoints have their weights twice.
    """
    for name in (NEWER, OLDER):
        if (folder / name).is_file():
            return [folder / name]
        if (folder / f"{name}.index.json").is_file():
            return _parts(folder, f"{name}.index.json")
    return []


def tensors_of(files: Sequence[Path]) -> dict[str, Tensor]:
    """Return every tensor by the name that it has today."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    tensors: dict[str, Tensor] = {}
    for file in files:
        if file.suffix != ".safetensors":
            tensors |= pickled_tensors(file)
            continue
        try:
            tensors |= load_file(file)
        except (SafetensorError, OSError, ValueError) as error:
            raise _damaged(file, error) from error
    return {today(name): tensor for name, tensor in tensors.items()}


def pickled_tensors(file: Path) -> dict[str, Tensor]:
    """Return the tensors in a file of `torch.save`, mapped into memory where its format allows it.

    Raises:
        ModelError: It is damaged, or holds anything but tensors and plain containers.
    """
    import torch

    content: Any = None
    try:
        try:
            content = torch.load(file, map_location="cpu", weights_only=True, mmap=True)
        except RuntimeError:  # files of torch before 1.6 cannot be mapped
            content = torch.load(file, map_location="cpu", weights_only=True)
    except UnpicklingError as error:
        if "Unsupported" in str(error) or "weights_only" in str(error).lower():
            reason = _unsafe(error)
            raise ModelError(
                f"{file} holds more than weights ({reason}), which serval does not run; save the "
                "weights alone, as safetensors"
            ) from error
        raise _damaged(file, error) from error
    except (RuntimeError, EOFError, KeyError, OSError, ValueError, IndexError) as error:
        raise _damaged(file, error) from error
    for key in ("model", "state_dict"):
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
    entries = content.items() if isinstance(content, dict) else ()
    return {str(name): value for name, value in entries if isinstance(value, torch.Tensor)}


def misfit(name: str, missing: set[str], unused: set[str], remedy: str) -> ModelError:
    """Return the error for a checkpoint that has not exactly the weights that a network has.

    Args:
        name: What the user calls it.
        missing: Names of the tensors that would stay random.
        unused: Names of those that nothing would take.
        remedy: What to do.
    """
    faults = []
    if missing:
        faults.append(f"lacks trained weights for {some(missing)}, which would be random")
    if unused:
        faults.append(f"has others that are not used: {some(unused)}")
    return ModelError(f"checkpoint '{name}' {'; it '.join(faults)}; {remedy}")


def some(names: Sequence[str] | set[str]) -> str:
    """Return the first few names in order, for a message.

    Examples:
        >>> some({"b", "a"}), some([])
        ('a, b', 'none')
    """
    ordered = [printable(name[:200]) for name in sorted(names)]
    return f"{', '.join(ordered[:SHOWN])}{' ...' if len(ordered) > SHOWN else ''}" or "none"


def _parts(folder: Path, index: str) -> list[Path]:
    try:
        content = json_in(folder / index)
        names = sorted(set(map(str, content["weight_map"].values())))
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        raise ModelError(
            f"{folder / index} does not list the files of the weights: {one_line(error)[:200]}; "
            "download it again"
        ) from error
    for name in names:
        if "/" in name or "\\" in name or not (folder / name).is_file():
            raise ModelError(
                f"{folder}: {index} names '{printable(name[:100])}', which is not beside it; "
                "download the checkpoint again"
            )
    return [folder / name for name in names]


def today(name: str) -> str:
    """Return the name that a tensor has today."""
    for old, new in OLD_NAMES.items():
        if name.endswith(old):
            return name.removesuffix(old) + new
    return name


def _damaged(file: Path, error: Exception) -> ModelError:
    reason = one_line(error)[:120] or type(error).__name__
    return ModelError(
        f"{file}: its weights cannot be read ({reason}); the file is cut off, or only the pointer "
        "of git-lfs: download it again"
    )


def _unsafe(error: Exception) -> str:
    """Return which object of Python a file holds, out of the page that torch says about it."""
    words = str(error).replace("`", " ").split()
    named = [word for word in words if word.count(".") and not word.startswith("http")]
    return printable((named or ["objects of Python"])[0].strip(".,:")[:100])
