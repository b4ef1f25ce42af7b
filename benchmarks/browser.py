"""How soon a page answers, and how fast models are in a browser against ONNX Runtime itself.

python benchmarks/browser.py FP32.onnx INT8.onnx [--times 5] [--rounds 10]

Chromium (headless) opens a fresh page of `serval web` several times and hears the first sample:
from the first request to the answer. Then, in each round, every model runs on the same clips in
ONNX Runtime with one thread and with all, and in WebAssembly with one thread and with all, one
after the other, in an order that turns: one interleaved run. Printed are medians with quartiles.
"""

import argparse
import shutil
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import contextmanager
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.support.ui import WebDriverWait

from serval.bench.bench import load_average
from serval.bench.rounds import Effort, Seconds, interleaved, ratio_of
from serval.bench.subjects import noise
from serval.machine import available_cores, instruction_sets, platform_facts
from serval.models.load import load_model
from serval.models.protocol import logits_alone
from serval.web import SiteServer, WebOptions, write_site

FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
SECONDS = (1.0, 3.0, 10.0)
WARM_UP = 2

Key = tuple[str, str, float]
"""Model, runtime with its threads, duration."""

FIRST_ANSWER = """
    const sample = document.querySelector("#samples button");
    if (!document.documentElement.dataset.ready) return null;
    if (!window.asked) { window.asked = performance.now(); sample.click(); return null; }
    return document.getElementById("sure").textContent.includes("sure")
        ? [window.asked, performance.now()] : null;
"""
OPEN = """
    const done = arguments[arguments.length - 1];
    (async () => {
      const site = await (await fetch("site.json")).json();
      const { openRuntime } = await import("/runtime.js");
      window.opened = { site, runtimes: arguments[0].map((threads) => openRuntime(threads)) };
      for (const runtime of window.opened.runtimes)
        for (const contract of site.models) await runtime.load(contract);
    })().then(() => done(null), (error) => done(String(error)));
"""
RUN = """
    const done = arguments[arguments.length - 1];
    const [model, runtime, seconds] = arguments;
    const contract = window.opened.site.models[model];
    const key = `${seconds}`;
    window.sounds ??= {};
    window.sounds[key] ??= Float32Array.from(
        { length: seconds * contract.sample_rate }, () => 0.4 * Math.random() - 0.2);
    window.opened.runtimes[runtime].answer(contract, window.sounds[key])
        .then(({ took_s }) => done(took_s), (error) => done(String(error)));
"""


def main() -> None:
    """Print the first answers and the table of times."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="+")
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=10)
    chosen = parser.parse_args()
    facts = platform_facts()
    print(f"{facts['processor']}, {facts['cores']} cores, {' '.join(instruction_sets())}")
    print(f"onnxruntime {facts['packages']['onnxruntime']}; load average {load_average()}")
    with tempfile.TemporaryDirectory() as folder:
        site = write_site(chosen.models, Path(folder) / "site", WebOptions(clips=3)).folder
        for at, model in enumerate(chosen.models):
            alone = write_site([model], Path(folder) / f"{at}", WebOptions(clips=3))
            answers = [first_answer(alone.folder) for _ in range(chosen.times)]
            ready, answered = zip(*answers, strict=True)
            print(f"{model}, {alone.first_mb:.1f} MB before the first answer: ready after "
                  f"{spread(ready)} ms, first answer after {spread(answered)} ms")  # fmt: skip
        measure(chosen.models, site, chosen.rounds)
    print(f"load average {load_average()}")


def first_answer(site: Path) -> tuple[float, float]:
    """Return the milliseconds from opening to a page that is ready, and to its first answer."""
    with served(site) as address, chromium() as browser:
        browser.get(address)
        wait = WebDriverWait(browser, 60, poll_frequency=0.01)
        asked, answered = wait.until(lambda _: browser.execute_script(FIRST_ANSWER))
        return asked, answered


def measure(models: list[str], site: Path, rounds: int) -> None:
    """Print the times of every model, runtime and duration, taken in turn."""
    several = available_cores()
    in_browser: dict[Key, list[float]] = {}
    with served(site) as address, chromium() as browser:
        browser.set_script_timeout(120)
        browser.get(address)
        fault = browser.execute_async_script(OPEN, [1, several])
        if fault:
            raise SystemExit(fault)
        works = {
            **native_works(models, several),
            **browser_works(browser, models, several, in_browser),
        }
        timed = interleaved(works, Effort(warm_up=WARM_UP, fewest=rounds, most=rounds))
    # What the browser itself timed, without the driver between.
    timed |= {key: np.array(times[WARM_UP:]) for key, times in in_browser.items()}
    show(models, several, timed)


def native_works(models: list[str], several: int) -> dict[Key, Callable[[], object]]:
    """Return a call of ONNX Runtime for each model, number of threads and duration."""
    works = {}
    for name, threads in product(models, (1, several)):
        opened = load_model(name, threads=threads)
        for seconds in SECONDS:
            call = partial(logits_alone, opened, noise(seconds, opened.sample_rate))
            works[name, f"native {threads}", seconds] = call
    return works


def browser_works(
    browser: webdriver.Chrome, models: list[str], several: int, took: dict[Key, list[float]]
) -> dict[Key, Callable[[], object]]:
    """Return a call of the page for each of the same; what it took is appended to `took`."""

    def call(key: Key, *given: object) -> None:
        took.setdefault(key, []).append(browser.execute_async_script(RUN, *given))

    return {
        key: partial(call, key, model, runtime, seconds)
        for (model, name), (runtime, threads), seconds in product(
            enumerate(models), enumerate((1, several)), SECONDS
        )
        for key in [(name, f"wasm {threads}", seconds)]
    }


def show(models: list[str], several: int, timed: dict[Key, Seconds]) -> None:
    """Print medians with quartiles, then the ratios of the sums over all durations."""
    totals: dict[str, Seconds] = {}
    for (name, runtime, seconds), times in sorted(timed.items()):
        low, middle, high = np.percentile(times, [25, 50, 75])
        print(f"{name:<45} {runtime:<9} {seconds:>4g} s  {1000 * middle:7.1f} ms "
              f"({1000 * low:.1f} to {1000 * high:.1f})  RTF {middle / seconds:.4f}")  # fmt: skip
        totals[f"{name} {runtime}"] = totals.get(f"{name} {runtime}", 0) + times
    runtimes = ("native 1", f"native {several}", "wasm 1", f"wasm {several}")
    for name, runtime in product(models, runtimes[1:]):
        print(ratio_of(f"{name} {runtime}", f"{name} native 1", totals).sentence())
    for runtime, name in product(runtimes, models[1:]):
        print(ratio_of(f"{name} {runtime}", f"{models[0]} {runtime}", totals).sentence())


@contextmanager
def served(site: Path):  # noqa: ANN201
    """Serve a site while the block runs, and yield its address."""
    with SiteServer(site) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.address
        server.shutdown()


@contextmanager
def chromium():  # noqa: ANN201
    """Yield a fresh browser."""
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or shutil.which("google-chrome")
    for flag in FLAGS:
        options.add_argument(flag)
    browser = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    try:
        yield browser
    finally:
        browser.quit()
        time.sleep(0.5)


def spread(times: tuple[float, ...]) -> str:
    """Return the median of the times and between which they lie."""
    return f"{statistics.median(times):.0f} ({min(times):.0f} to {max(times):.0f})"


if __name__ == "__main__":
    main()
