"""Which file `--compare-all` says to take, and what it says of one file."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from serval.bench.rounds import Ratio
from serval.machine import instruction_sets
from serval.quantize import comparison_verdict
from serval.quantize.choice import Variant, Variants, best_of
from serval.quantize.clips import Fidelity
from serval.quantize.judged import Judged, by_accuracy, by_macro_f1
from serval.quantize.quantize import Quantized, made_verdict, speed_verdict
from serval.quantize.workbench import Trial
from serval.scores.clusters import clustering_of
from serval.scores.stats import difference


def measured(lost, n=2000):
    """The FP32 model is right on nine clips in ten; `lost` of them become wrong."""
    reference = np.arange(n) % 10 > 0
    right = reference.copy()
    right[np.flatnonzero(reference)[:: max(1, n // (lost + 1) // 2)][:lost]] = False
    answers = tuple(
        np.column_stack([~side, side]).astype(np.float32) for side in (reference, right)
    )
    return Fidelity(
        clips=n,
        agreement=1 - lost / n,
        logit_error=0.1,
        divergence=0.01,
        judged=by_accuracy(np.ones(n), answers, clustering_of([None] * n)),
    )


def variant(name, lost, *, size=10, speed=1.0, pareto=True, n=2000):
    ratio = Ratio(of=name, to="fp32", median=speed, low=speed - 0.01, high=speed + 0.01, n=9)
    return Variant(
        name=name,
        file=f"m.variants/m.{name}.onnx",
        precision="int8",
        recipe=(),
        size_bytes=size,
        share=size / 40,
        clips_per_s=9,
        against_fp32=ratio,
        against_default=ratio,
        measured=measured(lost, n),
        pareto=pareto,
    )


def verdict(*variants):
    best = best_of(variants)
    return best, comparison_verdict(
        Variants(model="m", clips="ssi", calibration="ssi", variants=variants, best=best)
    )


FP32 = variant("fp32", 0, size=40)


def test_the_fastest_of_those_that_keep_the_accuracy_is_taken_and_a_bad_one_avoided():
    slow, fast = variant("int4", 2, size=5, speed=1.1), variant("static", 2, speed=2.3)
    bad = variant("default", 500, speed=3.0)
    best, (take, avoid) = verdict(FP32, bad, slow, fast)
    assert best == "static"
    assert take.startswith("Take m.variants/m.static.onnx (static): 25.00 % of the size, 2.30x as")
    assert "accuracy changes by -0.10 points (95 % interval -0." in take
    assert take.endswith("a loss of more than 1 point is ruled out, on 2,000 clips of ssi.")
    assert avoid.startswith(
        "Avoid default (m.variants/m.default.onnx): its accuracy changes by -25"
    )


def test_of_equal_speed_the_smaller_is_taken_and_the_front_goes_first():
    a, b = variant("a", 0, size=9, speed=2.04), variant("b", 0, size=8, speed=1.96)
    assert best_of([FP32, a, b]) == "b"
    assert best_of([FP32, a, replace(b, pareto=False)]) == "a"


def test_clips_that_cannot_tell_recommend_nothing():
    best, (said,) = verdict(FP32, variant("a", 1, n=40), variant("b", 0, n=40))
    assert best == "b"
    assert said.startswith("40 clips of ssi cannot tell which file keeps the accuracy of FP32; ")
    assert said.endswith("Measure on more clips before you take it.")


def test_clips_without_the_score_are_said_to_have_none_and_the_smallest_is_named():
    nothing = by_macro_f1(
        np.zeros((40, 2), dtype=bool), (-np.ones((40, 2)),) * 2, clustering_of([None] * 40)
    )
    found = replace(measured(0, n=40), judged=nothing)
    big, small = (replace(variant(f"of {n}", 0, size=n), measured=found) for n in (9, 8))
    best, (said,) = verdict(replace(FP32, measured=found), big, small)
    assert best == "of 8"
    assert "which is the smallest, for these clips have no macro F1: " in said


def test_dimensions_are_told_in_parts_of_1_and_a_drop_in_hundredths():
    change = difference(-0.0001, 0.001, 400, 0.001)
    judged = Judged(score="mean CCC", a=0.5, b=0.4999, change=change)
    assert judged.cost == (
        "mean CCC changes by 0.000 (95 % interval -0.003 to +0.003): a loss of more than 0.01 is "
        "ruled out"
    )
    assert (judged.verdict(1.0), judged.verdict(0.1)) == ("not worse", "cannot tell")
    assert judged.drop == pytest.approx(0.01)
    assert judged.document["p_swapped"] is None


def test_where_every_file_is_worse_fp32_is_kept():
    best, said = verdict(FP32, variant("a", 500), variant("b", 400))
    assert best == "b"
    assert said[0].startswith("Keep FP32: every other file is worse on 2,000 clips of ssi")
    assert [line.split()[1] for line in said[1:]] == ["a"]


def test_where_the_clips_cannot_tell_the_most_accurate_goes_before_the_front():
    small, true = variant("int4", 1, size=5, n=40), variant("dynamic", 0, n=40, pareto=False)
    best, (unsure,) = verdict(FP32, small, true)
    assert best == "dynamic"
    assert "the likeliest is m.variants/m.dynamic.onnx (dynamic), which is right most" in unsure


def test_a_file_that_does_not_run_on_the_target_is_never_taken():
    usual = replace(variant("default dynamic", 0, speed=3.0), refused="has ConvInteger")
    best, (_, said) = verdict(FP32, usual, variant("static", 0, speed=2.0))
    assert best == "static"
    assert said == (
        "default dynamic (m.variants/m.default dynamic.onnx) does not run on the target: it has "
        "ConvInteger."
    )


def test_a_file_that_is_taken_and_is_none_for_browsers_is_said_to_be():
    variants = (FP32, variant("static", 0, speed=2.0))
    comparison = Variants(model="m", clips="ssi", calibration="ssi", variants=variants,
                          best="static", not_in_browsers="has ConvInteger")  # fmt: skip
    assert comparison_verdict(comparison)[1] == (
        "m.variants/m.static.onnx is no file for a browser: it has ConvInteger; for a page, choose "
        "among those that are with --target web."
    )
    assert len(comparison_verdict(replace(comparison, not_in_browsers=""))) == 1


def speed(median):
    return Ratio(of="the file", to="fp32", median=median, low=median - 0.1, high=median + 0.1, n=9)


def test_a_file_that_is_slower_than_fp32_here_is_said_to_be():
    here = f"on this processor ({' '.join(instruction_sets()) or 'of unknown instruction sets'})"
    quick = f"It is 1.50x (quartiles 1.40 to 1.60) as fast as FP32 {here}."
    assert speed_verdict(speed(1.5)) == quick
    assert speed_verdict(speed(1.1)) == f"It is about as fast as FP32 {here}."
    assert speed_verdict(speed(0.7)).startswith(
        f"It is slower than FP32 {here}: 0.70x (quartiles 0.60 to 0.80) its speed; where speed "
        "counts, run FP32 there"
    )


def test_one_file_is_judged_by_the_interval():
    def said(result):
        made = Quantized(path=Path("q.onnx"), precision="int8", size_bytes=10, fp32_bytes=40,
                         recipe=(), tried=(), sensitive=(), result=result,
                         speed=speed(1.5))  # fmt: skip
        return made_verdict(made)[0]

    trial = Trial(what="the file", size_bytes=10, clips="ssi", measured=measured(500))
    assert said(trial).startswith(
        "q.onnx (int8) has 25.00 % of the size of FP32, 0.0 MB; on 2,000 clips of ssi its accuracy "
        "changes by -25.00 points (95 % interval -2"
    )
    assert said(trial).endswith(": that is worse.")
    unknown = replace(trial, measured=replace(measured(10), judged=None))
    assert said(unknown).endswith("99.50 % of 2,000 clips of ssi that no range has seen.")
    few = Quantized(path=Path("q.onnx"), precision="fp16", size_bytes=10, fp32_bytes=40,
                    recipe=(), tried=(), sensitive=(), result=unknown, speed=speed(1.5),
                    seen=True)  # fmt: skip
    size, whole, _ = made_verdict(few)
    assert size.endswith("2,000 clips of ssi on which its ranges were set.")
    assert whole.startswith("No layer of it is in 8 or 4 bits")
    assert said(None).endswith("give --eval DATASET to learn what that cost.")


def test_fp32_is_not_kept_while_a_slower_file_keeps_the_accuracy():
    slow, wrong = variant("weight-only int8", 2, speed=0.7), variant("static", 500, speed=2.0)
    best, (take, avoid) = verdict(FP32, slow, wrong)
    assert best == "weight-only int8"
    assert take.startswith("Take m.variants/m.weight-only int8.onnx (weight-only int8): 25.00 % of")
    assert "0.70x as fast as FP32" in take
    assert avoid.startswith("Avoid static (")


def test_sentences_say_where_slower_files_were_passed_over():
    fast, slow = variant("fast", 500), variant("slow", 400, speed=0.7)
    best, (kept, _) = verdict(FP32, fast, slow)
    assert best == "fast"
    assert "; the least bad of those no slower than FP32 here is m.variants/m.fast.onnx" in kept
    fast, slow = variant("fast", 1, n=40), variant("slow", 1, n=40, speed=0.7)
    best, (unsure,) = verdict(FP32, fast, slow)
    assert best == "fast"
    assert "which of those no slower than FP32 here is right most often (87.50 %): " in unsure


def test_a_file_that_is_slower_here_than_fp32_goes_behind_others_of_its_verdict():
    """Integers may be slower than floats on a processor without instructions for them."""
    true, fast = variant("weight-only int8", 0, speed=0.73, n=40), variant("static", 1, n=40)
    assert best_of([FP32, true, fast]) == "static"
    assert best_of([FP32, true]) == "weight-only int8"
    small = variant("int4", 0, size=5, speed=0.7)
    assert best_of([FP32, small, variant("static", 2, speed=0.9)]) == "static"
