"""The figures one would rather look at: ratios to the peers, and what a landing's time consists of."""

import re
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.figures import Figure
from benchmarks.results import shown

if TYPE_CHECKING:
    from matplotlib.axes import Axes

RATIO = re.compile(r"_vs_|_growth$")
"""In the key of a ratio that is drawn."""

STAGE = re.compile(r"(^|_)stage_")
"""In the key of a stage of a landing."""

COLOURS = {True: "#2a6f97", False: "#c1121f", None: "#8d99ae"}
"""Of ratios: target kept, not kept, none."""

INCHES_WIDE, INCHES_A_BAR = 11.0, 0.34


def draw(figures: Sequence[Figure], file: Path) -> None:
    """Draw the ratios and the stages there are; without any, nothing is drawn and no old picture stays."""
    # Costs a second, and not every start of the program draws.
    from matplotlib.backends.backend_svg import FigureCanvasSVG  # noqa: PLC0415
    from matplotlib.figure import Figure as Canvas  # noqa: PLC0415

    ratios = [it for it in figures if it.unit == "times" and RATIO.search(it.key) and it.value > 0]
    stages = [it for it in figures if it.unit == "s" and STAGE.search(it.key)]
    if not ratios and not stages:
        file.unlink(missing_ok=True)
        return
    heights = [height for height in (len(ratios), 4 if stages else 0) if height]
    inches = 1.6 * len(heights) + INCHES_A_BAR * sum(heights)
    canvas = Canvas(figsize=(INCHES_WIDE, inches), layout="constrained")
    FigureCanvasSVG(canvas)
    axes = list(canvas.subplots(len(heights), 1, squeeze=False, height_ratios=heights)[:, 0])
    if ratios:
        _draw_ratios(axes.pop(0), ratios)
    if stages:
        _draw_stages(axes.pop(0), stages)
    # Without a date the same figures are the same file.
    canvas.savefig(file, format="svg", metadata={"Date": None})


def _draw_ratios(axes: "Axes", ratios: Sequence[Figure]) -> None:
    places = range(len(ratios))
    axes.barh(places, [it.value for it in ratios], color=[COLOURS[it.met] for it in ratios], height=0.6)
    for place, it in enumerate(ratios):
        axes.text(it.value, place, f" {shown(it.value, it.unit)}", va="center", fontsize=9)
        if it.target is not None:
            axes.plot([it.target, it.target], [place - 0.42, place + 0.42], color="black", linewidth=2)
    axes.set_yticks(places, [it.what for it in ratios], fontsize=9)
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.axvline(1, color="grey", linewidth=0.8)
    axes.margins(x=0.12)
    axes.set_xlabel(
        "times (logarithmic); black: the target; blue: kept, red: not kept, grey: none", fontsize=9
    )
    axes.set_title("Beside the peers", loc="left")
    axes.spines[["top", "right"]].set_visible(False)


def _draw_stages(axes: "Axes", stages: Sequence[Figure]) -> None:
    ends = list(accumulate(it.value for it in stages))
    for it, end in zip(stages, ends, strict=True):
        label = f"{it.what.removeprefix('of these: ')}: {shown(it.value, it.unit)} s"
        axes.barh([0], [it.value], left=end - it.value, height=0.6, label=label)
    axes.set_yticks([])
    axes.set_xlabel("seconds", fontsize=9)
    axes.set_title(f"One file, landed to loaded: {ends[-1]:.1f} s", loc="left")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.35), ncols=3, fontsize=9, frameon=False)
    axes.spines[["top", "right", "left"]].set_visible(False)
