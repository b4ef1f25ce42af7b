"""Model files and checkpoints on the hub."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, TypeVar

from huggingface_hub import (
    HfApi,
    constants,
    hf_hub_download,
    snapshot_download,
    try_to_load_from_cache,
)

from serval.checkpoints import SETTINGS, WANTED, is_weight_file, older_weights
from serval.errors import ModelError
from serval.hub import Repo, Trouble, asking, hide_bars
from serval.models.graph import external_names, read_skeleton
from serval.models.sources import HUB_FILES
from serval.wording import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

HUB_PREFIX = "hf:"
CARD = "README.md"
"""Which says what a model was trained on."""
TIMEOUT_S = 10.0
"""For the question what a model has; how long its files may take the hub's client decides."""
T = TypeVar("T")


def hub_folder(
    name: str, revision: str | None, wanted: Sequence[str], *, top: bool = False
) -> tuple[Path, str]:
    """Return the folder in the hub's cache with the wanted files of `hf:ORG/NAME`, and its commit.

    Args:
        name: `hf:ORG/NAME`.
        revision: Branch, tag or commit; without it the default branch.
        wanted: Patterns of the files to fetch.
        top: Leave out what lies in folders within it, such as earlier steps of a training.

    Raises:
        ModelError: There is no such model or revision, the hub wants a token, or it cannot be
            reached and the files are not in its cache.
    """
    repo = name.removeprefix(HUB_PREFIX)
    patterns, below = list(wanted), ["*/*"] if top else None
    folder = Path(
        _asking(
            lambda: snapshot_download(
                repo, revision=revision, allow_patterns=patterns, ignore_patterns=below
            ),
            repo,
            revision,
        )
    )
    return folder, folder.name


def hub_checkpoint(name: str, revision: str | None = None) -> tuple[Path, str]:
    """Return the folder in the hub's cache with a checkpoint, and its commit.

    Args:
        name: `hf:ORG/NAME` or `hf:ORG/NAME@REVISION`.
        revision: Branch, tag or commit, if the name has none.
    """
    repo, stated, file = _parts(name)
    if file:
        raise ModelError(
            f"checkpoint '{printable(name)[:200]}' names one file; a checkpoint is "
            f"{HUB_PREFIX}{repo}, with all of its files"
        )
    folder, commit = hub_folder(repo, stated or revision, WANTED, top=True)
    if any(folder.glob("model*.safetensors")):
        return folder, commit
    return hub_folder(repo, commit, (*WANTED, *older_weights(folder)), top=True)


def hub_choice(name: str) -> list[str]:
    """Return the .onnx files and the files of weights among which a name without a file chooses.

    A name with a file has nothing to choose: `[]`.
    """
    repo, revision, file = _parts(name)
    if file:
        return []
    kept = _weights_in_cache(repo, revision)
    if constants.HF_HUB_OFFLINE:
        return kept
    try:
        files = _files(repo, revision)
    except ModelError:
        if kept:  # what is there can be opened without a network
            return kept
        raise
    return [file for file in files if file.endswith(".onnx") or is_weight_file(file)]


def _weights_in_cache(repo: str, revision: str | None) -> list[str]:
    for settings in SETTINGS:
        found = _asking(
            lambda file=settings: try_to_load_from_cache(repo, file, revision=revision),  # type: ignore[misc]
            repo,
            revision,
        )
        if isinstance(found, str):
            folder = Path(found).parent
            return [path.name for path in folder.iterdir() if is_weight_file(path.name)]
    return []


def hub_model(name: str) -> Path:
    """Return where `hf:ORG/NAME/FILE.onnx` is, fetched with its weights and the hub's own files.

    Without `FILE.onnx`, the only such file of the model is meant; with `@REVISION` behind its name,
    that state of it.

    Raises:
        ModelError: There is no such model, it has no such file or more than one, the hub wants a
            token, or it cannot be reached and the files are not in its cache.
    """
    repo, revision, file = _parts(name)
    _refuse_other_place(name, file)
    file = file if _in_cache(repo, revision, file) else _listed(repo, revision, file)
    path = Path(_asking(lambda: hf_hub_download(repo, file, revision=revision), repo, revision))
    # A file above 2 GB has its weights beside it: model.onnx_data, or whatever it says.
    weights = (f"{PurePosixPath(file).parent / name}" for name in _external(path))
    own = (*HUB_FILES, *(f"*/{name}" for name in HUB_FILES), CARD)
    hub_folder(repo, revision, (*weights, *own))
    return path


def _external(path: Path) -> list[str]:
    return external_names(read_skeleton(path), path) if path.stat().st_size else []


def _parts(name: str) -> tuple[str, str | None, str]:
    """Return `ORG/NAME`, the revision and the file of `hf:ORG/NAME@REVISION/FILE`.

    A revision has no slash, but for those of pull requests and the like: `refs/pr/2`.
    """
    org, _, rest = name.removeprefix(HUB_PREFIX).partition("/")
    model, _, file = rest.partition("/")
    model, _, revision = model.partition("@")
    if revision == "refs":
        kind, number, *path = [*file.split("/", 2), ""]
        revision, file = f"refs/{kind}/{number}", "".join(path[:1])
    return f"{org}/{model}", revision or None, file


def _refuse_other_place(name: str, file: str) -> None:
    """Raise where a file's name would lead out of its repository."""
    parts = file.replace("\\", "/").split("/") if file else []
    if any(part in {"", ".", ".."} for part in parts) or not file.isprintable():
        raise ModelError(
            f"{printable(name)[:200]} does not name a file within a hub model; "
            f"write {HUB_PREFIX}ORG/NAME/FILE.onnx"
        )


def _in_cache(repo: str, revision: str | None, file: str) -> bool:
    if not file:
        return False
    found = _asking(lambda: try_to_load_from_cache(repo, file, revision=revision), repo, revision)
    return isinstance(found, str)


def _listed(repo: str, revision: str | None, file: str) -> str:
    """Return the file, or without one the only .onnx file, which the hub says it has.

    That takes a second where the hub cannot be reached; for a file, or for its own kind of listing,
    the hub's client would try again for half a minute.
    """
    if constants.HF_HUB_OFFLINE and not file:
        raise ModelError(
            f"hub model {repo}: without a network the file must be named too, "
            f"{HUB_PREFIX}{repo}/FILE.onnx"
        )
    files = _files(repo, revision)
    if file in files:
        return file
    if file:
        raise ModelError(
            f"hub model {repo}: it has no such file; leave the file out to be told which it has"
        )
    found = sorted(file for file in files if file.endswith(".onnx"))
    if not found:
        raise ModelError(
            f"hub model {repo} has neither weights of a checkpoint nor an .onnx file; "
            "check its page for what it holds"
        )
    if len(found) > 1:
        raise ModelError(
            f"hub model {repo} has {len(found)} .onnx files; "
            f"name one: {', '.join(f'{HUB_PREFIX}{repo}/{file}' for file in found)}"
        )
    return found[0]


def _files(repo: str, revision: str | None) -> list[str]:
    info = _asking(
        lambda: HfApi().model_info(repo, revision=revision, timeout=TIMEOUT_S), repo, revision
    )
    return [sibling.rfilename for sibling in info.siblings or ()]


def _asking(call: Callable[[], T], repo: str, revision: str | None) -> T:
    """Return what the hub answers, or say in one line why it does not."""
    hide_bars()
    errors = dict.fromkeys(Trouble, ModelError)
    return asking(call, Repo(name=repo, kind="model", errors=errors, revision=revision))
