"""The Dagster UI's pages as a user sees them: all that the tests must know of Dagster 1.13's own marks."""

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from playwright.sync_api import Locator, Page, expect

SCREENSHOTS = Path(__file__).parents[3] / "artifacts" / "screenshots"
SIZE = {"width": 1600, "height": 1000}
"""Of the window and so of every screenshot, in pixels."""

SECONDS = 60
"""How long a page may take to show what it was asked for."""

expect.set_options(timeout=SECONDS * 1000)

LOCATION = "/locations/airline_platform"
GRAPH = "[data-svg-viewport]"
NODE = f'{GRAPH} foreignObject:has([class*="AssetNode_assetName"])'
GROUP = f"{GRAPH} foreignObject.group"
DAY = '[class*="assetListRow"]'
AUTOMATION = "a:is([href*='/sensors/'], [href*='/schedules/'])"
EDGE = f"{GRAPH} path[marker-end]"
ZOOM_OUT = f'{GRAPH} button:has([aria-label="zoom_out"])'
STEPS_OUT = 10
SEARCH_FIELD = 60
"""Pixels of a graph's upper edge that the search field lies over."""

NEAR = 10
"""An edge begins and ends at most so far from its nodes' sides, in the graph's own units."""

READ_NODES = """nodes => nodes.map(node => ({
  name: node.querySelector('[class*="AssetNode_assetName"]').innerText.trim(),
  left: node.x.baseVal.value, right: node.x.baseVal.value + node.width.baseVal.value,
  top: node.y.baseVal.value, bottom: node.y.baseVal.value + node.height.baseVal.value,
}))"""

READ_EDGES = """edges => edges.map(edge => {
  const from = edge.getPointAtLength(0), to = edge.getPointAtLength(edge.getTotalLength());
  return [from.x, from.y, to.x, to.y];
})"""

ALL_IN_SIGHT = f"""([graph, node, count]) => {{
  const frame = document.querySelector(graph).getBoundingClientRect();
  const nodes = [...document.querySelectorAll(node)].map(each => each.getBoundingClientRect());
  return nodes.length === count && nodes.every(it => it.left >= frame.left && it.right <= frame.right
    && it.top >= frame.top + {SEARCH_FIELD} && it.bottom <= frame.bottom);
}}"""
"""A graph draws no more than what is in sight, or nearly so."""

IS_DRAWN = "image => image.complete && image.naturalWidth > 0 && image.clientWidth > 0"


@dataclass(frozen=True)
class Node:
    """An asset's box in a graph; its name may be shortened in the middle."""

    name: str
    left: float
    right: float
    top: float
    bottom: float


@dataclass(frozen=True)
class Graph:
    """What a lineage page draws: names of assets, and from which to which an arrow goes."""

    assets: set[str]
    edges: set[tuple[str, str]]


