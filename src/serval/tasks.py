"""What a clip is asked for: one emotion, several at once, or values of dimensions.

Nothing else names a task to branch on it. What a verb does for each stands in a table of its room,
a `ByTask`, which refuses the tasks that it lacks in the same sentence everywhere; what models and
runs of a task have in common are attributes of `Task`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from serval.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

T = TypeVar("T")

Outputs = Literal["logits", "probabilities", "sigmoid", "values"]
"""What a model gives: logits, a softmax of them, one independent score in [0, 1] a label, or values
of dimensions such as arousal, which are no probabilities and stay as they are.

A log-softmax is as good as logits: its softmax is the same.
"""
FORMS: tuple[Outputs, ...] = ("logits", "probabilities", "sigmoid")
"""Those of them that scores of labels may have, and that a user or a file may state."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What is asked of a clip, by a model or by a run.

    Attributes:
        key: What runs and `results.json` call it.
        model: What the contract of a model that was made for it says.
        problem_type: What the hub's configurations call that.
        said: What a clip has, in sentences.
        outputs: What its models give once their outputs are known; see `serval.probabilities`.
        headline: The key of the score that stands for all of a run, where there is room for one.
    """

    key: str
    model: str
    problem_type: str
    said: str
    outputs: Outputs
    headline: str

    @property
    def has_labels(self) -> bool:
        """Whether its outputs are scores of labels, and not values on a scale."""
        return self.outputs != "values"

    @property
    def excludes(self) -> bool:
        """Whether a clip has exactly one of the labels, so that its scores are shares of one."""
        return self.outputs == "logits"

    @property
    def untried(self) -> Outputs:
        """What its models are taken to give until they were tried."""
        return "logits" if self.has_labels else self.outputs

    @property
    def stated(self) -> str:
        """What the metadata of a model file says of it: nothing of the usual task."""
        return "" if self is CATEGORICAL else self.model


CATEGORICAL = Task(
    key="emotions",
    model="emotions",
    problem_type="single_label_classification",
    said="one emotion a clip",
    outputs="logits",
    headline="uar",
)
MULTILABEL = Task(
    key="multilabel",
    model="emotions, several at once",
    problem_type="multi_label_classification",
    said="several emotions a clip",
    outputs="sigmoid",
    headline="macro_f1",
)
DIMENSIONAL = Task(
    key="dimensions",
    model="dimensions",
    problem_type="regression",
    said="dimensions",
    outputs="values",
    headline="ccc",
)

TASKS = (CATEGORICAL, MULTILABEL, DIMENSIONAL)

DIMENSIONS = frozenset(("arousal", "activation", "valence", "dominance"))
NAMES = {task.problem_type: task for task in TASKS} | {task.model: task for task in TASKS}


def task_named(name: object) -> Task:
    """Return the task that a model's metadata or configuration names.

    Raises:
        ValueError: It is none.

    Examples:
        >>> task_named("regression").key
        'dimensions'
    """
    said = str(name).strip().lower()
    if said not in NAMES:
        raise ValueError(f"expected one of {', '.join(NAMES)}")
    return NAMES[said]


def usual_task(names: Iterable[str]) -> Task:
    """Return what outputs of these names are scores of, where nobody says.

    Examples:
        >>> usual_task(["Arousal", "valence"]).key, usual_task(["angry", "sad"]).key
        ('dimensions', 'emotions')
    """
    return DIMENSIONAL if DIMENSIONS.issuperset(map(str.lower, names)) else CATEGORICAL


def task_of_facts(dataset: Mapping[str, Any]) -> Task:
    """Return the task of a run, which keeps under its name how the true values were read.

    Args:
        dataset: `Run.provenance.dataset`.
    """
    return next((task for task in TASKS if task.key in dataset), CATEGORICAL)


def task_in(document: Mapping[str, Any]) -> Task:
    """Return the task of a `results.json` or a `stress.json`, which does not name the usual one."""
    return next((task for task in TASKS if task.key == document.get("task")), CATEGORICAL)


@dataclass(frozen=True, slots=True, kw_only=True)
class ByTask(Generic[T]):
    """What a verb does for each of the tasks that it takes.

    Attributes:
        what: What it does, so that the tasks that it takes end the sentence: `the page shows`.
        parts: By task.
        instead: What to do with clips of another.
    """

    what: str
    parts: Mapping[Task, T]
    instead: str = "leave it out"

    def of(self, task: Task, subject: object) -> T:
        """Return the part of a task.

        Args:
            task: Of the subject.
            subject: Run, set or model, as messages name it.

        Raises:
            ConfigError: It has none.
        """
        if reason := self.refusal(task, subject):
            raise ConfigError(reason)
        return self.parts[task]

    def refusal(self, task: Task, subject: object) -> str:
        """Return why a task has no part here, or `""`."""
        if task in self.parts:
            return ""
        taken = " or ".join(own.said for own in self.parts)
        return f"{subject} has {task.said}, and {self.what} {taken}; {self.instead}"


def only(task: Task, what: str, instead: str = "leave it out") -> ByTask[None]:
    """Return what refuses all tasks but one."""
    return ByTask(what=what, parts={task: None}, instead=instead)
