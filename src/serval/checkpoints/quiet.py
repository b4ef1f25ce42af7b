"""Which remarks of torch and transformers are not the user's business, each named."""

from __future__ import annotations

import logging
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING

import transformers

if TYPE_CHECKING:
    from collections.abc import Iterator

REMARKS: tuple[tuple[str, type[Warning]], ...] = (
    # The exporter on its own future.
    (r"`isinstance\(treespec", FutureWarning),
    # A cache of the rotary conformer, which the graph does not need.
    ("The tensor attribute", UserWarning),
    # Samples and mask share their dimensions, as they should.
    ("# The axis name", UserWarning),
    # WavLM adds a float bias to a boolean mask.
    ("Support for mismatched key_padding_mask", UserWarning),
    # Of the finest bands of a filter bank with more bands than its transform can tell apart.
    ("At least one mel filter has all zero values", UserWarning),
)
LOGGERS = ("torch.onnx", "onnxscript", "onnx_ir")


@contextmanager
def quiet() -> Iterator[None]:
    """Hide these remarks, log lines below errors, and progress bars of loading, in this block."""
    loggers = [logging.getLogger(name) for name in LOGGERS]
    levels = [logger.level for logger in loggers]
    verbosity = transformers.logging.get_verbosity()
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            for message, kind in REMARKS:
                warnings.filterwarnings("ignore", message, kind)
            yield
    finally:
        transformers.logging.set_verbosity(verbosity)
        transformers.logging.enable_progress_bar()
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
