"""The Python of README.md, docs/python.md and the notebook runs, in an empty folder."""

import ast
import importlib
import json
import re

import pytest
from matplotlib.figure import Figure

from conftest import ROOT

BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.fixture(autouse=True)
def empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("matplotlib.pyplot.figure", Figure)
    yield tmp_path
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("page", ["README.md", "docs/python.md"])
def test_the_python_of_a_page_runs(page, capsys):
    blocks = BLOCK.findall((ROOT / page).read_text(encoding="utf-8"))
    exec("\n".join(blocks), {})
    assert "<Result" in capsys.readouterr().out


def test_what_the_python_of_other_pages_imports_is_there():
    pages = [*(ROOT / "docs").glob("*.md"), ROOT / "recipes" / "serval-tiny" / "README.md"]
    code = (block for page in pages for block in BLOCK.findall(page.read_text(encoding="utf-8")))
    nodes = [node for block in code for node in ast.walk(ast.parse(block))]
    imports = [node for node in nodes if isinstance(node, ast.ImportFrom)]
    assert {node.module for node in imports} >= {"serval.audit"}
    for node in imports:
        module = importlib.import_module(node.module)
        assert [name.name for name in node.names if not hasattr(module, name.name)] == []


def test_the_notebook_runs_and_shows_what_it_promises():
    notebook = json.loads((ROOT / "docs" / "first_hour.ipynb").read_text(encoding="utf-8"))
    names, shown = {}, []
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            *before, last = ast.parse("".join(cell["source"])).body
            exec(compile(ast.Module(before, []), "cell", "exec"), names)
            assert isinstance(last, ast.Expr), "a cell ends in what it shows"
            value = eval(compile(ast.Expression(last.value), "cell", "eval"), names)
            shown.append(repr(value))
    assert "serval-tiny INT8 against serval-tiny FP32: UAR +0.10" in shown[1]
    assert "UAR 87.67 %" in shown[2]
    assert shown[4].startswith("<Result by pitch on clips: UAR")
    stored = [out["data"] for cell in notebook["cells"] for out in cell.get("outputs", ())]
    assert len(stored) == len(shown), "run tools/fill_notebook.py"
    for data, value in zip(stored, shown, strict=True):
        assert "image/png" in data or data["text/plain"] == value, "run tools/fill_notebook.py"
