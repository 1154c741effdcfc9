"""What holds for every key, event and header there can be: always a verdict, and the right one."""

import gzip
import json
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import product
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airline_platform.contract.feed import Feed
from airline_platform.feeds import FEEDS, SUFFIXES
from airline_platform.files.keys import LandedKey, NoLanding, UnknownKey, is_own, parse_key
from airline_platform.files.markers import MARKERS, is_marker
from glue_jobs.records.characters import trimmed
from resources.acceptance.heads import Accepted, Refused, judge, unpack
from resources.queue import Message, read_events
from sensors.landing_plan import plan
from sensors.under_way import RunUnderWay

FIRST, LAST = date(2013, 1, 1), date(2014, 12, 31)
DAYS = [FIRST + timedelta(n) for n in range((LAST - FIRST).days + 1)]

MANY = settings(max_examples=10_000, deadline=None)
SOME = settings(max_examples=300, deadline=None)

BAD_CHARACTERS = [chr(n) for n in range(32)] + ["\x7f", "\x85", "\x9f", "\ud800", "\udfff"]


def parse(key: str) -> LandedKey | UnknownKey | NoLanding:
    return parse_key(key, first_day=FIRST, last_day=LAST)


# --- strategies

DAILY = [feed for feed in FEEDS.values() if feed.daily]
CSV = [feed for feed in FEEDS.values() if feed.format == "csv"]
days = st.sampled_from(DAYS)


def with_ends(some: Collection[Feed]) -> st.SearchStrategy[tuple[Feed, str]]:
    """A feed and an end of its files' names."""
    spelled = (str, str.upper, str.title)
    return st.sampled_from(
        [(feed, spell(end)) for feed in some for end in feed.suffixes for spell in spelled]
    )


# Any name S3 and we allow: no slash, no control characters, not hidden from Spark.
names = st.text(st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="/"), max_size=20).map(
    lambda text: f"f{text}"
)

valid_keys = st.one_of(
    st.builds(
        lambda found, name, day: found[0].key(name + found[1], day), with_ends(FEEDS.values()), names, days
    ),
    st.builds(lambda found, day: f"{found[0].prefix}{day}{found[1]}", with_ends(DAILY), days),
)

PIECES = [
    *(feed.prefix for feed in FEEDS.values()),
    *(
        "date=",
        "2013-01-01",
        "2013-02-30",
        "2012-12-31",
        "9999-99-99",
        "٢٠١٣-01-01",
        "-",
        "/",
        "//",
        "../",
        "./",
    ),
    *(
        *SUFFIXES,
        ".gz",
        ".parquet",
        ".CSV",
        ".c\u017fv",
        "_",
        "_SUCCESS",
        "_temporary",
        "_$folder$",
        ".",
        " ",
        "+",
        "%2F",
        "%20",
        "é",
        "東京",
        "😀",
        "\u202e",
    ),
    *BAD_CHARACTERS,
]


def pieced(pieces: Sequence[str]) -> st.SearchStrategy[str]:
    """Texts of a few pieces. A byte is a piece, because drawing a list costs three times as much."""
    return st.binary(max_size=8).map(lambda raw: "".join(pieces[byte % len(pieces)] for byte in raw))


def edited(valid: st.SearchStrategy[str], pieces: Sequence[str]) -> st.SearchStrategy[str]:
    """Valid texts with up to three edits: at some place something is taken out, and something put in."""

    def apply(text: str, edits: bytes) -> str:
        for where, taken, put in zip(edits[::3], edits[1::3], edits[2::3], strict=False):
            at = where % (len(text) + 1)
            text = text[:at] + ["", *pieces][put % (len(pieces) + 1)] + text[at + taken % 5 :]
        return text

    return st.builds(apply, valid, st.binary(min_size=3, max_size=9))