class Ui:
    """A browser's window on a running Dagster.

    Args:
        page: The window.
        url: Dagster's address, such as `http://127.0.0.1:3000`.
    """

    def __init__(self, page: Page, url: str) -> None:
        self.page, self._url = page, url
        self.errors: list[str] = []
        """What the browser's console and the pages' scripts complained about, page by page."""
        page.set_default_timeout(SECONDS * 1000)
        page.on("pageerror", lambda error: self.errors.append(f"{page.url}: {error}"))
        page.on("console", lambda said: said.type == "error" and self._note(f"{said.text} {said.location}"))

    def _note(self, error: str) -> None:
        self.errors.append(f"{self.page.url}: {error}")

    def open(self, path: str) -> None:
        self.page.goto(self._url + path)

    def picture(self, name: str, of: str | None = None) -> None:
        """Keep what is seen, or one part of it, as `artifacts/screenshots/<name>.png`."""
        path = SCREENSHOTS / f"{name}.png"
        if of is None:
            self.page.screenshot(path=path, animations="disabled")
        else:
            self.page.locator(of).screenshot(path=path, animations="disabled")

    # Lineage

    def open_whole_graph(self, assets: int) -> None:
        """The lineage page with every group unfolded and in sight, once it draws so many assets."""
        self.open("/asset-groups")
        self.page.locator(GROUP).first.wait_for()
        self.page.keyboard.press("Alt+e")
        self._fit(assets)

    def open_lineage_of(self, asset: str, assets: int) -> None:
        """An asset's page, its lineage tab, and there all before and after it, once so many are drawn."""
        self.open(f"/assets/{asset}")
        self.page.get_by_role("tab", name="Lineage").click()
        self.page.locator(NODE).first.wait_for()
        self.page.get_by_role("button", name="All", exact=True).click()
        self.page.wait_for_url("**lineageDepth**")
        # The page keeps its old zoom when it gets more to draw, and finds its own when it is opened.
        self.page.reload()
        self._fit(assets)

    def _fit(self, assets: int) -> None:
        """Bring so many assets in sight: a double click beside them may leave some, so zoom out as well."""
        self.page.locator(NODE).first.wait_for()
        self.page.locator(GRAPH).dispatch_event("dblclick")
        self._come_to_rest()
        for _ in range(STEPS_OUT):
            if self.page.evaluate(ALL_IN_SIGHT, [GRAPH, NODE, assets]):
                break
            self.page.locator(ZOOM_OUT).click()
            self._come_to_rest()
        expect(self.page.locator(NODE)).to_have_count(assets)

    def _come_to_rest(self) -> None:
        self.page.locator(NODE).last.element_handle().wait_for_element_state("stable")

    def graph(self, names: set[str]) -> Graph:
        """Read the graph that is drawn.

        Args:
            names: Every asset's name, to complete those that the page has shortened.
        """
        nodes = [Node(**found) for found in self.page.locator(NODE).evaluate_all(READ_NODES)]
        drawn = self.page.locator(EDGE).evaluate_all(READ_EDGES)
        shown = {node.name for node in nodes}
        full = {node: _in_full(node.name, names, shown) for node in nodes}
        edges = {
            (full[start], full[end])
            for x0, y0, x1, y1 in drawn
            for start in nodes
            for end in nodes
            if _touches(start.right, start, x0, y0) and _touches(end.left, end, x1, y1)
        }
        return Graph(set(full.values()), edges)

    # One asset

    def open_days(self, asset: str, first: str, last: str) -> None:
        """An asset's partitions tab, with the days from first to last chosen."""
        self.open(f"/assets/{asset}")
        self.page.get_by_role("tab", name="Partitions").click()
        field = self.page.locator('input[value*="..."]')
        field.fill(f"[{first}...{last}]")
        field.press("Enter")

    def days_listed(self) -> list[str]:
        """The days of the list on the partitions tab, newest first."""
        return [str(day.get_attribute("title")) for day in self.page.locator(f"{DAY} [title]").all()]

    def expect_days(self, count: int, *, materialized: int) -> None:
        """So many days are chosen, and so many of them are there."""
        expect(self.page.get_by_text(f"{count} Partitions Selected")).to_be_visible()
        expect(self.page.get_by_text(f"Materialized ({materialized})")).to_be_visible()

    def choose_day(self, day: str) -> None:
        """Open a listed day, once it says that it is materialized."""
        self.page.locator(DAY, has_text=day).click()
        expect(self.page.get_by_text("Materialized", exact=True)).to_be_visible()

    def metadata(self, name: str) -> Locator:
        """A value of the metadata that the page shows."""
        row = self.page.get_by_role("row").filter(has=self.page.get_by_text(name, exact=True))
        return row.get_by_role("cell").nth(1)

    def open_plot(self, name: str) -> Locator:
        """The picture in a Markdown value of the metadata, once the browser has drawn it."""
        self.metadata(name).get_by_text("[Show Markdown]").click()
        image = self.page.get_by_role("dialog").locator('img[src^="data:image/png;base64,"]').first
        image.wait_for()
        self.page.wait_for_function(IS_DRAWN, arg=image.element_handle())
        return image

    def open_link(self, name: str) -> None:
        """Follow a link of the metadata in this window."""
        self.page.goto(str(self.metadata(name).get_by_role("link").first.get_attribute("href")))

    def close_dialog(self) -> None:
        self.page.get_by_role("dialog").get_by_role("button", name="Close").click()
        expect(self.page.get_by_role("dialog")).to_have_count(0)

    # Backfill

    def ask_for_backfill(self, group: str, first: str, last: str) -> None:
        """The dialog that materializes all assets of a group, with the days from first to last typed in."""
        self.open(f"{LOCATION}/asset-groups/{group}/lineage")
        self.page.get_by_role("button", name="Materialize all").click()
        dialog = self.page.get_by_role("dialog")
        dialog.get_by_role("button", name="Show all partitions").click()
        field = dialog.get_by_role("textbox")
        field.fill(f"[{first}...{last}]")
        field.press("Enter")

    def expect_days_asked_for(self, count: int) -> None:
        """The dialog says that it will launch so many days."""
        expect(self.page.get_by_role("dialog").get_by_text(f"{count} partitions", exact=True)).to_be_visible()

    def launch_backfill(self) -> str:
        """Launch what the dialog asks for, and go to its page; return its id."""
        self.page.get_by_role("dialog").get_by_role("button", name="Launch backfill").click()
        self.page.get_by_text("Created backfill").wait_for()
        self.page.get_by_role("link", name="View", exact=True).click()
        self.page.wait_for_url(re.compile(r"/runs/b/\w+"))
        return self.page.url.rpartition("/")[2].partition("?")[0]

    def expect_backfill(self, status: str, seconds: float) -> None:
        """The backfill's page comes to say so by itself."""
        detail = self.page.locator('[class*="BackfillOverviewDetails_label"]', has_text="Status")
        expect(detail.locator("+ *")).to_have_text(status, timeout=seconds * 1000)

    # Sensors and schedules

    def open_automation(self, count: int) -> set[str]:
        """The automation page, once it has so many rows; tell what is listed, as `sensors/alert_sensor`."""
        self.open("/automation")
        expect(self.page.locator(AUTOMATION)).to_have_count(count)
        links = [str(row.get_attribute("href")) for row in self.page.locator(AUTOMATION).all()]
        return {"/".join(link.split("/")[-2:]) for link in links}

    def expect_running(self, listed: str) -> None:
        """The switch of something listed is on."""
        row = (
            self.page.locator(AUTOMATION).and_(self.page.locator(f'[href$="/{listed}"]')).locator("xpath=..")
        )
        expect(row.get_by_role("checkbox").last).to_be_checked()


def _in_full(shown: str, names: set[str], all_shown: set[str]) -> str:
    """The asset behind a name such as `daily_f…_processed`.

    Raises:
        AssertionError: There is not exactly one.
    """
    pattern = shown.replace("…", "*")
    fitting = {name for name in names if fnmatchcase(name, pattern)}
    found = fitting if shown in names else fitting - all_shown
    assert len(found) == 1, f"expected one asset behind {shown}, found {sorted(found)}"
    return found.pop()


def _touches(side: float, node: Node, x: float, y: float) -> bool:
    """Whether an end of an edge lies at one side of a node."""
    return abs(side - x) <= NEAR and node.top <= y <= node.bottom
