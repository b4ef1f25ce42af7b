"""A Chromium of a test's own, with every request and every line of its console seen."""

import json
import shutil
from contextlib import contextmanager

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.support.ui import WebDriverWait

FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--force-prefers-reduced-motion", "--window-size=1360,1000",
)  # fmt: skip
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
TIMELESS = 120


@contextmanager
def chromium(folder, *flags):
    """A browser that keeps its profile and downloads in `folder`; skipped where there is none."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    chromedriver = shutil.which("chromedriver")
    if not (found and chromedriver):
        pytest.skip("no Chromium with chromedriver on this machine: apt install chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = found
    for flag in (*FLAGS, *flags, f"--user-data-dir={folder}"):
        options.add_argument(flag)
    options.add_experimental_option("prefs", {"download.default_directory": str(folder)})
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(chromedriver))
    driver.downloads = folder
    driver.set_script_timeout(TIMELESS)
    try:
        driver.get("about:blank")  # or what the browser's own first page fetches would be a test's
        requested(driver)
        yield driver
    finally:
        driver.quit()


def requested(browser):
    """The address of everything that was fetched since the last call."""
    messages = (json.loads(entry["message"])["message"] for entry in browser.get_log("performance"))
    return [
        m["params"]["request"]["url"]
        for m in messages
        if m["method"] == "Network.requestWillBeSent"
    ]


def wait(browser, condition):
    """What the condition gives once that is true."""
    return WebDriverWait(browser, TIMELESS, poll_frequency=0.05).until(lambda _: condition())
