"""Names of objects that are never data: what tools leave beside the files they write.

Standard library only: this module travels to AWS Glue beside the job scripts.
"""

import re
from dataclasses import dataclass
from fnmatch import translate


@dataclass(frozen=True)
class Marker:
    """Objects that a tool leaves behind, and that nobody wants to hear of.

    Args:
        names: Patterns of a file's name, or of a folder's where they end in `/`: all below it is meant. `*`
            is any text without `/`. Small and capital letters are the same.
        left_by: Who leaves them, and what for.
    """

    names: tuple[str, ...]
    left_by: str


MARKERS = (
    Marker(("_SUCCESS", "_SUCCESS.crc"), "Spark and Hadoop, when a job has written its folder"),
    Marker(("_started_*", "_committed_*"), "Databricks, when a transaction begins and ends"),
    Marker(("_metadata", "_common_metadata"), "Parquet, of all the files of a folder"),
    Marker(("_temporary/", "_temporary"), "Spark and Hadoop: files of a job that has not ended"),
    Marker((".spark-staging-*/", ".spark-staging-*"), "Spark: days of a job that has not ended"),
    Marker((".hive-staging_hive_*/", ".hive-staging_hive_*"), "Hive: files of a query that has not ended"),
    Marker(("__magic/", "__magic_job-*/"), "Hadoop's S3A committer: uploads that are not complete"),
    Marker(("_spark_metadata/", "_spark_metadata"), "Spark: which files a stream has written"),
    Marker(("*_$folder$",), "Hadoop and EMR, for a folder"),
    Marker((".*.crc",), "Hadoop: checksum of the file beside it"),
    Marker(("*.csv.metadata",), "Athena: columns of the result beside it"),
    Marker((".aws-datasync/", ".awssync/"), "AWS DataSync, while it copies"),
    Marker(
        (".DS_Store", "._*", "__MACOSX/"), "macOS: how a folder looks, and attributes of the file beside it"
    ),
    Marker(("Thumbs.db", "ehthumbs.db", "desktop.ini"), "Windows: how a folder looks"),
    Marker(("~$*", ".~lock.*#"), "Office and LibreOffice: somebody has the file beside it open"),
    Marker((".gitkeep", ".keep"), "people, to keep an empty folder"),
)
"""Besides these, a key that ends in `/` is a folder of S3's console and of many tools."""

_FILES = [name for marker in MARKERS for name in marker.names if not name.endswith("/")]
_FOLDERS = [name.removesuffix("/") for marker in MARKERS for name in marker.names if name.endswith("/")]


def _any_of(patterns: list[str]) -> re.Pattern[str]:
    return re.compile("|".join(translate(pattern) for pattern in patterns), re.IGNORECASE)


_FILE, _FOLDER = _any_of(_FILES), _any_of(_FOLDERS)


def is_marker(key: str) -> bool:
    """Whether an object with this key is a marker, in whichever folder it stands: never data."""
    *folders, name = key.split("/")
    return (not name and bool(folders)) or bool(_FILE.match(name)) or any(map(_FOLDER.match, folders))
