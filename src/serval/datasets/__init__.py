"""Where clips come from: built-in sets, the hub, folders and manifests."""

from serval.datasets.known import KnownDataset, known_datasets
from serval.datasets.load import load_dataset
from serval.datasets.options import DatasetOptions, LabelledOptions

__all__ = ["DatasetOptions", "KnownDataset", "LabelledOptions", "known_datasets", "load_dataset"]
