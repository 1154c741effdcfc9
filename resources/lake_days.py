"""Where days of the lake's tables stand: a run writes folders of its own, and a day's partition moves to one.

A day of a table is in one folder, and the Data Catalog's partition says in which. Moving that is one write,
so a query sees the old rows or the new ones. Documents stand beside the catalog, in the lake, under
`manifests/<table>`:

- `…_days/<day>.json`: where the day stands. A catalog that was lost, as a laptop's is, is made again from it.
- `…_replaced/<id>.json`: folders that may have to go, noted before they are written or replaced.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit
from uuid import uuid4

from airline_platform.contract.sink import RUNS
from airline_platform.errors import AirlineError
from airline_platform.settings import Settings
from resources.aws.client import reaching
from resources.catalog import CatalogTable, catalog_tables, has_all, partitions_of
from resources.glue import Glue
from resources.lake import Lake

if TYPE_CHECKING:
    from mypy_boto3_glue import GlueClient

DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
"""A day's folder; others come from other people."""

GET, CHANGE = 1000, 100
"""Most partitions of a BatchGetPartition, and of a BatchCreatePartition or BatchUpdatePartition."""


def run_folder(table_prefix: str, run_id: str) -> str:
    """Return the key prefix below which a run writes days of a table, each in `date=YYYY-MM-DD/`."""
    return f"{table_prefix}{RUNS}{run_id}/"


