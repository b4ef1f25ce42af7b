"""How large a report is and how soon it can be used: made, then opened in Chromium several times.

python benchmarks/report_page.py RUN [RUN_B] [--audio wrong|all|none] [--times 5]
"""

import argparse
import shutil
import statistics
import tempfile
import time
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.support.ui import WebDriverWait

from serval.report import write_report
from serval.run import load_run

FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
STAMPS = "const d = document.documentElement.dataset; return [+d.ready, +(d.drawn || 0)]"


def main() -> None:
    """Print one line: clips, clips that can be heard, size, and when the page answers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--audio", default="wrong", choices=("wrong", "all", "none"))
    parser.add_argument("--times", type=int, default=5)
    chosen = parser.parse_args()
    run, *others = [load_run(folder) for folder in chosen.runs]
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        path = Path(folder) / "report.html"
        page = write_report(run, path, baseline=others[0] if others else None, audio=chosen.audio)
        made_s = time.perf_counter() - start
        stamps = [opened(page.path) for _ in range(chosen.times)]
    ready, drawn = (sorted(column) for column in zip(*stamps, strict=True))
    print(
        f"{len(run)} clips, {page.sounds} heard, {page.size_mb} MB, made in {made_s:.0f} s; "
        f"interactive after {spread(ready)}, charts drawn after {spread(drawn)}"
    )


def opened(path: Path) -> tuple[float, float]:
    """Return the milliseconds after which a page answers, and after which its charts are drawn."""
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or shutil.which("google-chrome") or ""
    with tempfile.TemporaryDirectory() as profile:
        for flag in (*FLAGS, f"--user-data-dir={profile}"):
            options.add_argument(flag)
        driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
        try:
            driver.get(path.as_uri())
            WebDriverWait(driver, 60).until(lambda _: driver.execute_script(STAMPS)[1])
            ready, drawn = driver.execute_script(STAMPS)
        finally:
            driver.quit()
    return ready, drawn


def spread(values: list[float]) -> str:
    """Return median and range in seconds."""
    return (
        f"{statistics.median(values) / 1000:.2f} s ({values[0] / 1000:.2f}-{values[-1] / 1000:.2f})"
    )


if __name__ == "__main__":
    main()
