"""Athena on a laptop reads partitions where the catalog says they are, where MiniStack goes by folders alone.

MiniStack copies whatever lies below a table's location and takes the partition of a file from its path. This
puts a function of ours in the place of the one that copies. It is a private one of the version that is
pinned; tests of Athena on a laptop fail where a newer one does without it.
"""

import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from laptop.aws.athena_scan import is_partitioned

Materialize = Callable[[str, list[str]], list[str]]
"""Copies the files below a location into a new folder, which it adds to the list; gives their paths."""


def honour_registered_partitions() -> None:
    """Have MiniStack's Athena read the days of a table at the locations of its registered partitions.

    Like Athena, it then sees no file that lies in no partition. Tables without days, and those whose days are
    projected, are read as before.
    """
    from ministack.services import athena, glue  # noqa: PLC0415 - it reads the environment when imported

    below: Materialize = athena._materialize_table_files  # noqa: SLF001

    def materialize(location: str, workdirs: list[str]) -> list[str]:
        named = next((it for it in glue._tables.items() if _is_at(it[1], location)), None)  # noqa: SLF001
        if named is None:
            return below(location, workdirs)
        name, table = named
        root = Path(tempfile.mkdtemp(prefix="ministack-athena-"))
        workdirs.append(str(root))
        keys = [key["Name"] for key in table["PartitionKeys"]]
        partitions = glue._partitions.get(name, [])  # noqa: SLF001
        return [path for each in partitions for path in _gather(each, keys, root, below)]

    athena._materialize_table_files = materialize  # noqa: SLF001


def _is_at(table: Mapping[str, Any], location: str) -> bool:
    """Whether a table lies there and has its days registered."""
    return is_partitioned(table) and table.get("StorageDescriptor", {}).get("Location") == location


def _gather(partition: Mapping[str, Any], keys: list[str], root: Path, below: Materialize) -> Iterator[str]:
    """Bring a partition's files into the folder from whose name its values are read."""
    folders: list[str] = []
    location = partition.get("StorageDescriptor", {}).get("Location", "")
    if not urlsplit(location).netloc:
        return
    values = dict(zip(keys, partition["Values"], strict=True))
    folder = root.joinpath(*(f"{key}={quote(value, safe='')}" for key, value in values.items()))
    for number, path in enumerate(below(location, folders)):
        target = folder / f"{number}-{Path(path).name}"
        folder.mkdir(parents=True, exist_ok=True)
        shutil.move(path, target)
        yield str(target)
    for leftover in folders:
        shutil.rmtree(leftover, ignore_errors=True)
