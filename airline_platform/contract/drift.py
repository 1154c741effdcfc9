"""Columns that files have and nobody has declared: what they are called, and where their values stand.

Standard library only: this module travels to AWS Glue beside the job scripts.
"""

import re
import unicodedata
from collections.abc import Iterable

from airline_platform.contract.table import SOURCE_FILE, SOURCE_LINE, Column, Table

UNKNOWN_MARK = "?"
"""Before the name of a file's column that its feed does not have."""

RESCUED = Column(
    "rescued", "string", "The row's values of columns nobody has declared, as a JSON object.", length=65535
)

_RESERVED_WORDS = """
aes128 aes256 all allowoverwrite analyse analyze and any array as asc authorization az64 backup
between binary both bytedict bzip2 case cast check collate column constraint create credentials
cross default deferrable deflate defrag delta delta32k desc disable distinct do else emptyasnull
enable encode encrypt encryption end except explicit false for foreign freeze from full
globaldict256 globaldict64k grant group gzip having identity ignore ilike in initially inner
intersect interval into is isnull join leading left like limit localtime localtimestamp lun luns lzo
lzop minus mostly16 mostly32 mostly8 natural new not notnull null nulls off offline offset oid old
on only open or order outer overlaps parallel partition percent permissions pivot placing primary
raw readratio recover references rejectlog resort respect restore right select session_user similar
snapshot some sysdate system table tag tdes text255 text32k then timestamp to top trailing true
truncatecolumns type union unique unnest unpivot user using variadic verbose wallet when where
window with without
"""
_RESERVED = frozenset(_RESERVED_WORDS.split())
"""Words that are no names of columns in Redshift's SQL or PostgreSQL's."""


def evolved_columns(names: Iterable[str]) -> list[Column]:
    """The columns that files have brought into a table whose feed lets it evolve.

    Args:
        names: As `evolved_name` makes them.
    """
    return [
        Column(name, "string", "A column that nobody has declared, as files have it.", length=4096)
        for name in names
    ]


def evolved_name(name: str, table: Table) -> str:
    """The table's name for a file's column that nobody has declared: lower case, letters, digits and `_`."""
    plain = re.sub("[^a-z0-9]+", "_", unicodedata.normalize("NFKD", name).lower()).strip("_")[:60]
    named = plain if re.match("[a-z]", plain) else f"column_{plain or name.encode().hex()[:32]}"
    taken = {column.name for column in table.columns} | {SOURCE_FILE.name, SOURCE_LINE.name}
    return f"landed_{named}" if named in taken or named in _RESERVED else named
