"""What serval says of models of the hub, in plain JSON types."""

from dataclasses import asdict

from commandline import called


def called_each(commands):
    """What each command line leaves, one after the other."""
    return [asdict(called(arguments, ".", {})) for arguments in commands]


def labels_of_checkpoints(names):
    from serval.export.flow import open_checkpoint
    from serval.export.options import ExportOptions

    return [list(open_checkpoint(name, ExportOptions()).labels) for name in names]


def taken(named):
    """Of each (name, runtime): whether an ONNX file was opened, and what is to be known of that."""
    from serval.models.load import load_model

    models = [load_model(name, runtime=runtime) for name, runtime in named]
    return [(model.path.name == "model.onnx", *model.contract.notes) for model in models]
