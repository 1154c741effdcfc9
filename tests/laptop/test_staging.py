"""What a Glue job sees of its outputs, and what becomes of what it does there; the gateway's S3, no Spark."""

from pathlib import Path
from typing import Any

import pytest

from airline_platform.settings import get_settings
from laptop.glue.staging import PARTITIONS_ARGUMENT, Staging, StagingError
from resources.aws.client import make_client
from resources.glue import PARTITIONS

LAKE = "airline-lake"
OUTPUT = "flights_enriched/"
STANDING = [f"{OUTPUT}date=2013-01-0{day}/part-{n}.parquet" for day in range(1, 6) for n in range(2)]
OF_THE_SECOND_AND_FOURTH = [key for key in STANDING if "01-02" in key or "01-04" in key]


@pytest.fixture
def s3(server: Any) -> Any:
    """The lake with five days of an output in it, and what only begins like it."""
    assert server
    client = make_client(get_settings(), "s3")
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=LAKE):
        for item in page.get("Contents", ()):
            client.delete_object(Bucket=LAKE, Key=item["Key"])
    for key in [*STANDING, f"{OUTPUT}date=2013-01-02b/x", "flights_enriched_2/x"]:
        client.put_object(Bucket=LAKE, Key=key, Body=b"old")
    return client


def staging(s3: Any, folder: Path, *days: str) -> Staging:
    """A run's folder with what it was brought; it has named these days."""
    made = Staging(s3, folder)
    made.mount()
    names = {PARTITIONS_ARGUMENT: ",".join(f"date={day}" for day in days)} if days else {}
    made.bring({"--output": f"s3://{LAKE}/{OUTPUT}", "--date": "2013-01-02", **names})
    return made


def seen(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder / LAKE)) for path in folder.rglob("*") if path.is_file())


def keys(s3: Any) -> set[str]:
    return {item["Key"] for item in s3.list_objects_v2(Bucket=LAKE, Prefix=OUTPUT)["Contents"]}


def write(folder: Path, key: str) -> None:
    path = folder / LAKE / key
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("new")


def test_a_run_that_names_its_partitions_sees_what_stands_in_these_alone(s3: Any, tmp_path: Path) -> None:
    staging(s3, tmp_path, "2013-01-04", "2013-01-02")

    assert seen(tmp_path) == OF_THE_SECOND_AND_FOURTH
    assert all(not (tmp_path / LAKE / key).read_bytes() for key in OF_THE_SECOND_AND_FOURTH)


def test_a_run_that_names_none_sees_all_of_its_output(s3: Any, tmp_path: Path) -> None:
    staging(s3, tmp_path)

    assert set(seen(tmp_path)) == keys(s3)


def test_what_it_replaces_in_its_partitions_is_replaced(s3: Any, tmp_path: Path) -> None:
    run, before = staging(s3, tmp_path, "2013-01-02"), keys(s3)
    for name in ("part-0.parquet", "part-1.parquet"):
        (tmp_path / LAKE / OUTPUT / "date=2013-01-02" / name).unlink()
    write(tmp_path, new := f"{OUTPUT}date=2013-01-02/part-9.parquet")

    assert run.send() == 3
    assert keys(s3) == {key for key in before if "01-02/" not in key} | {new}


def test_a_run_that_writes_to_another_partition_has_failed_and_stores_nothing(
    s3: Any, tmp_path: Path
) -> None:
    run, before = staging(s3, tmp_path, "2013-01-02"), keys(s3)
    write(tmp_path, f"{OUTPUT}date=2013-01-02/part-9.parquet")
    write(tmp_path, f"{OUTPUT}date=2013-01-03/part-9.parquet")

    with pytest.raises(StagingError, match=r"wrote s3://.*date=2013-01-03/part-9.parquet, which is in none"):
        run.send()
    assert keys(s3) == before


def test_elsewhere_than_in_its_outputs_it_may_write_as_ever(s3: Any, tmp_path: Path) -> None:
    run = staging(s3, tmp_path, "2013-01-02")
    write(tmp_path, "elsewhere/x")

    assert run.send() == 1


def test_a_run_of_the_platform_names_its_days_as_the_laptop_reads_them() -> None:
    assert f"--{PARTITIONS}" == PARTITIONS_ARGUMENT
