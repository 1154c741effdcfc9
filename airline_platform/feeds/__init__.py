"""The feeds: each module here that declares a `Feed` is one, and needs to be named nowhere else.

Standard library only: this package travels to AWS Glue beside the job scripts.
"""

from collections.abc import Iterable, Iterator
from importlib import import_module
from pkgutil import iter_modules

from airline_platform.contract import check, feed, reading, sink, table
from airline_platform.contract.declaration import DeclarationError, explained
from airline_platform.contract.feed import Feed
from airline_platform.contract.sink import Dimension

_DECLARED_WITH = [
    each
    for module in (check, feed, reading, sink, table)
    for each in vars(module).values()
    if isinstance(each, type)
]


def _declared() -> Iterator[Feed]:
    """Read every module beside this one.

    Raises:
        DeclarationError: One declares what can't be; with file, line and what is expected.
    """
    for module in iter_modules(__path__):
        try:
            names = vars(import_module(f"{__name__}.{module.name}"))
        except TypeError as error:
            if (refusal := explained(error, _DECLARED_WITH)) is None:
                raise
            raise refusal from error
        yield from (each for name, each in names.items() if isinstance(each, Feed) and name.isupper())


def require_consistent(feeds: dict[str, Feed]) -> None:
    """See that the feeds fit each other: what is looked up is there, and no two feeds claim the same keys.

    Raises:
        DeclarationError: They do not.
    """
    for each in feeds.values():
        for lookup in each.lookups:
            _require_dimension(each, lookup, feeds)
        for other in feeds.values():
            if other.name < each.name and (
                each.prefix.startswith(other.prefix) or other.prefix.startswith(each.prefix)
            ):
                raise DeclarationError(
                    f"{each.declared_at}feeds {other.name} and {each.name}: prefixes are {other.prefix!r} "
                    f"and {each.prefix!r}; expected none that begins with another one's, because a key has "
                    "one feed"
                )


def _require_dimension(each: Feed, lookup: sink.Lookup, feeds: dict[str, Feed]) -> None:
    dimensions = {name: it.table for name, it in feeds.items() if isinstance(it.becomes, Dimension)}
    what = f"{lookup.declared_at}feed {each.name}: the lookup by {lookup.key}"
    if lookup.dimension not in dimensions:
        raise DeclarationError(
            f"{what}: dimension is {lookup.dimension!r}; expected a feed that becomes a Dimension, one of "
            f"{', '.join(dimensions) or 'none, because there is none'}"
        )
    theirs = dimensions[lookup.dimension].column_names
    if wrong := [its for _, its in lookup.filled if its not in theirs]:
        raise DeclarationError(
            f"{what}: filled from {wrong}; expected columns of the dimension: {', '.join(theirs)}"
        )


def by_name(declared: Iterable[Feed]) -> dict[str, Feed]:
    """Feeds by their names.

    Raises:
        DeclarationError: Two of them have one name.
    """
    feeds: dict[str, Feed] = {}
    for each in declared:
        if each.name in feeds:
            raise DeclarationError(
                f"{each.declared_at}feed {each.name}: its name is that of the one declared at "
                f"{feeds[each.name].declared_at.rstrip(': ')}; expected another one"
            )
        feeds[each.name] = each
    return feeds


FEEDS: dict[str, Feed] = by_name(_declared())
require_consistent(FEEDS)

SUFFIXES = tuple(dict.fromkeys(suffix for each in FEEDS.values() for suffix in each.suffixes))
"""How the names of files end that some feed reads, in small or capital letters."""
