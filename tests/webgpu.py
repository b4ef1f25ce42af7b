"""A package like that of ONNX Runtime Web, with little in it."""

import hashlib
import io
import tarfile

from serval.web.site import CHECKSUMS

CONTENT = b"throw new Error('a page without a GPU loads this');"


def package_of(path, monkeypatch):
    """A .tgz whose files have the names of the real ones, and the checksums that are demanded."""
    with tarfile.open(path, "w:gz") as packed:
        for name in CHECKSUMS:
            entry = tarfile.TarInfo(f"package/dist/{name}")
            entry.size = len(CONTENT)
            packed.addfile(entry, io.BytesIO(CONTENT))
    sums = dict.fromkeys(CHECKSUMS, hashlib.sha256(CONTENT).hexdigest())
    monkeypatch.setattr("serval.web.site.CHECKSUMS", sums)
    return path
