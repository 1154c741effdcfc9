"""The stages of a landed day are all of its seconds, each of them once."""

import sys
from pathlib import Path

import pytest

# The benchmarks are no part of the distribution: they run where they stand.
sys.path.append(str(Path(__file__).parents[3]))
from benchmarks.stages import STAGES, STEPS, RecordedRun, stages_of

PUT, SEEN = 100.0, 109.0


def run(tick: float) -> RecordedRun:
    times = {"raw": (103.5, 103.7), "catalog": (103.8, 103.9), "glue": (104.0, 107.0), "load": (107.5, 109.4)}
    return RecordedRun("r", tick, 102.0, 103.0, {STEPS[stage]: times[stage] for stage in STEPS})


def test_each_stage_begins_where_the_one_before_has_ended_and_the_rest_lies_between_the_steps():
    assert stages_of(PUT, SEEN, run(tick=101.5)) == pytest.approx(
        {
            "event": 1.5,
            "tick": 0.5,
            "queue": 1.0,
            "launch": 0.5,
            "raw": 0.2,
            "catalog": 0.1,
            "glue": 3.0,
            "load": 1.5,
            "rest": 0.7,
        }
    )


@pytest.mark.parametrize("tick", [96.0, 100.0, 101.9])
def test_together_they_are_the_whole(tick):
    stages = stages_of(PUT, SEEN, run(tick))

    assert list(stages) == list(STAGES)
    assert sum(stages.values()) == pytest.approx(SEEN - PUT)


def test_a_tick_that_listened_before_the_file_landed_has_waited_for_no_event():
    stages = stages_of(PUT, SEEN, run(tick=96.0))

    assert (stages["event"], stages["tick"]) == (0.0, 2.0)
