"""A row is written as a line of CSV without quotes, or as a JSON object."""

import json

from command.generators.lines import as_object, joined


def test_an_object_has_its_fields_in_their_order_and_their_values_as_they_are() -> None:
    text = as_object([("b", "1.50"), ("a", '"ü"'), ("c", "null")])

    assert text == '{"b": 1.50, "a": "ü", "c": null}'
    assert json.loads(text) == {"b": 1.5, "a": "ü", "c": None}


def test_fields_are_joined_by_the_delimiter_and_never_quoted() -> None:
    assert joined(("a,b", "")) == "a,b,"
    assert joined(("a", "b"), ";") == "a;b"
