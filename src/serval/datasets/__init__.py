"""Where clips come from: known corpora, the hub, folders and manifests."""

from serval.datasets.load import load_dataset, named_corpus
from serval.datasets.options import DatasetOptions, LabelledOptions
from serval.datasets.subset import only

__all__ = ["DatasetOptions", "LabelledOptions", "load_dataset", "named_corpus", "only"]
