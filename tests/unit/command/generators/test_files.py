"""Generated files are those of their seed, lie where they will land, and are there whole or not at all."""

import json
import os
import re
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any

import pytest

from airline_platform.contract.feed import Feed
from airline_platform.errors import AirlineError, WrongCall
from airline_platform.feeds import FEEDS
from airline_platform.feeds.bookings import BOOKINGS
from airline_platform.feeds.flights import FLIGHTS
from airline_platform.feeds.shipments import SHIPMENTS
from airline_platform.settings import Settings
from command.generators import files as files_module
from command.generators.files import generated_feeds, recipe_of
from command.land import expand, plan_upload

FIRST = date(2013, 1, 1)
ROWS = {"bookings": 500, "flights": 2_000, "shipments": 500}
DAYS = 16

each_feed = pytest.mark.parametrize(
    "feed", [FEEDS[name] for name in generated_feeds()], ids=lambda feed: feed.name
)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, in which a.txt is a file."""
    folder = tmp_path / "here"
    folder.mkdir()
    (folder / "a.txt").write_text("a file")
    monkeypatch.chdir(folder)
    return folder


@each_feed
def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(make, feed: Feed, tmp_path: Path) -> None:
    made = [
        make(tmp_path / str(n), feed, rows=200, seed=seed, dirty=True).path(feed).read_bytes()
        for n, seed in enumerate([7, 7, 8])
    ]

    assert made[0] == made[1]
    assert made[0] != made[2]


@each_feed
def test_no_two_days_are_alike(feed: Feed, clean: dict[str, Any]) -> None:
    assert len({clean[feed.name].path(feed, day).read_bytes() for day in clean[feed.name].days}) == DAYS


@pytest.mark.parametrize("spoilt", [False, True], ids=["clean", "dirty"])
@each_feed
def test_a_day_is_the_same_whatever_range_was_asked_for(
    make, feed: Feed, spoilt: bool, tmp_path: Path
) -> None:
    fifth = FIRST + timedelta(days=4)

    alone = make(tmp_path / "alone", feed, fifth, rows=300, dirty=spoilt)
    month = make(tmp_path / "month", feed, FIRST, 8, rows=300, dirty=spoilt)

    assert alone.path(feed, fifth).read_bytes() == month.path(feed, fifth).read_bytes()
    assert alone.days[fifth] == month.days[fifth]


@each_feed
def test_another_process_with_other_hashes_gives_the_same_bytes(make, feed: Feed, tmp_path: Path) -> None:
    days = ["--from", str(FIRST), "--to", str(FIRST)]
    code = "from command.cli import main; main()"
    arguments = ["generate", feed.name, *days, "--out", str(tmp_path / "other"), "--rows", "200", "--dirty"]

    subprocess.run(
        [sys.executable, "-c", code, *arguments],
        check=True,
        capture_output=True,
        env={**os.environ, "PYTHONHASHSEED": "1", "AIRLINE_HOME": str(tmp_path / "home")},
    )

    here = make(tmp_path / "here", feed, rows=200, dirty=True)
    other = replace(here, out=tmp_path / "other")
    assert here.path(feed).read_bytes() == other.path(feed).read_bytes()


@each_feed
def test_a_file_has_its_feeds_header_and_as_many_rows_and_bytes_as_told(
    feed: Feed, clean: dict[str, Any]
) -> None:
    made = clean[feed.name]

    for day, told in made.days.items():
        body = made.path(feed, day).read_bytes()
        header = f"{feed.header}\n".encode() if feed.format == "csv" else b""
        assert body.startswith(header)
        assert body.count(b"\n") - header.count(b"\n") == told.rows == ROWS[feed.name]
        assert len(body) == told.size
        assert told.dirty == Counter()


@each_feed
def test_every_file_lands_under_the_key_it_lies_under(
    feed: Feed, clean: dict[str, Any], dirty: dict[str, Any], no_stack: Settings
) -> None:
    for made in (clean[feed.name], dirty[feed.name]):
        files = list(expand([made.out / feed.prefix]))
        uploads = [plan_upload(file, settings=no_stack) for file in files]

        assert [upload.key for upload in uploads] == [f.relative_to(made.out).as_posix() for f in files]
        assert [(upload.feed, upload.day) for upload in uploads] == [(feed, str(day)) for day in made.days]


@each_feed
def test_a_file_is_there_whole_or_not_at_all(
    make, feed: Feed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)

    with pytest.raises(AirlineError, match="No space left") as failed:
        make(tmp_path, feed, rows=10)

    assert not isinstance(failed.value, WrongCall)
    assert [found for found in tmp_path.rglob("*") if found.is_file()] == []


@pytest.mark.parametrize("feed", [BOOKINGS, FLIGHTS], ids=lambda feed: feed.name)
def test_a_csv_file_takes_the_place_of_the_one_before(make, feed: Feed, tmp_path: Path) -> None:
    make(tmp_path, feed, rows=30)
    second = make(tmp_path, feed, rows=20)

    assert second.path(feed).name == f"{feed.name}.csv"
    assert len(second.read(feed)) == 20


def test_shipments_that_are_generated_again_lie_beside_the_first_ones(make, tmp_path: Path) -> None:
    before = datetime.now(UTC)
    first = make(tmp_path, SHIPMENTS, rows=30).path(SHIPMENTS)
    body = first.read_bytes()

    make(tmp_path, SHIPMENTS, rows=30)

    files = sorted(expand([tmp_path]))
    moments = [datetime.strptime(file.name, "shipments-%Y%m%dT%H%M%S.%f%z.json") for file in files]
    assert files[0] == first
    assert before <= moments[0] < moments[1] <= datetime.now(UTC)
    assert [file.read_bytes() for file in files] == [body, body]


class StoppedClock(datetime):
    """Always shows the same moment."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> "StoppedClock":
        return cls(2026, 1, 2, 3, 4, 59, 999_998, tz)


