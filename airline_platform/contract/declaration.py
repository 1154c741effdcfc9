"""What is told about a declaration that can't be: which file and line, what was found, what was expected.

Standard library only: this module travels to AWS Glue beside the job scripts.
"""

import difflib
import re
import sys
from collections.abc import Iterable
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn

_CONTRACT = __name__.rpartition(".")[0]
_DECLARES_NOTHING = (_CONTRACT, replace.__module__)
"""Modules in whose lines nothing is declared: the contract's own, and the one that `replace` comes from."""

_NOT_A_FIELD = re.compile(r"(?P<of>\w+)\.__init__\(\) got an unexpected keyword argument '(?P<name>\w+)'")


class DeclarationError(ValueError):
    """A declaration that can't be; the message begins with its file and line."""


def refuse(what: str, found: object, expected: str) -> NoReturn:
    """Refuse what is being declared.

    Args:
        what: The thing and the option, such as `feed weather: drift`.
        found: What the declaration says.
        expected: What it may say.

    Raises:
        DeclarationError: Always.
    """
    raise DeclarationError(f"{place()}{what} is {found!r}; expected {expected}")


def require_one_of(what: str, found: object, allowed: Iterable[str]) -> None:
    """Refuse a value that is none of those allowed, and name the nearest."""
    allowed = tuple(allowed)
    if found not in allowed:
        near = difflib.get_close_matches(str(found), allowed, 1)
        hint = f" (did you mean {near[0]!r}?)" if near else ""
        refuse(what, found, f"one of {', '.join(allowed)}{hint}")


def explained(error: TypeError, types: Iterable[type[Any]]) -> DeclarationError | None:
    """The error about an option that does not exist, with the options there are; None for any other error.

    Args:
        error: What Python says when a declaration's file is read.
        types: What a declaration is made of.
    """
    match = _NOT_A_FIELD.search(str(error))
    declared = {it.__name__: it for it in types if is_dataclass(it)}
    if match is None or match["of"] not in declared:
        return None
    names = [each.name for each in fields(declared[match["of"]]) if each.init]
    near = difflib.get_close_matches(match["name"], names, 1)
    hint = f" (did you mean {near[0]}?)" if near else ""
    return DeclarationError(
        f"{_place_in(error.__traceback__)}{match['of']} has no option {match['name']}; expected one of "
        f"{', '.join(names)}{hint}"
    )


def place() -> str:
    """Return file and line of the statement that declares, seen from inside the contract."""
    frame = sys._getframe(1)  # noqa: SLF001 - Python's own way to a caller's line
    while frame.f_back and frame.f_globals.get("__name__", "").startswith(_DECLARES_NOTHING):
        frame = frame.f_back
    return f"{_short(frame.f_code.co_filename)}:{frame.f_lineno}: "


def _place_in(traceback: TracebackType | None) -> str:
    """File and line where a declaration's file has raised."""
    place = ""
    while traceback:
        place = f"{_short(traceback.tb_frame.f_code.co_filename)}:{traceback.tb_lineno}: "
        traceback = traceback.tb_next
    return place


def _short(file: str) -> str:
    """The path below the working directory, where the file is below it."""
    path = Path(file)
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else file
