"""One Chromium for all pages that are opened from disk."""

import pytest

from chromium import chromium, requested, wait

OF_THE_FILE = ("file:", "data:", "blob:")
DRAWN = "return document.documentElement.dataset.drawn"


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    with chromium(tmp_path_factory.mktemp("profile")) as driver:
        yield driver


@pytest.fixture
def page(browser):
    """Opens a file and, at the end, demands that nothing was wrong and nothing was fetched."""
    opened = []

    def open_page(path, fragment=""):
        browser.get_log("browser")
        requested(browser)
        browser.get(path.as_uri() + fragment)
        opened.append(path)
        wait(browser, lambda: browser.execute_script(DRAWN))
        return browser

    yield open_page
    assert opened
    assert [entry["message"] for entry in browser.get_log("browser")] == []
    assert [url for url in requested(browser) if not url.startswith(OF_THE_FILE)] == []
    browser.execute_script("localStorage.clear()")
    browser.get("about:blank")  # which nothing is laid out for anew
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": []})