def test_a_name_that_is_taken_or_being_taken_is_left_alone(
    make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files_module, "datetime", StoppedClock)
    first = make(tmp_path, SHIPMENTS, rows=30).path(SHIPMENTS)
    body = first.read_bytes()
    being_written = first.with_name("shipments-20260102T030459.999999Z.json.partial")
    being_written.write_text("somebody else's")

    make(tmp_path, SHIPMENTS, rows=20)

    assert first.name == "shipments-20260102T030459.999998Z.json"
    assert [file.name for file in expand([tmp_path])] == [
        first.name,
        "shipments-20260102T030500.000000Z.json",
    ]
    assert (first.read_bytes(), being_written.read_text()) == (body, "somebody else's")


@each_feed
def test_every_clean_row_is_good_by_its_feeds_declaration(rules, feed: Feed, clean: dict[str, Any]) -> None:
    rows = [row for day in clean[feed.name].days for row in clean[feed.name].read(feed, day)]

    assert len(rows) == DAYS * ROWS[feed.name]
    assert [found for row in rows if (found := rules.problems(feed, row))] == []


@pytest.mark.parametrize("count", [1, 2, 12, 13, 60, 137])
@each_feed
def test_a_day_of_any_size_has_that_many_rows(make, feed: Feed, count: int, tmp_path: Path) -> None:
    made = make(tmp_path, feed, rows=count)

    assert len(made.read(feed)) == made.days[FIRST].rows == count


@pytest.mark.parametrize("options", [[], ["--array"]], ids=["lines", "array"])
def test_shipments_are_objects_a_line_or_one_array(airline, options: list[str], tmp_path: Path) -> None:
    days = ["--from", "2013-01-01", "--to", "2013-01-02", "--rows", "20"]

    status, out, _ = airline("shipments", *days, "--out", str(tmp_path), "--json", *options)

    files = list(expand([tmp_path]))
    assert (status, len(files)) == (0, 2)
    assert json.loads(out)["bytes"] == sum(file.stat().st_size for file in files)
    assert [file.read_bytes()[:1] for file in files] == [b"[" if options else b"{"] * 2


def test_the_figures_of_a_dirty_array_leave_out_what_only_lines_can_have(airline, tmp_path: Path) -> None:
    days = ["--from", "2013-01-01", "--to", "2013-01-01"]

    _, out, _ = airline("shipments", *days, "--out", str(tmp_path), "--dirty", "--array", "--json")

    kinds = {dirt["kind"] for dirt in json.loads(out)["dirty"]}
    assert kinds == {dirt.kind for dirt in recipe_of(SHIPMENTS).dirt if not dirt.lines_only}


