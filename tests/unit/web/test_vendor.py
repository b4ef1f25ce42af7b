import hashlib
import re
from importlib import resources

from serval.inspection.verdicts import WEB_RUNTIME

VENDOR = resources.files("serval") / "web" / "vendor"
FILES = [
    "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm", "ort.wasm.min.mjs", "qrcode.mjs",
]  # fmt: skip


def test_the_bundled_files_are_those_of_the_table():
    table = (VENDOR / "README.md").read_text("utf-8")
    rows = re.findall(
        r"^\| `([\w.-]+)` .*\| ([\d.]+) \|.*`([\w.-]+)` \| `([0-9a-f]{64})` \|$",
        table,
        re.MULTILINE,
    )
    assert sorted(name for name, *_ in rows) == FILES
    for name, version, licence, sha256 in rows:
        assert version == ("2.0.4" if name == "qrcode.mjs" else WEB_RUNTIME)
        assert hashlib.sha256((VENDOR / name).read_bytes()).hexdigest() == sha256
        assert "MIT License" in (VENDOR / licence).read_text("utf-8")


def test_they_are_of_the_size_that_is_stated():
    assert sum(len((VENDOR / name).read_bytes()) for name in FILES) / 1e6 < 12.5


def test_the_licences_of_what_is_compiled_in_are_there():
    notices = (VENDOR / "ThirdPartyNotices.LICENSE").read_text("utf-8")
    assert all(name in notices for name in ("protobuf", "abseil", "Eigen"))
