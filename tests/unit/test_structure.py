"""What holds for the package as a whole: rooms with one face, imports that go one way, no twins."""

import ast
from collections import defaultdict
from graphlib import TopologicalSorter

import pytest

from conftest import ROOT

PACKAGE = ROOT / "src" / "serval"
ENTRIES = {
    "audit": "audit",
    "bench": "bench",
    "checkpoints": "open",
    "comparison": "compare",
    "export": "export",
    "gate": "gate",
    "groups": "groups",
    "inspection": "inspect",
    "probe": "probe",
    "quantize": "quantize",
    "results": "write",
    "stress": "stress",
}
"""The file of each room that bears the name of its verb."""

ROOMS = sorted(file.parent.name for file in PACKAGE.glob("*/__init__.py"))


def tree_of(file):
    return ast.parse(file.read_text(encoding="utf-8"))


def imported(file, room):
    """The modules of the room that a file names, those that only types need too."""
    found = set()
    for node in ast.walk(tree_of(file)):
        if isinstance(node, ast.ImportFrom) and node.module:
            if node.module == f"serval.{room}":
                found |= {alias.name for alias in node.names}
            elif node.module.startswith(f"serval.{room}."):
                found.add(node.module.split(".")[2])
    return found


@pytest.mark.parametrize("room", ROOMS)
def test_no_two_files_of_a_room_import_each_other(room):
    files = {file.stem: file for file in (PACKAGE / room).glob("*.py") if file.stem != "__init__"}
    needs = {name: imported(file, room) & files.keys() for name, file in files.items()}
    assert set(TopologicalSorter(needs).static_order()) == files.keys()  # CycleError names a cycle


@pytest.mark.parametrize("room", ENTRIES)
def test_a_room_hands_on_the_file_that_is_named_after_its_verb(room):
    assert imported(PACKAGE / room / "__init__.py", room) == {ENTRIES[room]}


def test_only_faces_list_their_names():
    handed_on = {PACKAGE / room / f"{entry}.py" for room, entry in ENTRIES.items()}
    lists = {
        file
        for file in PACKAGE.rglob("*.py")
        if file.name != "__init__.py" and "\n__all__ = " in file.read_text(encoding="utf-8")
    }
    assert lists == handed_on | {PACKAGE / "errors.py"}


def test_no_class_name_stands_twice():
    places = defaultdict(list)
    for file in PACKAGE.rglob("*.py"):
        for node in ast.walk(tree_of(file)):
            if isinstance(node, ast.ClassDef):
                places[node.name].append(str(file.relative_to(PACKAGE)))
    assert {name: files for name, files in places.items() if len(files) > 1} == {}
