"""A model that is an object of Python: a callable, a scikit-learn estimator, a torch module."""

from __future__ import annotations

import importlib
import inspect
import secrets
import sys
import sysconfig
import traceback
from collections.abc import Callable
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from serval.errors import AudioError, ModelError
from serval.files import sha256_of
from serval.labels import label_text
from serval.models.classifier import Classifier, Identity
from serval.models.sources import COMMAND_LINE, Source, declared_by, refuse_output_name
from serval.models.trial import tried
from serval.wording import counted, one_line, printable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

    from numpy.typing import NDArray

    from serval.models.contract import Contract, Overrides
    from serval.models.protocol import Logits


PYTHON = "Python"
"""Who states what an object says of itself."""
DEFAULT_RATE = 16_000
SHOWN = 12
"""Classes or labels that a message shows."""
LIBRARIES = (
    *(Path(sysconfig.get_path(name)) for name in ("stdlib", "purelib", "platlib")),
    Path(__file__).parents[1],
)
"""Folders with code that is not the user's."""

WANTED = (
    "give the path of an .onnx file, a built-in name, a torch module, a scikit-learn estimator, or "
    "a function of (samples, lengths) that returns one score for each label"
)

Answer = Callable[..., Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class CallableBackend:
    """Runs a function of Python.

    Attributes:
        answer: Takes `(B, T) float32` samples, and if `takes_lengths` their `(B,)` valid lengths.
        takes_lengths: Whether it wants two arguments.
        turn: Held while it runs: one call at a time, unless it says that it takes several.
    """

    answer: Answer
    takes_lengths: bool = False
    turn: AbstractContextManager[Any]

    def scores(self, samples: NDArray[np.float32], lengths: NDArray[np.int64]) -> Logits:
        """Return `(B, K) float32` of what the function gives."""
        try:
            with self.turn:
                both = (samples, lengths) if self.takes_lengths else (samples,)
                given = self.answer(*both)
        except (Exception, SystemExit) as error:
            raise AudioError(f"the model raises {said_by(error)}") from error
        return _rows(given, len(samples))


def model_of_object(
    model: object, overrides: Overrides, identity: Identity | None = None
) -> Classifier[CallableBackend]:
    """Return an object that answers as a model, tried on a second of noise.

    Args:
        model: A torch module, an estimator of scikit-learn, or any callable.
        overrides: Labels and sample rate, as far as the object does not say.
        identity: Which model it is; by default one that is like no other.

    Raises:
        ModelError: It is none of them, or labels or sample rate are not known.
        ConfigError: What is stated does not go with it.
    """
    said = _said(model)
    stated = replace(overrides, labels=_in_order_of_classes(model, overrides.labels))
    answer = _answer_of(model, stated.labels or ())
    called = printable(_title(model))
    unique = secrets.token_hex(32)  # what a function does cannot be told from outside
    several = getattr(model, "thread_safe", False)
    opened = Classifier(
        contract=_contract(model, said, stated, COMMAND_LINE if identity else "stated"),
        identity=identity or Identity(name=called, path=Path(called), sha256=unique, size_bytes=0),
        backend=CallableBackend(
            answer=answer,
            takes_lengths=_takes_lengths(answer),
            turn=nullcontext() if several else Lock(),
        ),
    )
    return _with_estimator_outputs(tried(opened), model)


def _said(model: object) -> list[Source]:
    """Return what an object says of itself, and what is assumed of a network of transformers.

    What its extractor does to the waveform, such a network does not know; any other object gets
    the samples as they are, and makes of them what it wants.
    """
    config = getattr(model, "config", None)
    rate = getattr(model, "sample_rate", None)
    own = {
        "labels": _own_labels(model),
        "sample_rate": rate if isinstance(rate, int) else None,
        "problem_type": getattr(config, "problem_type", None),
    }
    if hasattr(config, "id2label"):
        return [(PYTHON, own), ("default", {"sample_rate": DEFAULT_RATE, "normalize": "none"})]
    return [(PYTHON, {**own, "normalize": "none"})]


def _contract(model: object, said: list[Source], overrides: Overrides, user: str) -> Contract:
    if overrides.labels is None and said[0][1]["labels"] is None:
        raise ModelError(
            f"{_title(model)} does not say what its outputs are; give labels=[...] in their order "
            "(--labels), or give the object an attribute labels"
        )
    if overrides.sample_rate is None and not any(of.get("sample_rate") for _, of in said):
        raise ModelError(
            f"{_title(model)} does not say what sample rate it wants; give sample_rate=16000 "
            "(--sample-rate), or give the object an attribute sample_rate"
        )
    refuse_output_name(overrides, _title(model))
    return replace(declared_by(said, overrides, user), output_name="scores")


def _answer_of(model: object, labels: tuple[str, ...]) -> Answer:
    if isinstance(model, type):
        raise ModelError(f"{model.__name__} is a class, not a model; give an object of it, fitted")
    if _is_torch(model):
        from serval.models.torch import answer_of_module

        return answer_of_module(model)
    for method in ("predict_proba", "decision_function"):
        if callable(found := getattr(model, method, None)):
            answer: Answer = found
            return answer
    if callable(predict := getattr(model, "predict", None)) and hasattr(model, "fit"):
        return _one_hot(predict, labels, _classes(model))
    if callable(model):
        return model
    raise ModelError(f"{type(model).__name__} is not a model that serval can call; {WANTED}")


def _one_hot(predict: Answer, labels: tuple[str, ...], classes: tuple[str, ...]) -> Answer:
    """Return a function that gives 1 to the label which an estimator predicts, and 0 to others.

    The labels name the classes that it was fitted on, by position; without them the classes are the
    labels, and without classes it predicts labels.
    """
    if classes and labels and len(classes) != len(labels):
        raise ModelError(
            f"the estimator has {counted(len(classes), 'class', 'classes')} "
            f"({', '.join(classes[:SHOWN])}) but {counted(len(labels), 'label')} "
            f"({', '.join(labels[:SHOWN])}); name each class, in that order"
        )
    place = {name: i for names in (labels, classes) for i, name in enumerate(names)}

    def answer(samples: NDArray[np.float32]) -> NDArray[np.float32]:
        said = [label_text(label) for label in np.ravel(predict(samples))]
        if odd := sorted(set(said) - place.keys()):
            raise ValueError(f"predict gives '{odd[0]}', none of {', '.join(place)}")
        return np.eye(len(labels or classes), dtype=np.float32)[[place[one] for one in said]]

    return answer


def _with_estimator_outputs(
    model: Classifier[CallableBackend], source: object
) -> Classifier[CallableBackend]:
    """Return the model with what its class says of its outputs, which a trial can only guess."""
    known = model.contract.asked.excludes and not _is_torch(source)
    known = known and model.contract.stated_outputs is None
    if not (known and callable(getattr(source, "predict_proba", None))):
        return model
    return replace(model, contract=replace(model.contract, outputs="probabilities"))


def _own_labels(model: object) -> tuple[str, ...] | None:
    """Return the labels that an estimator was fitted on, or that a network's configuration has."""
    if classes := _classes(model):
        return classes
    names = getattr(getattr(model, "config", None), "id2label", None)
    if isinstance(names, dict) and names:
        return tuple(str(names[key]) for key in sorted(names, key=int))
    own = getattr(model, "labels", None)
    return tuple(map(label_text, own)) if isinstance(own, list | tuple) else None


def _classes(model: object) -> tuple[str, ...]:
    """Return what an estimator was fitted on, in the order of its outputs; of others nothing."""
    classes = getattr(model, "classes_", None)
    return () if classes is None else tuple(map(label_text, classes))


def _in_order_of_classes(model: object, stated: tuple[str, ...] | None) -> tuple[str, ...] | None:
    """Return the labels that are stated; those that are an estimator's classes in their order.

    Where only some are its classes, and stand in other places, nobody knows which is meant.
    """
    labels = stated or ()
    classes = [name.casefold() for name in _classes(model)]
    by_name = {label.casefold(): label for label in labels}
    if by_name and sorted(by_name) == sorted(classes):
        return tuple(by_name[name] for name in classes)
    pairs = ((label, label.casefold(), i) for i, label in enumerate(labels))
    crossed = [label for label, name, i in pairs if name in classes and classes.index(name) != i]
    if crossed:
        raise ModelError(
            f"label '{crossed[0]}' is a class of the estimator in another place; its classes are "
            f"{', '.join(_classes(model)[:SHOWN])}: name them in that order, or leave labels out"
        )
    return stated


def _is_torch(model: object) -> bool:
    return any(
        f"{kind.__module__}.{kind.__name__}" == "torch.nn.modules.module.Module"
        for kind in type(model).__mro__
    )


def _takes_lengths(answer: Answer) -> bool:
    """Tell whether a function must be given a second argument."""
    try:
        given = inspect.signature(answer).parameters.values()
    except (TypeError, ValueError):
        return False
    places = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    needed = [one for one in given if one.kind in places and one.default is one.empty]
    return len(needed) > 1


def _rows(given: Any, n: int) -> Logits:  # noqa: ANN401 - whatever a function returns
    given = getattr(given, "logits", given)
    if callable(detach := getattr(given, "detach", None)):
        given = detach().cpu().float()
    try:
        rows = np.asarray(given, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise AudioError(
            f"the model gives {type(given).__name__}; return one score for each label"
        ) from error
    if rows.ndim == 1 and n == 1:
        rows = rows[np.newaxis]
    if rows.ndim == 1 and len(rows) == n:  # the decision function of two classes
        rows = rows[:, np.newaxis]
    if rows.ndim != 2 or len(rows) != n:
        raise AudioError(
            f"the model gives an array of shape {rows.shape} for {n} clip; return (B, K) scores"
        )
    return rows


def said_by(error: BaseException) -> str:
    """Return what an exception says, and the line of the user's own code that it came from."""
    said = f"{type(error).__name__}: {one_line(error)[:300]}"
    if isinstance(error, SyntaxError) and error.filename:
        return f"{said} ({printable(error.filename)}, line {error.lineno})"
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if not _is_library(frame.filename)]
    return f"{said} ({printable(own[-1].filename)}, line {own[-1].lineno})" if own else said


def _is_library(file: str) -> bool:
    return file.startswith("<") or any(Path(file).is_relative_to(path) for path in LIBRARIES)


def _title(model: object) -> str:
    name = getattr(model, "__name__", "")
    return str(name) if name and name != "<lambda>" else type(model).__name__


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
    """Refuse a name of another form, or of a missing file, without running anything."""
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
    """Return what the user's code returns; whatever it raises becomes a `ModelError`."""
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
