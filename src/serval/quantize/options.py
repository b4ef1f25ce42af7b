"""Every option of a quantization, with its default."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from serval.datasets import LabelledOptions
from serval.errors import ConfigError
from serval.inspection.verdicts import TARGETS
from serval.models.options import ModelOptions
from serval.options import changed, refuse_unused

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

METHODS = ("static", "dynamic", "int4")
OF_RANGES = ("--ranges", "--convolutions", "--smoothing")
OF_EVALUATION = ("--split", "--limit", "--sample", "--label-map", "--drop-unmapped")


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantizeOptions(ModelOptions, LabelledOptions):
    """How to make a model smaller; what is said of a dataset is of the one to evaluate on.

    Attributes:
        method: `static` (scales of activations fixed beforehand), `dynamic` (found at run time) or
            `int4` (large linear layers at 4 bits).
        calibration: Dataset whose train split, where it has one, shows what activations look like.
        clips: Clips for the ranges; twice as many others choose between methods.
        ranges: `auto` (the one with the smallest measured error), `min-max`, `percentile`,
            `entropy`.
        convolutions: `auto`, `int8` (integer arithmetic) or `weights` (stored in 8 bits, computed
            in FP32).
        smoothing: Strength of SmoothQuant in [0, 1]; 0 leaves it out.
        block: Weights that share a scale at 4 bits.
        portable: Whether the file must give the same answers on processors without VNNI.
        target: `server`, `mobile` or `web`: where the file must run, else it is refused.
        qdq: Whether linear layers of a static file, too, are FP32 operators between QuantizeLinear
            and DequantizeLinear, as the tools of other runtimes expect it; slower in ONNX Runtime.
        evaluation: Dataset on which accuracy is measured; of several emotions a clip macro F1, of
            dimensions the mean CCC.
        max_drop: Loss of that score, in points (hundredths), that must be ruled out; layers leave
            INT8 until it is.
        max_left_out: As of any labelled set; by default all of it, since what is left out is told.
        workers: Clips at once; by default one for each core.
        runtimes: Further ones that run every file of a comparison too: `openvino`.
    """

    method: str = "static"
    calibration: str | None = None
    clips: int = 64
    ranges: str = "auto"
    convolutions: str = "auto"
    smoothing: float = 0.5
    block: int = 128
    portable: bool = True
    target: str = "server"
    qdq: bool = False
    evaluation: str | None = None
    max_drop: float | None = None
    max_left_out: float = 1.0
    workers: int | None = None
    runtimes: tuple[str, ...] = ()

    def check(self, *, compared: bool = False) -> None:
        """Return nothing if the options go together.

        Args:
            compared: Whether every variant is made, and not one file.

        Raises:
            ConfigError: They do not; nothing was read yet.
        """
        if self.method not in METHODS:
            raise ConfigError(f"unknown --method '{self.method}'; known: {', '.join(METHODS)}")
        if self.method == "static" and self.calibration is None:
            raise ConfigError(
                "--method static fixes the range of every tensor beforehand and needs speech for "
                "that; give --calibration DATASET, or take --method dynamic"
            )
        if self.max_drop is not None and self.evaluation is None:
            raise ConfigError("--max-drop needs clips to measure accuracy on; give --eval DATASET")
        if self.max_drop is not None and self.method == "dynamic":
            raise ConfigError("--max-drop searches with --method static or int4, not dynamic")
        if self.qdq and self.method != "static":
            raise ConfigError(
                f"--qdq changes how --method static writes linear layers, not "
                f"--method {self.method}; leave one of them out"
            )
        self._check_target()
        self._check_numbers()
        self._check_unused(compared=compared)

    def _check_unused(self, *, compared: bool) -> None:
        """Refuse what would have no effect."""
        given = changed(self, QuantizeOptions)
        if self.runtimes and not compared:
            refuse_unused(["--runtime"], "only --compare-all runs files on other runtimes")
        for flags, why in (*self._unused_by_method(compared=compared), *self._unused_by_sets()):
            refuse_unused([flag for flag in flags if flag in given], why)

    def _unused_by_method(self, *, compared: bool) -> Iterator[tuple[Iterable[str], str]]:
        """Yield which flags would change nothing of the files that are made, and why."""
        if compared and self.calibration is not None:
            yield ["--method"], "--compare-all makes the files of all methods"
        if not compared and self.method != "int4" and self.max_drop is None:
            yield ["--block"], "only --method int4 stores weights in blocks"
        if self.method == "dynamic" or self.calibration is None:
            without = " without --calibration" * (self.method == "int4")
            yield OF_RANGES, f"--method {self.method}{without} has no fixed ranges of activations"

    def _unused_by_sets(self) -> Iterator[tuple[Iterable[str], str]]:
        """Yield which flags are of a set that is not read."""
        if self.calibration is None:
            yield ["--clips"], "the clips are those of --calibration, which is not given"
        if self.evaluation is None:
            yield OF_EVALUATION, "that is of the clips of --eval, which is not given"
        if self.calibration is None and self.evaluation is None:
            yield changed(self, LabelledOptions), "neither --calibration nor --eval is given"

    def _check_target(self) -> None:
        if self.target not in TARGETS:
            raise ConfigError(f"unknown --target '{self.target}'; known: {', '.join(TARGETS)}")
        if self.target != "server" and not self.portable:
            raise ConfigError(
                "--full-range is for processors that are known to have VNNI or to be an ARM, and "
                f"--target {self.target} for whatever people hold; leave one of them out"
            )

    def _check_numbers(self) -> None:
        for flag, number in (("--clips", self.clips), ("--workers", self.workers)):
            if number is not None and number < 1:
                raise ConfigError(f"{flag} is {number}; give at least 1")
        if self.max_drop is not None and not 0 < self.max_drop <= 100:
            raise ConfigError(
                f"--max-drop is {self.max_drop}; give points, hundredths of the score, above 0, "
                "to 100: the interval of a loss is never without width"
            )
        if not 0 <= self.smoothing <= 1:
            raise ConfigError(f"--smoothing is {self.smoothing}; give a strength from 0 to 1")
        if self.block < 16 or self.block & (self.block - 1):
            raise ConfigError(f"--block is {self.block}; give a power of two from 16")
