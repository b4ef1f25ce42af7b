"""The WebGPU build of the runtime, which is too large for the package, out of what npm fetched."""

from __future__ import annotations

import hashlib
import tarfile
from typing import TYPE_CHECKING

from serval.errors import ConfigError
from serval.inspection.targets import WEB_RUNTIME

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["FETCH", "webgpu_files"]

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
    """Return the files of the WebGPU build by name.

    Args:
        package: What `FETCH` wrote, a .tgz file.

    Raises:
        ConfigError: It is not that package.
    """
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