class LakeDays:
    """The days of one table of the Data Catalog whose runs write folders of their own.

    Args:
        glue: A boto3 Glue client.
        database: Of the catalog; it has the table.
        lake: Holds the documents; the table's files may lie in another bucket.
        table: As it is declared.
    """

    def __init__(self, glue: "GlueClient", database: str, lake: Lake, table: CatalogTable) -> None:
        self.glue = glue
        self.lake = lake
        self.table = table
        self._named: Any = {"DatabaseName": database, "TableName": table.name}

    @classmethod
    def of(cls, glue: Glue, lake: Lake, table: CatalogTable) -> Self:
        """Return the days of a table of this catalog and lake."""
        return cls(glue.client(), glue.database, lake, table)

    def note(self, folders: Mapping[str, str]) -> None:
        """Note folders that are to be looked at when the grace time is over: no day may stand there then.

        Args:
            folders: `s3://` location by day.
        """
        if folders:
            document = {"since": datetime.now(UTC).isoformat(), "folders": dict(folders)}
            self.lake.put_json(f"{self._replaced}{uuid4()}.json", document)

    def place(self, folders: Mapping[str, str]) -> list[str]:
        """Have days stand in these folders: a new one is registered, the partition of another one moves.

        Args:
            folders: `s3://` location by day.

        Returns:
            The days that were elsewhere, ascending.

        Raises:
            AirlineError: Glue refused one of them.
        """
        with reaching(self.lake.aws):
            standing = self._registered(sorted(folders))
            moving = {
                day: standing[day] for day in folders if standing.get(day, folders[day]) != folders[day]
            }
            self.note(moving)
            self.lake.put_manifests(self._days, {day: {"location": where} for day, where in folders.items()})
            late = self._create([day for day in sorted(folders) if day not in standing], folders)
            there = self._registered(late)
            overtaken = {day: there[day] for day in late if there.get(day, folders[day]) != folders[day]}
            self.note(overtaken)
            moving |= overtaken
            self._move(sorted(moving), folders)
        return sorted(moving)

    def locations(self, days: Sequence[str]) -> dict[str, str]:
        """Return where days stand by their documents; days that only an earlier layout has are left out."""
        return {day: it["location"] for day, it in self.lake.get_manifests(self._days, days).items()}

    def restore(self) -> list[str]:
        """Register the days that the catalog lacks, and return them; have all others read like their table.

        A day stands where its document says, or in the table's own `date=` folder, where every run wrote in
        earlier versions of the platform. One that is registered stays where it is.
        """
        with reaching(self.lake.aws):
            there = self._all_registered()
            lacking = sorted({*self._documented(), *self._folders_of_earlier_versions()} - there.keys())
            folders = {day: self.table.folder(day) for day in lacking} | self.locations(lacking)
            placed = {day: folders[day] for day in self._create(lacking, folders)}
            # A description alone is nothing that a partition is read by.
            declared = self.table.table_input["StorageDescriptor"]["Columns"]
            columns = [{key: it[key] for key in ("Name", "Type")} for it in declared]
            other = {
                day: it["Location"] for day, it in there.items() if not has_all(it.get("Columns"), columns)
            }
            self._rewrite(placed | other)
        return lacking

    def sweep(self, grace: timedelta, made: Callable[[Sequence[str]], Mapping[str, str]]) -> int:
        """Delete folders that were noted longer ago than the grace time, and in which no day stands.

        Args:
            grace: How long a query may still read what was replaced.
            made: Gives the `s3://` location by day of what is made of days, and perhaps not placed yet; it
                stays.

        Returns:
            How many objects were deleted.
        """
        with reaching(self.lake.aws):
            old = {path: it for path, it in self._notes() if _since(it) <= datetime.now(UTC) - grace}
            folders = {(day, where) for it in old.values() for day, where in it["folders"].items()}
            days = sorted({day for day, _ in folders})
            kept = {
                *self._surely_registered(days).items(),
                *self.locations(days).items(),
                *made(days).items(),
            }
            removed = sum(self._remove(day, where) for day, where in sorted(folders - kept))
            for path in old:
                self.lake.remove(path)
        return removed

    def empty(self, day: str) -> int:
        """Delete every row of a day, replaced ones, too; return how many objects that were.

        Its partition stays, and shows nothing.
        """
        noted = {it["folders"][day] for _, it in self._notes() if day in it["folders"]}
        standing = set(self.locations([day]).values())
        with reaching(self.lake.aws):
            return sum(self._remove(day, where) for where in noted | standing | {self.table.folder(day)})

    @property
    def _days(self) -> str:
        return f"{self.table.name}_days"

    @property
    def _replaced(self) -> str:
        return f"manifests/{self.table.name}_replaced/"

    def _notes(self) -> list[tuple[str, Any]]:
        paths = self._paths(self._replaced)
        return [(path, it) for path in paths if (it := self.lake.get_json(path)) is not None]

    def _paths(self, prefix: str) -> list[str]:
        (entries,) = self.lake.list_files([prefix]).values()
        return [self.lake.path(entry["url"]) for entry in entries]

    def _remove(self, day: str, location: str) -> int:
        """Delete a folder of a day.

        Raises:
            AirlineError: It is none of the table's.
        """
        inside = location.startswith(self.table.location) and location.endswith(f"/date={day}/")
        if not inside:
            raise AirlineError(
                f"expected a folder of {day} below {self.table.location}, found {location}",
                remedy=f"See who has written that below {self.lake.uri(self._replaced)}; it is not deleted.",
            )
        place = urlsplit(location)
        return self.lake.with_bucket(place.netloc).remove(place.path.lstrip("/"))

    def _documented(self) -> list[str]:
        paths = self._paths(f"manifests/{self._days}/")
        return [path.rpartition("/")[2].removesuffix(".json") for path in paths]

    def _folders_of_earlier_versions(self) -> Iterator[str]:
        """Days that have a folder right below the table's."""
        place = urlsplit(self.table.location)
        pages = self.lake.client().get_paginator("list_objects_v2")
        beginning = f"{place.path.lstrip('/')}date="
        for page in pages.paginate(Bucket=place.netloc, Prefix=beginning, Delimiter="/"):
            for each in page.get("CommonPrefixes", ()):
                day = each["Prefix"].removeprefix(beginning).rstrip("/")
                if DAY.fullmatch(day):
                    yield day

    def _rewrite(self, standing: Mapping[str, str]) -> None:
        """Write partitions anew where their documents say, else where they were seen.

        A run that places a day meanwhile writes its document before the partition. So documents are read
        after the partitions were listed, and once more after they were written.
        """
        wanted = {**standing, **self.locations(sorted(standing))}
        while wanted:
            self._move(sorted(wanted), wanted)
            now = self.locations(sorted(wanted))
            wanted = {day: where for day, where in now.items() if where != wanted[day]}

    def _registered(self, days: Sequence[str]) -> dict[str, str]:
        """Location of the days that the catalog has, as far as Glue says them."""
        asked = (
            partitions_of(self.glue, self._named["DatabaseName"], self._named["TableName"], some)
            for some in _chunks(days, GET)
        )
        return {it["Values"][0]: it["StorageDescriptor"]["Location"] for some in asked for it in some}

    def _surely_registered(self, days: Sequence[str]) -> dict[str, str]:
        """Location of the days that the catalog has; where Glue leaves some out, by a listing of all."""
        found = self._registered(days)
        if len(found) < len(days):
            there = self._all_registered()
            found |= {day: there[day]["Location"] for day in days if day in there}
        return found

    def _all_registered(self) -> dict[str, Any]:
        """Storage of every day that the catalog has."""
        pages = self.glue.get_paginator("get_partitions").paginate(**self._named)
        return {it["Values"][0]: it["StorageDescriptor"] for page in pages for it in page["Partitions"]}

    def _create(self, days: Sequence[str], folders: Mapping[str, str]) -> list[str]:
        """Register days; return those that are registered all the same, ascending."""
        there: list[str] = []
        for some in _chunks(days, CHANGE):
            inputs = [self._input(day, folders[day]) for day in some]
            answer = self.glue.batch_create_partition(**self._named, PartitionInputList=inputs)
            errors = answer.get("Errors", ())
            there += [it["PartitionValues"][0] for it in errors if _exists_already(it)]
            self._require_none(it for it in errors if not _exists_already(it))
        return sorted(there)

    def _move(self, days: Sequence[str], folders: Mapping[str, str]) -> None:
        for some in _chunks(days, CHANGE):
            entries: Any = [
                {"PartitionValueList": [day], "PartitionInput": self._input(day, folders[day])}
                for day in some
            ]
            answer = self.glue.batch_update_partition(**self._named, Entries=entries)
            self._require_none(answer.get("Errors", ()))

    def _input(self, day: str, location: str) -> Any:
        storage = self.table.table_input["StorageDescriptor"]
        return {"Values": [day], "StorageDescriptor": {**storage, "Location": location}}

    def _require_none(self, errors: Iterable[Mapping[str, Any]]) -> None:
        if refused := list(errors):
            raise AirlineError(
                f"Glue did not place partitions of {self.table.name}: {refused}",
                remedy="Check the Glue permissions of this role, then re-run from this step.",
            )


def restore_days(settings: Settings) -> None:
    """Register the days that the catalog lacks, of every table whose days are registered and not projected.

    Of a table over landed files these are the folders there are, as a crawl would find them: a laptop's
    catalog is empty after each start, and Athena shows what is registered alone.
    """
    glue, lake = Glue.of(settings), Lake.of(settings)
    for table in catalog_tables(settings).values():
        if table.daily and not table.projected_from:
            LakeDays.of(glue, lake, table).restore()


def _exists_already(error: Mapping[str, Any]) -> bool:
    return bool(error.get("ErrorDetail", {}).get("ErrorCode") == "AlreadyExistsException")


def _since(note: Mapping[str, Any]) -> datetime:
    return datetime.fromisoformat(note["since"])


def _chunks(values: Sequence[str], size: int) -> list[Sequence[str]]:
    return [values[start : start + size] for start in range(0, len(values), size)]
