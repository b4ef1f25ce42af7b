"""What holds for the whole room: one face, and imports that go one way."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

from serval import stress

ROOM = Path(stress.__file__).parent


def imported(file):
    """The modules of the room that a file names, those that only types need too."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            if node.module == "serval.stress":
                found |= {alias.name for alias in node.names}
            elif node.module.startswith("serval.stress."):
                found.add(node.module.split(".")[2])
    return found


def test_no_two_files_of_the_room_import_each_other():
    files = {file.stem: file for file in ROOM.glob("*.py") if file.stem != "__init__"}
    needs = {name: imported(file) & files.keys() for name, file in files.items()}
    assert list(TopologicalSorter(needs).static_order())[-1] == "stress", (
        "a cycle raises CycleError"
    )


def test_the_face_hands_on_the_file_that_is_named_after_the_verb():
    assert imported(ROOM / "__init__.py") == {"stress"}