def test_the_command_tells_files_rows_and_bytes(airline, tmp_path: Path) -> None:
    arguments = ["--from", "2013-01-01", "--to", "2013-01-03", "--out", str(tmp_path / "out"), "--rows", "20"]

    status, out, err = airline("flights", *arguments)

    files = list(expand([tmp_path / "out"]))
    size = sum(file.stat().st_size for file in files)
    assert (status, len(files)) == (0, 3)
    assert out == f"Generated in {tmp_path / 'out'}: files 3, rows 60, bytes {size:,}\n"
    assert "generating" in err


def test_the_command_tells_the_dirty_rows_by_kind(airline, tmp_path: Path) -> None:
    status, out, _ = airline(
        "bookings", "--from", "2013-01-01", "--to", "2013-01-01", "--out", str(tmp_path), "--dirty"
    )

    assert status == 0
    assert [dirt.kind for dirt in recipe_of(BOOKINGS).dirt if dirt.kind not in out] == []
    assert out.splitlines()[-1].startswith(f"Generated in {tmp_path}: files 1, rows 1,000, bytes ")
    assert re.search(r"; rows to be rejected 1\d$", out.rstrip())


@pytest.mark.parametrize("options", [[], ["--dirty"]], ids=["clean", "dirty"])
def test_json_is_one_document_with_the_figures(airline, options: list[str], tmp_path: Path) -> None:
    arguments = ["--from", "2013-01-01", "--to", "2013-01-02", "--out", str(tmp_path), "--seed", "5"]

    status, out, err = airline("bookings", *arguments, *options, "--json")

    document = json.loads(out)
    assert status == 0
    assert "generating" in err
    assert document["bytes"] == sum(file.stat().st_size for file in expand([tmp_path]))
    assert {name: document[name] for name in ("feed", "seed", "files", "rows")} == {
        "feed": "bookings",
        "seed": 5,
        "files": 2,
        "rows": 2_000,
    }
    rows = {dirt["becomes"]: 0 for dirt in document["dirty"]}
    for dirt in document["dirty"]:
        rows[dirt["becomes"]] += dirt["rows"]
    assert sum(rows.values()) == (40 if options else 0)
    assert document["rejected"] == rows.get("rejected", 0)


@pytest.mark.parametrize(
    ("arguments", "told", "remedy"),
    [
        (
            ["trains"],
            "expected a feed that can be generated, got 'trains'",
            "Name one of bookings, flights, shipments.",
        ),
        (
            ["flights", "--array"],
            "expected a feed of JSON with --array, got flights, whose files are CSV",
            "Leave --array out, or name one of shipments.",
        ),
        (
            ["airports"],
            "expected a feed that can be generated, got the feed airports, which has no days",
            "Name one of bookings",
        ),
        (["flights", "--to", "2012-12-31"], "expected a range of days", "--from must not be after --to"),
        (["flights", "--to", "2100-01-01"], "expected a range of days between 1970-01-01 and", "range"),
        (["flights", "--rows", "0"], "expected 1 rows a day or more, got 0", "--rows 1 or more"),
        (["flights", "--rows", "49", "--dirty"], "expected 50 rows a day or more with --dirty", "--rows 50"),
        (["flights", "--out", "a.txt"], "expected a folder or a place for one, got a.txt", "--out DIR"),
        (["flights", "--out", "a.txt/b/c"], "expected a folder or a place for one, got a.txt/b/c", "--out"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_wrong_call_is_status_2_with_the_expectation_and_the_remedy_and_writes_nothing(
    airline, here: Path, arguments: list[str], told: str, remedy: str
) -> None:
    common = ["--from", "2013-01-01", "--to", "2013-01-02", "--out", "out"]

    status, out, err = airline(arguments[0], *common, *arguments[1:])

    assert (status, out) == (2, "")
    assert err.startswith(told)
    assert "What to do: " in err
    assert remedy in err
    assert [found.name for found in here.iterdir()] == ["a.txt"]


@pytest.mark.parametrize("missing", ["--from", "--to", "--out"])
def test_a_range_and_a_folder_must_be_named(airline, missing: str) -> None:
    options = {"--from": "2013-01-01", "--to": "2013-01-01", "--out": "out"}
    options.pop(missing)

    status, out, err = airline("flights", *(word for pair in options.items() for word in pair))

    assert (status, out) == (2, "")
    assert missing in err
