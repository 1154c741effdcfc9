"""The CloudFormation templates: the files in `infra`, with what follows from the declared feeds filled in.

A file marks each such place with a comment line, `# feeds: crawlers` for one. What follows is
written there in YAML's flow style, which is JSON, at the mark's indentation.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from airline_platform.contract.feed import Feed, Job
from airline_platform.contract.sink import RUNS
from airline_platform.errors import AirlineError
from airline_platform.feeds import FEEDS
from resources.catalog import enriched_prefix
from resources.lake import run_scratch

TEMPLATE = Path(__file__).parents[2] / "infra" / "airline.yaml"
WAREHOUSE_TEMPLATE = TEMPLATE.with_name("warehouse.yaml")

LARGEST_BODY = 51_200
"""Bytes of a template that CloudFormation takes inside a request (AWS's quota)."""

MARKERS = ("_*", "_temporary/**", "__magic*/**")
"""Spark's `_SUCCESS` and its like, and folders of a job that has not ended, or was: a crawler makes tables of
those. `airline_platform.files.markers` says who leaves them."""

STAGING = ".spark-staging*/**"
"""What a Spark job that was ended leaves behind."""

RUN_FOLDERS = f"{RUNS}**"
"""Where runs write days of a table of the lake: only the catalog knows which of them counts."""

_COMMENT = re.compile(r"^ *#.*\n", re.MULTILINE)
_MARK = re.compile(r"^( *)# feeds: (.+)$", re.MULTILINE)

Lines = Iterable[str]


class Crawler(NamedTuple):
    """A row of the mapping `Crawlers`.

    Args:
        name: Its name without the platform's.
        bucket: `landing` or `lake`.
        prefix: Of the objects it crawls, ending in `/`.
        table_prefix: Stands before the last folder's name in the table's name.
        exclusions: Globs relative to the prefix.

    Attributes:
        level: Of the table's folder, where the bucket's is 1, as `TableLevelConfiguration` counts: a table of
            `s3://bucket/folder/` is at level 2.
    """

    name: str
    bucket: str
    prefix: str
    table_prefix: str
    exclusions: tuple[str, ...]

    @property
    def level(self) -> int:
        """The level of the table's folder."""
        return 1 + self.prefix.count("/")


def render(feeds: Iterable[Feed] = tuple(FEEDS.values()), text: str | None = None) -> str:
    """Write the platform's template as it is deployed.

    Args:
        feeds: What is declared.
        text: The template with its marks; the one in `infra` where left out.

    Raises:
        AirlineError: The template has a mark that means nothing, or lacks one; or it has more feeds than
            CloudFormation takes.
    """
    return _filled(TEMPLATE, _places(tuple(feeds)), text)


def render_warehouse(feeds: Iterable[Feed] = tuple(FEEDS.values())) -> str:
    """Write the warehouse's template as it is deployed, for what is declared.

    Raises:
        AirlineError: The template has a mark that means nothing, or lacks one.
    """
    return _filled(WAREHOUSE_TEMPLATE, {"what COPY reads": _copied(tuple(feeds))})


def _filled(path: Path, places: Mapping[str, Lines], text: str | None = None) -> str:
    """A template's text with what stands for each of its marks."""
    text = path.read_text(encoding="utf-8") if text is None else text
    marks = [mark[2] for mark in _MARK.finditer(text)]
    if sorted(marks) != sorted(places):
        raise AirlineError(
            f"{path}: expected each of the marks {sorted(places)} once, found {sorted(marks)}",
            remedy="Correct the lines that begin with `# feeds:`.",
        )
    return _fitting(_MARK.sub(lambda mark: "\n".join(f"{mark[1]}{line}" for line in places[mark[2]]), text))


def _fitting(text: str) -> str:
    """A template that a request can hold: without its comments where many feeds are declared.

    Raises:
        AirlineError: It is too large even so.
    """
    if len(text.encode()) > LARGEST_BODY:
        text = _COMMENT.sub("", text)
    if (size := len(text.encode())) > LARGEST_BODY:
        raise AirlineError(
            f"expected a template of at most {LARGEST_BODY:,} bytes, which is what CloudFormation takes in a "
            f"request; with the feeds that are declared it has {size:,}",
            remedy="Declare some of the feeds in a platform of their own: another checkout and AIRLINE_NAME.",
        )
    return text


def crawlers_of(feed: Feed) -> tuple[Crawler, ...]:
    """The crawlers of a feed: over what landed, or over its typed rows and over its own table in the lake.

    The flat layout (`<prefix>2013-01-01.csv`) lies beside the `date=` folders. A crawler that sees both makes
    a table of each file, whatever its policy says of tables that are there.
    """
    if feed.typed:
        exclusions = (*MARKERS, STAGING, RUN_FOLDERS)
        return (
            Crawler(feed.name, "landing", feed.typed_prefix, "", exclusions),
            Crawler(feed.table.name, "lake", f"{feed.table.name}/", "", exclusions),
        )
    flat = tuple(f"*{in_any_case(suffix)}" for suffix in feed.suffixes) if feed.daily else ()
    return (Crawler(feed.name, "landing", feed.prefix, "landing_", (*MARKERS, *flat)),)


def in_any_case(text: str) -> str:
    """A glob of a text in small and capital letters: `.csv` is `.[cC][sS][vV]`."""
    return "".join(f"[{c}{c.upper()}]" if c != c.upper() else c for c in text.lower())


def logical_id(name: str) -> str:
    """CloudFormation's name for a row: letters and digits alone, such as `RidesToParquet`."""
    return "".join(part.capitalize() for part in re.split("[^A-Za-z0-9]+", name))


def _places(feeds: Sequence[Feed]) -> dict[str, Lines]:
    """What stands for each mark."""
    crawlers = [crawler for feed in feeds for crawler in crawlers_of(feed)]
    jobs = {job.name: _job_row(feed, job) for feed in feeds for job in feed.jobs}
    in_lake = [crawler.prefix for crawler in crawlers if crawler.bucket == "lake"]
    typed = [feed.typed_prefix for feed in feeds if feed.typed]
    return {
        "crawlers": [f"{logical_id(it.name)}: {json.dumps(_crawler_row(it))}" for it in crawlers],
        "crawler keys": [f"- {json.dumps([logical_id(crawler.name) for crawler in crawlers])}"],
        "jobs": [f"{logical_id(name)}: {json.dumps(row)}" for name, row in jobs.items()],
        "job keys": [f"- {json.dumps([logical_id(name) for name in jobs])}"],
        "lifecycle rules": [f"- {json.dumps(_lifecycle_rule(feed))}" for feed in feeds if feed.expires],
        "crawlers read of the lake": _statement("ReadLake", ["s3:GetObject"], "LakeBucket", in_lake),
        "jobs write beside what landed": _statement(
            "WriteTypedRows",
            ["s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"],
            "LandingBucket",
            typed,
        ),
        "Dagster removes what typed rows replaced": _statement(
            "ReplacedTypedRows", ["s3:DeleteObject"], "LandingBucket", typed
        ),
    }


def _copied(feeds: Sequence[Feed]) -> Lines:
    """The statements of the COPY role: manifests, and the Parquet of every feed that is loaded.

    COPY wants to list and to get (Redshift Database Developer Guide, "IAM permissions for COPY").
    """
    prefixes = [enriched_prefix(feed) for feed in feeds if feed.tables]
    bucket = "arn:${AWS::Partition}:s3:::${Name}-lake"
    readable = [run_scratch("*", "*.manifest"), *(f"{prefix}*" for prefix in prefixes)]
    read = {
        "Sid": "ReadWhatIsLoaded",
        "Effect": "Allow",
        "Action": "s3:GetObject",
        "Resource": [{"Fn::Sub": f"{bucket}/{path}"} for path in readable],
    }
    listed = {
        "Sid": "ListWhatIsLoaded",
        "Effect": "Allow",
        "Action": "s3:ListBucket",
        "Resource": {"Fn::Sub": bucket},
        "Condition": {"StringLike": {"s3:prefix": readable}},
    }
    place = {"Sid": "FindTheBucket", "Effect": "Allow", "Action": "s3:GetBucketLocation"}
    return [f"- {json.dumps(it)}" for it in (read, listed, place | {"Resource": {"Fn::Sub": bucket}})]


def _crawler_row(crawler: Crawler) -> dict[str, Any]:
    return {
        "Name": crawler.name,
        "Bucket": crawler.bucket,
        "Prefix": crawler.prefix,
        "Level": str(crawler.level),
        "TablePrefix": crawler.table_prefix,
        "Exclusions": crawler.exclusions,
    }


def _job_row(feed: Feed, job: Job) -> dict[str, str]:
    return {"Name": job.name, "Script": f"{job.script}_job.py", "Feed": feed.name}


def _lifecycle_rule(feed: Feed) -> dict[str, Any]:
    """Delete a feed's files, its typed rows and what they replaced: these name people."""
    return {
        "Id": f"people-{feed.name}",
        "Status": "Enabled",
        "Prefix": feed.prefix,
        "ExpirationInDays": {"Ref": "PeopleDays"},
        "NoncurrentVersionExpiration": {"NoncurrentDays": 1},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
    }


def _statement(sid: str, actions: Sequence[str], bucket: str, prefixes: Sequence[str]) -> Lines:
    """An IAM statement on prefixes of a bucket; none where there are no prefixes."""
    if not prefixes:
        return []
    resources = [{"Fn::Sub": f"${{{bucket}.Arn}}/{prefix}*"} for prefix in prefixes]
    return [f"- {json.dumps({'Sid': sid, 'Effect': 'Allow', 'Action': actions, 'Resource': resources})}"]