def disguised(valid: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Valid texts in another case or coding."""
    coded = [str.swapcase, quote, quote_plus, lambda text: text.encode().decode("latin-1")]
    return st.builds(lambda text, code: code(text), valid, st.sampled_from(coded))


any_keys = st.one_of(
    st.text(max_size=60),
    st.binary(max_size=60).map(lambda raw: raw.decode("utf-8", "surrogateescape")),
    pieced(PIECES),
    edited(valid_keys, PIECES),
    disguised(valid_keys),
    valid_keys,
)


# --- keys


@MANY
@given(any_keys)
def test_any_key_is_claimed_with_a_day_it_says_itself_or_unknown_with_a_reason(key: str) -> None:
    found = parse(key)

    if isinstance(found, UnknownKey):
        assert found.key == key
        assert found.reason
        return
    if isinstance(found, NoLanding):
        assert is_own(key) or is_marker(key)
        return
    assert not is_own(key)
    assert not is_marker(key)
    assert key.startswith(found.feed.prefix)
    assert key.lower().endswith(found.feed.suffixes)
    assert not set(key) & set(BAD_CHARACTERS)
    folder, _, name = key.removeprefix(found.feed.prefix).rpartition("/")
    assert not name.startswith(("_", "."))
    if not found.feed.daily:
        assert (found.day, folder) == (None, "")
        assert parse(found.feed.key(name, None)) == found
        return
    day = date.fromisoformat(found.day or "")
    assert FIRST <= day <= LAST
    assert found.day == day.isoformat()
    # The flat layout has no folder; the same file in a folder is the same day's.
    assert folder in ("", f"date={day}")
    assert folder or name.lower() in {f"{day}{suffix}" for suffix in found.feed.suffixes}
    assert parse(found.feed.key(name, day)) == found


@SOME
@given(valid_keys)
def test_every_key_in_a_documented_layout_is_claimed(key: str) -> None:
    assert isinstance(parse(key), LandedKey)


@SOME
@given(valid_keys, st.sampled_from(BAD_CHARACTERS), st.integers(0, 100))
def test_a_control_character_anywhere_makes_a_key_unknown(key: str, character: str, where: int) -> None:
    assert isinstance(parse(key[:where] + character + key[where:]), UnknownKey)


@SOME
@given(found=with_ends(DAILY), name=names, day=days, code=st.sampled_from([quote, quote_plus]))
def test_an_encoded_key_is_taken_as_it_stands(
    found: tuple[Feed, str], name: str, day: date, code: Callable[[str], str]
) -> None:
    feed, end = found
    # A per cent sign is a character of a file's name like any other.
    assert parse(feed.key(code(name) + end, day)) == LandedKey(feed, day.isoformat())
    # `date%3D2013-01-01` names no day.
    assert isinstance(parse(code(feed.key(name + end, day))), UnknownKey)
    assert isinstance(parse(quote(feed.key(name + end, day), safe="=")), UnknownKey)


@SOME
@given(st.sampled_from(["../", "./", "a/../", "date=2013-01-01/../", "//"]), valid_keys)
def test_no_path_is_resolved(up: str, key: str) -> None:
    prefix, _, rest = key.partition("/")

    assert isinstance(parse(up + key), UnknownKey)
    assert isinstance(parse(f"{prefix}/{up}{rest}"), UnknownKey)


@SOME
@given(with_ends(DAILY), names, st.integers(1, 40_000))
def test_no_day_outside_those_kept_is_claimed(found: tuple[Feed, str], name: str, beyond: int) -> None:
    feed, end = found
    for day in (FIRST - timedelta(beyond), LAST + timedelta(beyond)):
        unknown = parse(feed.key(name + end, day))

        assert isinstance(unknown, UnknownKey)
        assert f"{day} is outside" in unknown.reason


@SOME
@given(
    st.sampled_from([name for marker in MARKERS for name in marker.names]),
    st.lists(names, max_size=3),
    names,
    st.sampled_from([str, str.upper, str.lower]),
)
def test_a_marker_is_passed_over_in_whichever_folder_it_stands(
    pattern: str, folders: list[str], some: str, spell: Callable[[str], str]
) -> None:
    name = spell(pattern.replace("*", some))
    key = "/".join([*folders, f"{name}part-0.csv" if name.endswith("/") else name])

    assert parse(key) == NoLanding(key)


@SOME
@given(st.sampled_from(list(product(FEEDS.values(), SUFFIXES))), names, days)
def test_a_feed_takes_files_of_its_own_format_only(found: tuple[Feed, str], name: str, day: date) -> None:
    feed, end = found

    assert isinstance(parse(feed.key(name + end, day)), LandedKey) == (end in feed.suffixes)


# --- events

json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["detail", "object", "key", "bucket", "Records", "s3", "Message", "time", "x"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=6,
)


def message(key: object, etag: object = "e", **more: object) -> str:
    """An event as EventBridge tells it."""
    return json.dumps({"detail": {"object": {"key": key, "etag": etag, **more}}})


def notification(keys: Sequence[object]) -> str:
    """Events as S3 itself tells them, in one message."""
    return json.dumps(
        {
            "Records": [
                {"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": {"object": {"key": key}}}
                for key in keys
            ]
        }
    )


any_bodies = st.one_of(
    st.text(max_size=60),
    st.binary(max_size=60).map(lambda raw: raw.decode("latin-1")),
    json_values.map(json.dumps),
    st.builds(message, any_keys | json_values, json_values, size=json_values, sequencer=json_values),
    st.builds(
        lambda body, time, kind: json.dumps(body | {"time": time, "detail-type": kind}),
        any_keys.map(lambda key: json.loads(message(key))),
        json_values,
        st.sampled_from(["Object Created", "Object Deleted", None, 7]),
    ),
    st.lists(any_keys | json_values, max_size=4).map(notification),
    st.builds(
        lambda body, kind: json.dumps({"Type": kind, "Message": body}),
        valid_keys.map(message) | any_keys.map(lambda key: notification([key])) | json_values,
        st.sampled_from(["Notification", None]),
    ),
    edited(
        valid_keys.map(message) | valid_keys.map(lambda key: notification([key])),
        ["{", "}", '"', "[", ",", ":", "null", "\\u0000", "\\ud800"],
    ),
)


@SOME
@given(any_bodies)
def test_any_message_is_an_event_with_a_key_or_kept_as_it_came(body: str) -> None:
    for found in read_events(body):
        assert (found.key is None) == bool(found.text or not body)
        assert found.text in ("", body) or "Records" in body
        assert found.key is None or isinstance(found.key, str)
        assert isinstance(found.etag, str)
        assert isinstance(found.version, str)
        assert isinstance(found.bucket, str)


@SOME
@given(any_keys, st.text(max_size=8))
def test_a_key_leaves_its_event_as_it_came_in(key: str, etag: str) -> None:
    (found,) = read_events(message(key, etag))

    # Halves of surrogate pairs meet in JSON; nothing else changes.
    assert found.key == json.loads(json.dumps(key))
    assert found.etag == json.loads(json.dumps(etag))
    assert parse(found.key or "") == parse(json.loads(json.dumps(key)))


@SOME
@given(valid_keys, st.sampled_from([quote, quote_plus]))
def test_a_key_that_s3_itself_has_encoded_is_the_key(key: str, encode: Callable[[str], str]) -> None:
    (found,) = read_events(notification([encode(key)]))

    assert found.key == key


NOW = datetime(2014, 1, 1, tzinfo=UTC)
AIRPORTS_RUN = RunUnderWay(frozenset({"airports"}), "", "", datetime(2013, 1, 1, tzinfo=UTC))


@SOME
@given(st.lists(any_bodies, max_size=12), st.integers(0, 3), st.booleans(), st.integers(1, 40))
def test_any_batch_of_messages_becomes_a_plan_that_uses_each_once(
    bodies: list[str], which: int, airports_pending: bool, longest: int
) -> None:
    messages = [Message(str(n), read_events(body), NOW) for n, body in enumerate(bodies)]
    in_ledger = {(event.key, event.etag) for one in messages[which::3] for event in one.events}

    def known(_feed: str, keys: Collection[str]) -> set[tuple[str | None, str]]:
        # No warehouse takes others; asking it for them ends the tick, and every later one.
        assert all("\0" not in key and key.encode() for key in keys)
        return {version for version in in_ledger if version[0] in keys}

    made = plan(
        messages,
        bucket="landing",
        days=(FIRST, LAST),
        longest_range=longest,
        known=known,
        now=NOW,
        longest_wait=timedelta(minutes=2),
        under_way=[AIRPORTS_RUN] if airports_pending else [],
    )

    assert Counter([*made.used, *made.later]) == Counter(one.receipt for one in messages)
    for request in made.requests:
        days = [day for name, day in request.tags.items() if name.startswith("dagster/")]
        assert all(FIRST <= date.fromisoformat(day) <= LAST for day in days)


# --- headers

csv_feeds = st.sampled_from(CSV)
line_ends = st.sampled_from(["\n", "\r\n", "\r"])
cases: st.SearchStrategy[Callable[[str], str]] = st.sampled_from([str, str.lower, str.upper, str.swapcase])


@st.composite
def feeds_and_columns(draw: st.DrawFn) -> tuple[Feed, tuple[str, ...]]:
    """A CSV feed and its column names, shuffled."""
    feed = draw(csv_feeds)
    return feed, tuple(draw(st.permutations([column.name for column in feed.columns])))


def verdict(feed: Feed, body: bytes, *, gzipped: bool = False) -> Accepted | Refused:
    return judge(feed, [body], len(body), gzipped=gzipped)


valid_headers = st.builds(
    lambda found, case, quoted: ",".join(f'"{case(n)}"' if quoted else case(n) for n in found[1]),
    feeds_and_columns(),
    cases,
    st.booleans(),
)

HEADER_PIECES = [
    *(column.name for feed in FEEDS.values() for column in feed.columns),
    *(
        ",",
        ";",
        "\t",
        "|",
        '"',
        '""',
        " ",
        "\r",
        "\n",
        "\r\n",
        "\0",
        "\ufeff",
        "é",
        "ß",
        "İ",
        "東",
        "\u2028",
        "\x1c",
    ),
]

any_headers = st.one_of(
    st.text(max_size=80).map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.binary(max_size=80),
    edited(valid_headers, HEADER_PIECES).map(lambda text: text.encode("utf-8", "surrogatepass")),
    pieced(HEADER_PIECES).map(str.encode),
    st.builds(
        lambda header, coding: header.encode(coding),
        valid_headers,
        st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32", "cp500"]),
    ),
    st.builds(
        lambda header, magic: magic + header.encode(),
        valid_headers,
        st.sampled_from([b"PAR1", b"PK\3\4", b"\x1f\x8b"]),
    ),
)


def is_told(refused: Refused) -> bool:
    """Whether a refusal fits an alert and a ledger row: where, what, expected what, do what; one line."""
    parts = (refused.found, refused.expected, refused.remedy)
    text = str(refused)
    return (
        refused.line > 0 and all(parts) and text.isprintable() and len(text) < 20_000 and text.endswith(".")
    )


# One choice of all three, because every choice costs.
CONTEXTS = list(product(FEEDS.values(), [b"", b"\n", b"\nrow\n"], ["", "", "gzip", "cut", "called gzip"]))


@MANY
@given(any_headers, st.sampled_from(CONTEXTS))
def test_any_header_is_accepted_or_refused_with_line_expectation_and_remedy(
    header: bytes, context: tuple[Feed, bytes, str]
) -> None:
    feed, rest, packing = context
    body = header + rest
    if packing in ("gzip", "cut"):
        body = gzip.compress(body, compresslevel=1)
    if packing == "cut":
        body = body[: len(body) * 2 // 3]

    found = verdict(feed, body, gzipped=bool(packing))

    if isinstance(found, Refused):
        assert is_told(found), found
    else:
        assert (found.header == "") == (feed.format == "json")
        assert sorted(found.columns) == sorted(column.name for column in feed.columns)
        assert packing != "cut"


@SOME
@given(feeds_and_columns(), cases, line_ends, st.booleans())
def test_columns_in_any_order_and_case_are_accepted_in_the_files_order(
    found: tuple[Feed, tuple[str, ...]], case: Callable[[str], str], line_end: str, quoted: bool
) -> None:
    feed, columns = found
    header = ",".join(f'"{case(name)}"' if quoted else case(name) for name in columns)

    accepted = verdict(feed, f"{header}{line_end}row".encode())

    assert isinstance(accepted, Accepted)
    assert (accepted.header, accepted.columns, accepted.rows) == (header, columns, 1)


@SOME
@given(feeds_and_columns(), st.integers(0, 9))
def test_a_column_less_is_refused_and_named(found: tuple[Feed, tuple[str, ...]], which: int) -> None:
    feed, columns = found
    lost = columns[which % len(columns)]

    refused = verdict(feed, f"{','.join(name for name in columns if name != lost)}\nrow\n".encode())

    assert isinstance(refused, Refused)
    assert refused.found == f"columns missing {lost!r}"


@SOME
@given(
    feeds_and_columns(),
    st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"], exclude_characters='"'), max_size=20),
    st.integers(0, 9),
)
def test_a_column_more_is_refused_and_named(
    found: tuple[Feed, tuple[str, ...]], extra: str, where: int
) -> None:
    feed, columns = found
    at = where % (len(columns) + 1)
    names = [*columns[:at], f'"{extra}"', *columns[at:]]

    refused = verdict(feed, f"{','.join(names)}\nrow\n".encode())

    assert isinstance(refused, Refused)
    doubled = trimmed(extra).casefold() in {name.casefold() for name in columns}
    shown = "1 more" if feed.personal else repr(extra)
    problem = f"twice {trimmed(extra).casefold()!r}" if doubled else f"not of this feed {shown}"
    assert refused.found == f"columns {problem}"


@SOME
@given(feeds_and_columns(), cases, st.sampled_from(";\t|"))
def test_columns_separated_otherwise_are_refused_with_the_remedy(
    found: tuple[Feed, tuple[str, ...]], case: Callable[[str], str], delimiter: str
) -> None:
    feed, columns = found

    refused = verdict(feed, f"{delimiter.join(map(case, columns))}\nrow\n".encode())

    assert isinstance(refused, Refused)
    assert refused.remedy.startswith("Export the file with commas as separators, or declare delimiter=")


def same(one: Accepted | Refused, other: Accepted | Refused) -> bool:
    """Whether two verdicts are alike but for the mark, which is no character of ASCII."""
    if isinstance(one, Accepted) and isinstance(other, Accepted):
        return replace(one, ascii=other.ascii) == other
    return one == other


@SOME
@given(
    csv_feeds,
    valid_headers | st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0\ufeff")),
    st.booleans(),
)
def test_neither_a_mark_nor_line_ends_nor_packing_change_the_verdict(
    feed: Feed, header: str, rows: bool
) -> None:
    plain = f"{header}\n{'row' if rows else ''}\n"
    expected = verdict(feed, plain.encode())

    for end in ("\n", "\r\n", "\r"):
        for coding in ("utf-8", "utf-8-sig"):
            body = plain.replace("\n", end).encode(coding)
            half = len(body) // 2
            members = gzip.compress(body[:half]) + gzip.compress(body[half:])
            assert same(verdict(feed, body), expected)
            assert same(verdict(feed, gzip.compress(body), gzipped=True), expected)
            assert same(verdict(feed, members, gzipped=True), expected)


@SOME
@given(st.lists(st.binary(max_size=300), max_size=4), st.data())
def test_gzip_is_whole_at_its_end_and_nowhere_before(members: list[bytes], data: st.DataObject) -> None:
    body = b"".join(map(gzip.compress, members))
    ends = {0} | {sum(len(gzip.compress(one)) for one in members[:n]) for n in range(len(members) + 1)}
    cut = data.draw(st.integers(0, len(body)))
    size = data.draw(st.integers(1, 100))

    pieces = (body[start : min(start + size, cut)] for start in range(0, cut, size))

    if cut in ends:
        list(unpack(pieces))
    else:
        with pytest.raises(EOFError):
            list(unpack(pieces))


@pytest.mark.parametrize("feed", CSV, ids=lambda feed: feed.name)
def test_the_documented_header_is_accepted_for_its_own_feed_only(feed: Feed) -> None:
    body = f"{feed.header}\nrow\n".encode()

    assert isinstance(verdict(feed, body), Accepted)
    assert all(isinstance(verdict(other, body), Refused) for other in FEEDS.values() if other != feed)
