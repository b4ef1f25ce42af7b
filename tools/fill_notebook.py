"""Store in the notebook of the first hour what its cells show: python tools/fill_notebook.py."""

from __future__ import annotations

import ast
import base64
import io
import json
from contextlib import chdir
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes

NOTEBOOK = Path(__file__).parent.parent / "docs" / "first_hour.ipynb"
DPI = 60


def main() -> None:
    """Write the notebook again, each cell with its outputs."""
    mpl.use("agg")
    notebook = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    names: dict[str, Any] = {}
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    with TemporaryDirectory() as folder, chdir(folder):
        for number, cell in enumerate(code, 1):
            shown = last_value("".join(cell["source"]), names)
            cell["execution_count"] = number
            cell["outputs"] = [output_of(shown, number)]
    NOTEBOOK.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", "utf-8")


def last_value(source: str, names: dict[str, Any]) -> Any:  # noqa: ANN401 - whatever a cell shows
    """Return what the last line of a cell shows, after running all of it."""
    *before, last = ast.parse(source).body
    if not isinstance(last, ast.Expr):
        raise TypeError("a cell ends in what it shows")
    exec(compile(ast.Module(before, []), "cell", "exec"), names)
    return eval(compile(ast.Expression(last.value), "cell", "eval"), names)


def output_of(value: object, number: int) -> dict[str, Any]:
    """Return an output as notebooks store it: text, with HTML or a picture where there is one."""
    if isinstance(value, Axes):
        picture = io.BytesIO()
        value.figure.savefig(picture, dpi=DPI, metadata={"Software": None})
        shown = base64.b64encode(picture.getvalue()).decode() + "\n"
        data = {"image/png": shown, "text/plain": "<Figure>"}
        return {"output_type": "display_data", "metadata": {}, "data": data}
    data = {"text/plain": repr(value)}
    if hasattr(value, "_repr_html_"):
        data["text/html"] = value._repr_html_()
    return {
        "output_type": "execute_result",
        "execution_count": number,
        "metadata": {},
        "data": data,
    }


if __name__ == "__main__":
    main()
