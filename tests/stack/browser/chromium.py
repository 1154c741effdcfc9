"""Where the browser is."""

import shutil

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")


def find_chromium() -> str:
    """The browser's path; a test on a machine that has none fails, and says how to get it."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.fail(
            f"expected a browser on the PATH, one of {', '.join(NAMES)}, and found none: "
            "run `make chromium`, or install Chromium as your system does it",
            pytrace=False,
        )
    return found
