"""From the name of a dataset to the dataset."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from serval.datasets.options import DatasetOptions
from serval.errors import ConfigError, DatasetNotFoundError

if TYPE_CHECKING:
    from serval.records import Dataset

__all__ = ["load_dataset"]

HUB = "hf:"


def load_dataset(name: str, *, options: DatasetOptions | None = None) -> Dataset:
    """Return the dataset called `name`, opened but not read.

    Args:
        name: `demo`, `ssi`, `hf:ORG/NAME` (or `hf:ORG/NAME/CONFIG`), a folder, or a file that
            ends in .csv, .tsv, .jsonl or .parquet.
        options: Which part of it to read, and which columns hold what.

    Raises:
        DatasetNotFoundError: There is no such set, split, file or column.
        AccessError: The hub wants a token or an accepted licence.
        NetworkError: The hub cannot be reached, and the set is not in its cache.
        DatasetError: The set is there but cannot be read.
    """
    options = options or DatasetOptions()
    if options.limit is not None and options.limit < 1:
        raise ConfigError(f"--limit {options.limit} leaves no clip; give at least 1")
    if name == "demo":
        from serval.datasets.demo import load_demo

        return load_demo(options)
    if name == "ssi":
        from serval.datasets.ssi import load_ssi

        return load_ssi(options)
    if name.startswith(HUB):
        return _from_hub(name, options)
    return _from_disk(Path(name).expanduser(), options)


def _from_hub(name: str, options: DatasetOptions) -> Dataset:
    org, _, rest = name.removeprefix(HUB).partition("/")
    repo, _, config = rest.partition("/")
    if not (org and repo):
        raise DatasetNotFoundError(f"'{name}' does not name a hub set; write hf:ORG/NAME")
    from serval.datasets.hub import load_hub
    from serval.datasets.hub_listing import HubSet
    from serval.datasets.local import Known

    hub_set = HubSet(repo=f"{org}/{repo}", config=config or None, revision=options.revision)
    return load_hub(hub_set, options, Known(name=name, location=name))


def _from_disk(path: Path, options: DatasetOptions) -> Dataset:
    if path.is_dir():
        from serval.datasets.folder import load_folder

        return load_folder(path, options)
    if path.is_file():
        from serval.datasets.local import load_file

        return load_file(path, options)
    raise DatasetNotFoundError(
        f"dataset '{path}' is not a name that serval knows, nor a folder or file that exists; "
        "known: demo, ssi, hf:ORG/NAME, or a path"
    )
