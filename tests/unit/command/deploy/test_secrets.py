"""Secrets are stored once, and left alone where they are right."""

import json
import re
from collections.abc import Callable
from typing import Any

from botocore.stub import ANY, Stubber

from airline_platform.settings import Settings
from command.deploy import secrets
from command.deploy.secrets import ensure_customer_key, store_warehouse_secret

Stubbed = Callable[[Any, str], Stubber]
LOGIN = {"host": "warehouse.example", "port": 5439}


class Hexadecimal:
    """Equals 32 bytes written in hexadecimal."""

    def __eq__(self, other: object) -> bool:
        return bool(re.fullmatch("[0-9a-f]{64}", str(other)))

    __hash__ = None


def test_a_login_that_is_stored_already_is_left_alone_whatever_its_order(
    stubbed: Stubbed, no_stack: Settings
) -> None:
    manager = stubbed(secrets, "secretsmanager")
    stored = {"SecretString": json.dumps(LOGIN, sort_keys=True)}
    manager.add_response("get_secret_value", stored, {"SecretId": no_stack.warehouse_secret})

    assert not store_warehouse_secret(no_stack, dict(reversed(LOGIN.items())))


def test_another_login_replaces_the_stored_one(stubbed: Stubbed, no_stack: Settings) -> None:
    manager = stubbed(secrets, "secretsmanager")
    manager.add_response("get_secret_value", {"SecretString": "{}"})
    manager.add_response(
        "put_secret_value", {}, {"SecretId": no_stack.warehouse_secret, "SecretString": json.dumps(LOGIN)}
    )

    assert store_warehouse_secret(no_stack, LOGIN)


def test_a_login_is_stored_where_there_was_none(stubbed: Stubbed, no_stack: Settings) -> None:
    manager = stubbed(secrets, "secretsmanager")
    manager.add_client_error("get_secret_value", "ResourceNotFoundException")
    expected = {"Name": no_stack.warehouse_secret, "SecretString": json.dumps(LOGIN), "Description": ANY}
    manager.add_response("create_secret", {}, expected)

    assert store_warehouse_secret(no_stack, LOGIN)


def test_a_customer_key_is_made_of_32_random_bytes(stubbed: Stubbed, no_stack: Settings) -> None:
    manager = stubbed(secrets, "secretsmanager")
    expected = {"Name": no_stack.customer_key_secret, "SecretString": Hexadecimal(), "Description": ANY}
    manager.add_response("create_secret", {}, expected)

    assert ensure_customer_key(no_stack)


def test_a_customer_key_that_exists_stays(stubbed: Stubbed, no_stack: Settings) -> None:
    stubbed(secrets, "secretsmanager").add_client_error("create_secret", "ResourceExistsException")

    assert not ensure_customer_key(no_stack, "another")
