"""All marts by name: whatever the modules of `declared` declare."""

import importlib
import pkgutil
from collections.abc import Iterable, Iterator
from graphlib import TopologicalSorter

from airline_platform.contract.table import Table
from assets.marts import declared
from assets.marts.mart import Mart


def _declared() -> Iterator[Mart]:
    """The marts that stand in a module of `declared`; one that another module imports comes again."""
    for module in pkgutil.iter_modules(declared.__path__, f"{declared.__name__}."):
        for value in vars(importlib.import_module(module.name)).values():
            if isinstance(value, Mart):
                yield value


def in_order(marts: Iterable[Mart]) -> dict[str, Mart]:
    """Return marts by the name of their table; one that is read from another mart stands behind it.

    Raises:
        ValueError: Two marts have one name; or marts are read from each other in a circle.
    """
    named: dict[str, Mart] = {}
    for mart in marts:
        if named.setdefault(mart.table.name, mart) is not mart:
            raise ValueError(f"mart {mart.table.name} is declared twice; expected a name for each mart")
    sources = {name: {mart.source.name} & named.keys() for name, mart in named.items()}
    return {name: named[name] for name in TopologicalSorter(sources).static_order()}


MARTS = in_order(_declared())
"""By the name of the table, in the order to make them in."""


def marts_of(table: Table) -> list[Mart]:
    """Return the marts that follow from a table, and those that follow from them, in the order of `MARTS`."""
    changed = {table.name}
    following = []
    for mart in MARTS.values():
        if mart.source.name in changed:
            following.append(mart)
            changed.add(mart.table.name)
    return following
