"""A model that is an object of Python: a callable, a scikit-learn estimator, a torch module."""

from __future__ import annotations

import hashlib
import inspect
import secrets
import sysconfig
import traceback
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from serval.errors import AudioError, ModelError
from serval.labels import LabelSet
from serval.models.classifier import Classifier, Identity
from serval.models.contract import DEFAULT_MAX_SECONDS, Contract, Overrides
from serval.models.trial import tried
from serval.tasks import CATEGORICAL, MULTILABEL
from serval.wording import one_line, printable

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from serval.models.protocol import Logits

__all__ = ["CallableBackend", "model_of_object", "said_by"]

DEFAULT_RATE = 16_000
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
        """Return `(B, K) float32` of what the function gives.

        Raises:
            AudioError: The function raises, or gives no row of numbers for each clip.
        """
        try:
            with self.turn:
                both = (samples, lengths) if self.takes_lengths else (samples,)
                given = self.answer(*both)
        except Exception as error:
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
    """
    labels = overrides.labels or _own_labels(model)
    answer = _answer_of(model, labels)
    contract = _contract(model, labels, overrides)
    called = printable(_title(model))
    several = getattr(model, "thread_safe", False)
    opened = Classifier(
        contract=contract,
        identity=identity
        or Identity(name=called, path=Path(called), sha256=_unique(), size_bytes=0),
        backend=CallableBackend(
            answer=answer,
            takes_lengths=_takes_lengths(answer),
            turn=nullcontext() if several else Lock(),
        ),
    )
    return _with_estimator_outputs(tried(opened), model)


def _contract(model: object, labels: tuple[str, ...] | None, overrides: Overrides) -> Contract:
    if labels is None:
        raise ModelError(
            f"{_title(model)} does not say what its outputs are; give labels=[...] in their order "
            "(--labels), or give the object an attribute labels"
        )
    rate = overrides.sample_rate or _own_rate(model)
    if rate is None:
        raise ModelError(
            f"{_title(model)} does not say what sample rate it wants; give sample_rate=16000 "
            "(--sample-rate), or give the object an attribute sample_rate"
        )
    return Contract(
        labels=LabelSet(labels),
        sample_rate=rate,
        normalize=overrides.normalize or "none",
        max_seconds=overrides.max_seconds or DEFAULT_MAX_SECONDS,
        output_name="scores",
        task=(MULTILABEL if overrides.multi_label else CATEGORICAL).model,
        sources={
            **{part: "stated" if getattr(overrides, part) is not None else "Python" for part in
               ("labels", "sample_rate", "normalize", "max_seconds")},
            "masks_padding": "default",
        },
    )  # fmt: skip


def _answer_of(model: object, labels: tuple[str, ...] | None) -> Answer:
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
        return _one_hot(predict, labels or ())
    if callable(model):
        return model
    raise ModelError(f"{type(model).__name__} is not a model that serval can call; {WANTED}")


def _one_hot(predict: Answer, labels: tuple[str, ...]) -> Answer:
    """Return a function that gives 1 to the label which an estimator predicts, and 0 to others."""

    def answer(samples: NDArray[np.float32]) -> NDArray[np.float32]:
        said = [str(label) for label in np.ravel(predict(samples))]
        return np.array([[float(label == one) for label in labels] for one in said], np.float32)

    return answer


def _with_estimator_outputs(
    model: Classifier[CallableBackend], source: object
) -> Classifier[CallableBackend]:
    """Return the model with what its class says of its outputs, which a trial can only guess."""
    known = model.contract.asked.excludes and not _is_torch(source)
    if not (known and callable(getattr(source, "predict_proba", None))):
        return model
    return replace(model, contract=replace(model.contract, outputs="probabilities"))


def _own_labels(model: object) -> tuple[str, ...] | None:
    """Return the labels that an estimator was fitted on, or that a network's configuration has."""
    classes = getattr(model, "classes_", None)
    if classes is not None:
        return tuple(str(label) for label in classes)
    names = getattr(getattr(model, "config", None), "id2label", None)
    if isinstance(names, dict) and names:
        return tuple(str(names[key]) for key in sorted(names, key=int))
    own = getattr(model, "labels", None)
    return tuple(map(str, own)) if isinstance(own, list | tuple) else None


def _own_rate(model: object) -> int | None:
    rate = getattr(model, "sample_rate", None)
    if isinstance(rate, int):
        return rate
    return DEFAULT_RATE if hasattr(getattr(model, "config", None), "id2label") else None


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


def _unique() -> str:
    """Return a sha256 that no other model has: what a function does cannot be told from outside."""
    return hashlib.sha256(secrets.token_bytes(32)).hexdigest()
