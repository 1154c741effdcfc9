"""Headless Chromium on the UI of the running stack; each test gets a window and leaves a screenshot."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, sync_playwright

sys.path.insert(0, str(Path(__file__).parents[1]))

from browser.chromium import find_chromium
from browser.ui import SIZE, Ui


# For one module: while Playwright runs, no other test of the session could run an event loop of its own.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = find_chromium()
    with sync_playwright() as playwright:
        # The stack's own pages need no sandbox, which root and containers do not have.
        launched = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture
def ui(browser: Browser, stack: Any, request: pytest.FixtureRequest) -> Iterator[Ui]:
    """A window; its last screenshot has the test's name, and nothing on its way may have been an error."""
    page = browser.new_page(viewport=SIZE)
    window = Ui(page, stack.settings.running_stack()["ui_url"])
    yield window
    window.picture(re.sub(r"\W+", "_", request.node.name))
    page.close()
    assert window.errors == []
