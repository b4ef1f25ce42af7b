import hashlib
import re
from importlib import resources

VENDOR = resources.files("serval") / "report" / "vendor"


def test_the_bundled_files_are_those_of_the_table():
    table = (VENDOR / "README.md").read_text("utf-8")
    rows = re.findall(r"^\| `([\w.]+)` .*`([\w.]+)` \| `([0-9a-f]{64})` \|$", table, re.MULTILINE)
    assert sorted(name for name, _, _ in rows) == ["d3.min.js", "plot.umd.min.js"]
    for name, licence, sha256 in rows:
        assert hashlib.sha256((VENDOR / name).read_bytes()).hexdigest() == sha256
        assert "Permission to use" in (VENDOR / licence).read_text("utf-8")


def test_no_bundled_file_can_end_the_script_it_stands_in():
    for name in ("d3.min.js", "plot.umd.min.js"):
        text = (VENDOR / name).read_text("utf-8")
        assert "</script" not in text
        assert "<!--" not in text
