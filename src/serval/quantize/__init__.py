"""Smaller and faster files of one model, and the truth about what each of them costs."""

from serval.quantize.comparison import Comparison, Variant, compare_all, save_comparison
from serval.quantize.flow import Quantized, quantize, save_tried
from serval.quantize.options import QuantizeOptions

__all__ = [
    "Comparison",
    "QuantizeOptions",
    "Quantized",
    "Variant",
    "compare_all",
    "quantize",
    "save_comparison",
    "save_tried",
]
