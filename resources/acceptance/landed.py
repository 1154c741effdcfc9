"""What has landed: an object, in a version, with the verdict on it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from resources.acceptance.verdicts import Shape


class VersionTag(NamedTuple):
    """Key and entity tag, which say which version of an object it is as far as an event can."""

    key: str
    etag: str


@dataclass(frozen=True)
class LandedObject:
    """A version of a landed object with the verdict on it; `verdicts.Accepted` says what its parts mean."""

    bucket: str
    key: str
    day: str | None
    etag: str
    size: int
    landed_at: datetime
    version_id: str | None = None
    header: str | None = None
    columns: tuple[str, ...] = ()
    shape: Shape = "lines"
    first: int = 1
    rows: int = 0
    ascii: bool = False
    reading: Mapping[str, Any] = field(default_factory=dict)
    refused: str | None = field(default=None)

    @property
    def url(self) -> str:
        """`s3://bucket/key`."""
        return f"s3://{self.bucket}/{self.key}"

    @property
    def tag(self) -> VersionTag:
        """The version, as the ledger and events name it."""
        return VersionTag(self.key, self.etag)

    def as_json(self) -> dict[str, Any]:
        """Return it as a document for a manifest in the lake."""
        return asdict(self) | {"landed_at": self.landed_at.isoformat()}

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> "LandedObject":
        """Read it back from a manifest."""
        landed_at = datetime.fromisoformat(document["landed_at"])
        return cls(**document | {"landed_at": landed_at, "columns": tuple(document["columns"])})


@dataclass(frozen=True)
class Version:
    """A version of a landed object as S3 lists it; `version_id` is None in a bucket without versions."""

    key: str
    day: str | None
    etag: str
    version_id: str | None
    size: int
    landed_at: datetime
    current: bool

    @property
    def tag(self) -> VersionTag:
        """The version, as the ledger and events name it."""
        return VersionTag(self.key, self.etag)
