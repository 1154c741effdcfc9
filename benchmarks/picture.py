"""The figures one would rather look at: ratios to the peers, and what a landing's time consists of."""

import re
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from textwrap import fill
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

INCHES_WIDE, INCHES_A_BAR = 11.0, 0.42
LABEL = 58
"""Characters of a label's line; a longer one would leave no room for the bars."""


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
    heights = [len(some) for some in (ratios, stages) if some]
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
    for place, it in enumerate(ratios):
        axes.barh([place], [it.value], color=COLOURS[it.met], height=0.6)
        axes.text(it.value, place, f" {shown(it.value, it.unit)}", va="center", fontsize=9)
        if it.target is not None:
            axes.plot([it.target, it.target], [place - 0.42, place + 0.42], color="black", linewidth=2)
    _label(axes, ratios)
    axes.set_xscale("log")
    axes.axvline(1, color="grey", linewidth=0.8)
    axes.margins(x=0.12)
    axes.set_xlabel(
        "times (logarithmic); black: the target; blue: kept, red: not kept, grey: none", fontsize=9
    )
    axes.set_title("Beside the peers", loc="left")
    axes.spines[["top", "right"]].set_visible(False)


def _draw_stages(axes: "Axes", stages: Sequence[Figure]) -> None:
    """Each where the one before it ended."""
    ends = list(accumulate(it.value for it in stages))
    for place, (it, end) in enumerate(zip(stages, ends, strict=True)):
        axes.barh([place], [it.value], left=end - it.value, height=0.6, color=COLOURS[None])
        axes.text(end, place, f" {shown(it.value, it.unit)}", va="center", fontsize=9)
    _label(axes, stages)
    axes.margins(x=0.12)
    axes.set_xlim(left=0)
    axes.set_xlabel("seconds", fontsize=9)
    axes.set_title(f"One file, landed to loaded: {ends[-1]:.1f} s", loc="left")
    axes.spines[["top", "right"]].set_visible(False)


def _label(axes: "Axes", figures: Sequence[Figure]) -> None:
    """A figure a line, from above."""
    names = (it.what.removeprefix("of these: ").removeprefix("- ") for it in figures)
    axes.set_yticks(range(len(figures)), [fill(name, LABEL) for name in names], fontsize=9)
    axes.invert_yaxis()
