"""A scored run, sent to where people keep their results; nothing is sent that was not named.

Each logger is an extra, imported only where it is asked for. Where it writes, and whether it sends
anything over a network, is its own setting: WANDB_MODE=offline, MLFLOW_TRACKING_URI.
"""

from __future__ import annotations

import os
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from serval.errors import ConfigError, MissingExtraError, WriteError
from serval.tasks import task_in
from serval.wording import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

PROJECT = "serval"
"""What the project or experiment is called, unless WANDB_PROJECT or MLFLOW_EXPERIMENT_NAME says."""

WITHOUT_LOGIN = ("offline", "disabled", "dryrun")
"""Values of WANDB_MODE with which nothing is sent."""

ENDS = ("value", "low", "high")
NO_PNG = (".svg", ".pdf")
LONGEST = 500
"""Characters of a setting, as all of them take it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What is kept of one run.

    Attributes:
        name: What the run is called.
        folder: Where it is stored.
        metrics: Scores with the ends of their 95 % intervals, speed, counts of clips.
        settings: How it was made; nested names are joined with dots.
        pictures: By kind.
        files: All of them, by kind.
    """

    name: str
    folder: Path
    metrics: Mapping[str, float]
    settings: Mapping[str, str]
    pictures: Mapping[str, Path]
    files: Mapping[str, Path]


def refuse_missing(loggers: Iterable[str]) -> None:
    """Refuse a logger that could keep nothing, which is better known before the work.

    Raises:
        MissingExtraError: It is not installed.
        ConfigError: It would send the run somewhere, and nobody is logged in there.
    """
    for name in loggers:
        if find_spec(name) is None:
            raise MissingExtraError(
                f"--log {name} needs an extra: pip install 'serval-ser[{name}]'"
            )
        if name == "wandb":
            _refuse_unknown_user()


def _refuse_unknown_user() -> None:
    """Refuse to wait for a login at a prompt, where nobody may be."""
    if os.environ.get("WANDB_MODE", "") in WITHOUT_LOGIN:
        return
    import wandb

    try:
        with _no_prompt():
            wandb.login()
    except Exception as error:
        raise ConfigError(
            "--log wandb: nobody is logged in; set WANDB_MODE=offline to keep the run here, or "
            "log in before with wandb login"
        ) from error


@contextmanager
def _no_prompt() -> Iterator[None]:
    """Have whoever asks a question inside of the block find nobody to answer."""
    asked = sys.stdin
    with Path(os.devnull).open(encoding="utf-8") as nobody:
        sys.stdin = nobody
        try:
            yield
        finally:
            sys.stdin = asked


def entry_of(document: Mapping[str, Any], files: Mapping[str, Path], folder: Path) -> Entry:
    """Return what is kept of a run.

    Args:
        document: The content of `results.json`.
        files: What was written, by kind.
        folder: Where the run is stored.
    """
    settings = {part: document[part] for part in ("options", "model", "dataset", "platform")}
    return Entry(
        name=document["name"],
        folder=folder,
        metrics=dict(_metrics(document)),
        settings={name: text[:LONGEST] for name, text in _flat(settings)},
        pictures={kind: path for kind, path in files.items() if path.suffix == ".png"},
        files=files,
    )


def log_entry(loggers: Iterable[str], entry: Entry) -> list[str]:
    """Return a line on where each logger keeps the run, after giving it to all of them.

    Raises:
        MissingExtraError: A logger is not installed.
        ConfigError: Nobody is logged in.
        WriteError: A logger could not keep it.
    """
    named = list(loggers)
    refuse_missing(named)
    return [f"{name}: {_kept(name, entry)}" for name in named]


def _kept(name: str, entry: Entry) -> str:
    try:
        return LOGGERS[name](entry)
    except Exception as error:
        raise WriteError(
            f"--log {name} failed: {one_line(error)}; the run itself is whole in {entry.folder}"
        ) from error


def _metrics(document: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    from serval.results import RESULTS  # and with it matplotlib, which no clip need wait for

    scores = document["scores"]
    for named, score in RESULTS[task_in(document)].named(scores).items():
        name = named.replace(":", "/", 1)
        for end in ENDS:
            if (number := score[end]) is not None:
                yield name if end == "value" else f"{name}_{end}", number
    counts = document["speed"] | {"clips": scores["n"]}
    yield from ((name, number) for name, number in counts.items() if number is not None)
    yield "failed_clips", len(document["failures"])


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", str(value)


def _wandb(entry: Entry) -> str:
    import wandb

    settings = wandb.Settings(silent=True)
    project = os.environ.get("WANDB_PROJECT", PROJECT)
    with _no_prompt():
        begun = wandb.init(
            project=project, name=entry.name, config=dict(entry.settings), settings=settings
        )
    with begun as run:
        images = {kind: wandb.Image(str(path)) for kind, path in entry.pictures.items()}
        run.log({**entry.metrics, **images})
        artifact = wandb.Artifact(f"serval-{run.id}", type="evaluation")
        for path in entry.files.values():
            artifact.add_file(str(path))
        run.log_artifact(artifact)
        return str(run.dir if run.offline else run.url)


def _mlflow(entry: Entry) -> str:
    import mlflow

    experiment = os.environ.get("MLFLOW_EXPERIMENT_NAME", PROJECT)
    mlflow.set_experiment(experiment)
    with mlflow.start_run(run_name=entry.name) as run:
        mlflow.log_params(dict(entry.settings))
        mlflow.log_metrics({_plain(name): value for name, value in entry.metrics.items()})
        for path in entry.files.values():
            mlflow.log_artifact(str(path))
        return f"run {run.info.run_id} of {experiment} in {mlflow.get_tracking_uri()}"


def _plain(name: str) -> str:
    """Return a name that MLflow takes, whatever a label is called."""
    return "".join(c if c.isalnum() or c in "_-. /" else "_" for c in name)


def _tensorboard(entry: Entry) -> str:
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.plugins.text.summary import text_pb
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

    place = entry.folder / "tensorboard"
    values = [Summary.Value(tag=name, simple_value=n) for name, n in entry.metrics.items()]
    for kind, path in entry.pictures.items():
        image = Summary.Image(colorspace=4, encoded_image_string=path.read_bytes())
        values.append(Summary.Value(tag=kind, image=image))
    rows = "".join(f"\n    {name}: {text}" for name, text in entry.settings.items())
    summary = entry.files["summary"].read_text(encoding="utf-8")
    writer = EventFileWriter(str(place))
    for said in (Summary(value=values), text_pb("settings", rows), text_pb("summary", summary)):
        writer.add_event(Event(wall_time=time.time(), step=0, summary=said))
    writer.close()
    unseen = any(path.suffix in NO_PNG for path in entry.files.values())
    left = ", without the pictures, of which it shows PNG only: --format png"
    return f"event file in {place}{left if unseen else ''}"


LOGGERS: Mapping[str, Callable[[Entry], str]] = {
    "wandb": _wandb,
    "mlflow": _mlflow,
    "tensorboard": _tensorboard,
}
"""Every logger by the name of its package, of its extra and of `--log`."""
