"""A model that the user's own Python gives: `python:FILE.py:NAME`, `python:package.module:NAME`.

It is the only place that runs code which a model brings, and only code that is named so.
"""

from __future__ import annotations

import importlib
import inspect
import sys
from contextlib import contextmanager
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import TYPE_CHECKING, Any

from serval.errors import ModelError
from serval.files import sha256_of
from serval.models.callable import CallableBackend, model_of_object, said_by
from serval.models.classifier import Identity
from serval.wording import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

    from serval.models.classifier import Classifier
    from serval.models.contract import Overrides

__all__ = ["PREFIX", "absolute", "open_model", "refuse_no_source"]

PREFIX = "python:"
FORMS = f"write {PREFIX}FILE.py:NAME or {PREFIX}package.module:NAME"


def open_model(name: str, overrides: Overrides, threads: int) -> Classifier[CallableBackend]:  # noqa: ARG001 - a function has threads of its own
    """Return the model that a name in a file or module of Python gives.

    That is a model as `model_of_object` takes it, or a class or function that makes one when it is
    called without arguments. It is known by the contents of the file, and of those that the model
    names in an attribute `files`.

    Raises:
        ModelError: There is no such file, module or name, its code fails, or what it gives is no
            model.
    """
    place, wanted = _parted(name)
    with _found_from(Path(place).parent if _is_file_name(place) else Path()):
        module = _running(name, lambda: _module(place))
        if not hasattr(module, wanted):
            public = [known for known in vars(module) if not known.startswith("_")]
            raise ModelError(
                f"{place} has no '{printable(wanted)}'; it has {', '.join(sorted(public)[:12])}"
            )
        found = getattr(module, wanted)
        model = _running(name, found) if _makes_one(found) else found
    source = Path(str(module.__file__))
    return model_of_object(model, overrides, _identity(source, wanted, model))


def refuse_no_source(name: str) -> None:
    """Do nothing if there is a file for a name of this kind, as far as that shows without running.

    Raises:
        ModelError: The name is of another form, or its file is missing.
    """
    place, _ = _parted(name)
    if _is_file_name(place) and not Path(place).expanduser().is_file():
        raise ModelError(f"{printable(name)}: no file {printable(place)}; {FORMS}")


def absolute(name: str) -> str:
    """Return a name of this kind as every process of this machine can use it."""
    place, wanted = _parted(name)
    if not _is_file_name(place):
        return name
    return f"{PREFIX}{Path(place).expanduser().absolute()}:{wanted}"


def _parted(name: str) -> tuple[str, str]:
    place, _, wanted = name.removeprefix(PREFIX).rpartition(":")
    if not place or not wanted.isidentifier():
        raise ModelError(f"{printable(name)[:200]} names nothing in Python; {FORMS}")
    return place, wanted


def _is_file_name(place: str) -> bool:
    return place.endswith(".py")


def _module(place: str) -> ModuleType:
    """Return a module, run anew if it is a file, and imported if it is the name of a module."""
    if not _is_file_name(place):
        module = importlib.import_module(place)
        if not getattr(module, "__file__", None):
            raise ModelError(f"{place} is no module with a file; {FORMS}")
        return module
    path = Path(place).expanduser().absolute()
    spec = spec_from_file_location(f"serval_model_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise ModelError(f"{path} is no file of Python; {FORMS}")
    module = module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look themselves up there
    spec.loader.exec_module(module)
    return module


@contextmanager
def _found_from(folder: Path) -> Iterator[None]:
    """Let imports find what lies beside the user's file: first now, and last for the rest."""
    place = str(folder.expanduser().absolute())
    sys.path.insert(0, place)
    try:
        yield
    finally:
        sys.path.remove(place)
        if place not in sys.path:
            sys.path.append(place)


def _running(name: str, code: Callable[[], Any]) -> Any:  # noqa: ANN401 - whatever the user gives
    """Return what the user's code returns.

    Raises:
        ModelError: It raises anything, or ends the process.
    """
    refuse_no_source(name)
    try:
        return code()
    except ModelError:
        raise
    except (Exception, SystemExit) as error:
        raise ModelError(f"{printable(name)}: {said_by(error)}") from error


def _makes_one(found: object) -> bool:
    """Tell whether it is a class, or a function that wants no argument."""
    if isinstance(found, type):
        return True
    if not inspect.isfunction(found):
        return False
    wanted = inspect.signature(found).parameters.values()
    return all(one.default is not one.empty or one.kind is one.VAR_KEYWORD for one in wanted)


def _identity(source: Path, wanted: str, model: object) -> Identity:
    files = [source.parent / Path(str(file)) for file in getattr(model, "files", ())]
    gone = [str(file) for file in files if not file.is_file()]
    if gone:
        raise ModelError(f"{source}: '{wanted}' names files that are not there: {', '.join(gone)}")
    return Identity(
        name=printable(f"{source.stem}:{wanted}"),
        path=source,
        sha256=sha256_of(source),
        external={file.name: sha256_of(file) for file in files},
        size_bytes=sum(file.stat().st_size for file in files),
    )
