"""The platform's secrets: how the warehouse is reached, and the key that customers are hashed with."""

import json
import secrets
from collections.abc import Mapping
from typing import Any

from airline_platform.settings import Settings
from resources.aws.client import make_client


def store_warehouse_secret(settings: Settings, warehouse: Mapping[str, Any]) -> bool:
    """Store how the warehouse is reached; return False when it was stored like that already.

    Args:
        settings: Names the secret.
        warehouse: engine, host, port, dbname, username and password.
    """
    client = make_client(settings, "secretsmanager")
    name, value = settings.warehouse_secret, json.dumps(dict(warehouse), sort_keys=True)
    try:
        if client.get_secret_value(SecretId=name)["SecretString"] == value:
            return False
        client.put_secret_value(SecretId=name, SecretString=value)
    except client.exceptions.ResourceNotFoundException:
        client.create_secret(Name=name, SecretString=value, Description="How the warehouse is reached.")
    return True


def ensure_customer_key(settings: Settings, customer_key: str | None = None) -> bool:
    """Make the secret with the customers' key; return False when there is one, which stays.

    Args:
        settings: Names the secret.
        customer_key: What the secret is to hold; a new random key where left out.
    """
    client = make_client(settings, "secretsmanager")
    try:
        client.create_secret(
            Name=settings.customer_key_secret,
            SecretString=customer_key or secrets.token_hex(32),
            Description="Key customers are hashed with: whoever has it can find them out.",
        )
    except client.exceptions.ResourceExistsException:
        return False
    return True
