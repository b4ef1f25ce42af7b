"""Find out which operators ONNX Runtime Web lacks that ONNX Runtime computes on a CPU.

    npm pack onnxruntime-web@VERSION && tar xzf onnxruntime-web-VERSION.tgz
    python tools/web_operators.py package/

Needs node. For each kernel of the installed onnxruntime and each type that it takes, a graph of one
node is opened in both. What is printed is for the table in `inspection/verdicts.py`: the newest
opset, and the operators that open with no type at all.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import onnx
import onnxruntime as ort
from onnx import helper
from onnxruntime.capi import onnxruntime_pybind11_state as state

if TYPE_CHECKING:
    from collections.abc import Iterator

TYPES = {
    f"tensor({name})": number
    for name, number in {
        "float": 1, "uint8": 2, "int8": 3, "uint16": 4, "int16": 5, "int32": 6, "int64": 7,
        "string": 8, "bool": 9, "float16": 10, "double": 11, "uint32": 12, "uint64": 13,
        "bfloat16": 16, "uint4": 21, "int4": 22,
    }.items()
}  # fmt: skip
REQUIRED = {"INTS": [1], "FLOATS": [1.0], "STRINGS": ["a"], "INT": 1, "FLOAT": 1.0, "STRING": "a"}
DOMAINS = ("", "com.microsoft")

OPEN_ALL = """
import { readFileSync } from "node:fs";
const ort = await import(process.argv[2]);
ort.env.wasm.numThreads = 1;
ort.env.logLevel = "fatal";
const opened = [];
for (const model of JSON.parse(readFileSync(process.argv[3]))) {
  try {
    await (await ort.InferenceSession.create(Uint8Array.from(model))).release();
    opened.push(true);
  } catch {
    opened.push(false);
  }
}
process.stdout.write(JSON.stringify(opened));
process.exit(0);
"""


def main() -> None:
    """Print what the package lacks."""
    package = Path(sys.argv[1]).resolve() / "dist" / "ort.wasm.min.mjs"
    graphs = [(kernel, graph) for kernel, graph in _graphs() if _opens(graph)]
    opened = _opened_in_node(package, [list(graph) for _, graph in graphs])
    kernels = [kernel for kernel, _ in graphs]
    known = {kernel for kernel, is_open in zip(kernels, opened, strict=True) if is_open}
    newest = max(version for name, version in known if not name.startswith("com.microsoft:"))
    lacking = sorted({k for k in kernels if k not in known and k[1] <= newest})
    print(f"onnxruntime {ort.__version__}: {len(graphs)} graphs; {sum(opened)} open in the package")
    print(f"newest opset with an operator of its own: {newest}")
    print("lacking, from which opset on:", ", ".join(f"{name} {since}" for name, since in lacking))


def _graphs() -> Iterator[tuple[tuple[str, int], bytes]]:
    """Yield `(operator, version)` and a graph of one node, for each kernel and type."""
    schemas: dict[tuple[str, str], list[Any]] = {}
    for schema in state.get_all_operator_schema():
        schemas.setdefault((schema.domain, schema.name), []).append(schema)
    for kernel in state.get_all_opkernel_def():
        if kernel.provider != "CPUExecutionProvider" or kernel.domain not in DOMAINS:
            continue
        version = kernel.version_range[0]
        older = [s for s in schemas.get((kernel.domain, kernel.op_name), [])
                 if s.since_version <= version]  # fmt: skip
        if not older:
            continue
        schema = max(older, key=lambda s: s.since_version)
        prefix = f"{kernel.domain}:" if kernel.domain else ""
        for types in _combinations(kernel.type_constraints):
            graph = _graph(schema, kernel.domain, version, types)
            if graph is not None:
                yield (f"{prefix}{kernel.op_name}", version), graph


def _combinations(constraints: dict[str, list[str]]) -> Iterator[dict[str, str]]:
    """Yield the first type of each parameter, then each other type of one of them."""
    first = {name: types[0] for name, types in constraints.items() if types}
    yield first
    for name, types in constraints.items():
        yield from ({**first, name: other} for other in types[1:])


def _graph(schema: Any, domain: str, version: int, types: dict[str, str]) -> bytes | None:  # noqa: ANN401
    """Return a graph of one node with the inputs and attributes that it must have."""
    slots = [i for i in schema.inputs if "Optional" not in str(i.option)]
    numbers = [TYPES.get(_type(schema, slot, types)) for slot in slots]
    kinds = {name: str(a.type).rpartition(".")[2] for name, a in schema.attributes.items()
             if a.required}  # fmt: skip
    if None in numbers or any(kind not in REQUIRED for kind in kinds.values()):
        return None
    inputs = [f"i{n}" for n in range(len(slots))]
    outputs = [f"o{n}" for n, o in enumerate(schema.outputs) if "Optional" not in str(o.option)]
    node = helper.make_node(
        schema.name,
        inputs,
        outputs or ["o0"],
        domain=domain,
        **{name: REQUIRED[kind] for name, kind in kinds.items()},
    )
    values = [helper.make_tensor_value_info(*pair, None) for pair in
              zip(inputs, numbers, strict=True)]  # fmt: skip
    graph = helper.make_graph(
        [node], "g", values, [onnx.ValueInfoProto(name=name) for name in outputs or ["o0"]]
    )
    imports = [helper.make_opsetid(domain, version)]
    if domain:
        imports.append(helper.make_opsetid("", 17))
    made: bytes = helper.make_model(graph, opset_imports=imports, ir_version=8).SerializeToString()
    return made


def _type(schema: Any, slot: Any, types: dict[str, str]) -> str:  # noqa: ANN401
    """Return the type of an input: of its kernel, else the first that its schema allows."""
    named = types.get(slot.typeStr) or types.get(slot.name)
    if named or slot.typeStr in TYPES:
        return named or str(slot.typeStr)
    allowed = [
        kind
        for constraint in schema.type_constraints
        if constraint.type_param_str == slot.typeStr
        for kind in constraint.allowed_type_strs
        if kind in TYPES
    ]
    return "tensor(float)" if "tensor(float)" in allowed else next(iter(allowed), "")


def _opens(graph: bytes) -> bool:
    options = ort.SessionOptions()
    options.log_severity_level = 4
    try:
        ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    except Exception:  # noqa: BLE001 - whatever it is, there is nothing to compare with
        return False
    return True


def _opened_in_node(package: Path, graphs: list[list[int]]) -> list[bool]:
    with tempfile.TemporaryDirectory() as folder:
        script, models = Path(folder) / "open.mjs", Path(folder) / "models.json"
        script.write_text(OPEN_ALL, encoding="utf-8")
        models.write_text(json.dumps(graphs), encoding="utf-8")
        done = subprocess.run(
            ["node", str(script), str(package), str(models)],
            capture_output=True, check=True, encoding="utf-8",
        )  # fmt: skip
    opened: list[bool] = json.loads(done.stdout)
    return opened


if __name__ == "__main__":
    main()
