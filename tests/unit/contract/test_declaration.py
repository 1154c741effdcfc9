"""Whoever declares what can't be is told where, what was found and what there may be."""

import inspect
import re
from dataclasses import dataclass, replace

import pytest

from airline_platform.contract.declaration import DeclarationError, explained, place, refuse, require_one_of
from airline_platform.contract.table import Column


def line() -> int:
    """The line that asks."""
    frame = inspect.currentframe()
    assert frame is not None
    assert frame.f_back is not None
    return frame.f_back.f_lineno


def test_a_refusal_says_file_line_what_was_found_and_what_is_expected() -> None:
    with pytest.raises(DeclarationError) as raised:
        refuse("feed weather: drift", "no", "'refuse'")

    where = rf"\S*test_declaration\.py:{line() - 2}: "
    assert re.fullmatch(rf"{where}feed weather: drift is 'no'; expected 'refuse'", str(raised.value))


def test_the_place_is_the_statement_that_declares_however_deep_the_contract_is_asked() -> None:
    assert re.fullmatch(rf"\S*test_declaration\.py:{line()}: ", place())
    with pytest.raises(DeclarationError) as raised:
        Column(
            "delay",
            "integer",  # type: ignore[arg-type]
            "Minutes.",
        )

    assert f"test_declaration.py:{line() - 6}: column delay: type is 'integer'" in str(raised.value)


def test_the_place_of_what_is_made_of_another_one_is_where_it_is_made() -> None:
    column = Column("delay", "bigint", "Minutes.")
    with pytest.raises(DeclarationError) as raised:
        replace(column, type="bigont")

    assert f"test_declaration.py:{line() - 2}: column delay" in str(raised.value)


def test_a_file_below_the_working_directory_is_named_from_there(
    monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    monkeypatch.chdir(request.path.parent)
    assert place() == f"test_declaration.py:{line()}: "


@pytest.mark.parametrize(
    ("found", "told"),
    [
        ("rescues", "x is 'rescues'; expected one of refuse, rescue (did you mean 'rescue'?)"),
        ("zzz", "x is 'zzz'; expected one of refuse, rescue"),
        (7, "x is 7; expected one of refuse, rescue"),
        (None, "x is None; expected one of refuse, rescue"),
    ],
)
def test_what_is_none_of_those_allowed_is_refused_with_the_nearest(found: object, told: str) -> None:
    with pytest.raises(DeclarationError) as raised:
        require_one_of("x", found, ("refuse", "rescue"))

    assert str(raised.value).endswith(f": {told}")
    require_one_of("x", "rescue", ("refuse", "rescue"))


@dataclass(frozen=True)
class Train:
    """Something that is declared."""

    name: str
    wheels: int = 4


def error_of(**options: object) -> TypeError:
    with pytest.raises(TypeError) as raised:
        Train(**options)  # type: ignore[arg-type]
    return raised.value


def test_an_option_that_does_not_exist_is_told_with_those_that_do_and_the_nearest() -> None:
    told = str(explained(error_of(name="x", wheals=3), [Train]))

    assert re.search(
        r"test_declaration\.py:\d+: Train has no option wheals; expected one of name, wheels ", told
    )
    assert told.endswith("(did you mean wheels?)")


@pytest.mark.parametrize("types", [[], [str]])
def test_another_error_of_python_is_left_as_it_is(types: list[type]) -> None:
    assert explained(error_of(name="x", wheals=3), types) is None
    assert explained(TypeError("unsupported operand type(s)"), [Train]) is None
