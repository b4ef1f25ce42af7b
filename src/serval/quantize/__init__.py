"""Smaller and faster files of one model, and the truth about what each of them costs."""

from serval.quantize.options import QuantizeOptions
from serval.quantize.quantize import Quantized, quantize, save_tried
from serval.quantize.variants import Variant, Variants, compare_all, save_comparison

__all__ = [
    "QuantizeOptions",
    "Quantized",
    "Variant",
    "Variants",
    "compare_all",
    "quantize",
    "save_comparison",
    "save_tried",
]
