"""What a command may do, whatever it is given: end with a code of its own and count every clip."""

import json
import unicodedata
from pathlib import Path
from tempfile import TemporaryDirectory

from fuzz.forked import MOST_BYTES, forked
from fuzz.inputs import world
from serval.wording import HIDDEN

CODES = {0, 1, 2, 3}
TEXTS = ("*.md", "*.csv", "*.html", "*.json", "*.xml")
"""Files that people open in a terminal, an editor or a browser."""


def fault_of(case):
    """What is wrong with what the command did, in one line, or nothing."""
    with TemporaryDirectory(prefix="fuzz-") as name:
        folder = Path(name)
        write(case, folder)
        seen = forked(case.arguments, folder)
        return next(filter(None, _faults(case, seen, folder)), "")


def write(case, folder):
    """Lay the files of the case, and all others that its command needs, in a folder."""
    for name, content in (world() | case.files).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def _faults(case, seen, folder):
    if seen.done is None:
        yield seen.death
        return
    said = seen.done.stdout + seen.done.stderr
    yield seen.death
    yield "" if seen.done.returncode in CODES and "Traceback" not in said else _last_line(said)
    yield f"{seen.peak_mb:.0f} MB" if seen.peak_mb * 1e6 > MOST_BYTES else ""
    yield _obeyed(said) and f"printed {_obeyed(said)}"
    yield "" if seen.done.returncode != 2 or seen.done.stderr.strip() else "2 without a reason"
    yield _written(case, seen.done, folder)


def _last_line(said):
    return f"raised {said.strip().splitlines()[-1][:300]}"


def _obeyed(text):
    """The first character that a terminal would obey, as an escape."""
    bad = (c for c in text if c not in "\n\t" and (c in HIDDEN or unicodedata.category(c) == "Cc"))
    return ascii(next(bad, ""))[1:-1]


def _written(case, done, folder):
    """What is wrong with the files: text that is obeyed, or clips that are nowhere."""
    given = {folder / name for name in world() | case.files}
    for file in (file for pattern in TEXTS for file in folder.rglob(pattern)):
        if file.is_file() and file not in given and (bad := _obeyed(file.read_bytes().decode())):
            return f"{file.name} has {bad}"
    results = folder / "out" / "results.json"
    if case.clips is None or not results.is_file():
        return "" if case.clips is None or done.returncode in (2, 3) else "no results"
    document = json.loads(results.read_text(encoding="utf-8"))
    left_out = sum(part["n"] for part in document["left_out"])
    n = document["metadata"]["total_samples"] + document["metadata"]["failed_samples"] + left_out
    return "" if n == case.clips else f"{n} of {case.clips} clips are accounted for"
