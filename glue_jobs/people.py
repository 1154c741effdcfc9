"""What stands in the place of people: keyed hashes, from which nobody can be told."""

import hashlib

from pyspark.sql import Column as SparkColumn
from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812 - PySpark's own convention

BLOCK_BYTES = 64
"""Of SHA-256, on which HMAC (RFC 2104) builds."""


def with_key_of(rows: DataFrame, name: str, identifier: SparkColumn, secret: str) -> DataFrame:
    """Add the HMAC-SHA256 of an identifier, in hexadecimal; null where there is none.

    A plain hash could be found out by hashing every address there is; without the secret this one can't.

    Args:
        rows: Any rows.
        name: The new column.
        identifier: Text, taken as it is.
        secret: The key.
    """
    key = secret.encode()
    key = (hashlib.sha256(key).digest() if len(key) > BLOCK_BYTES else key).ljust(BLOCK_BYTES, b"\0")
    # As data, because a literal would stand in every plan that is logged.
    pads = [(bytearray(byte ^ 0x36 for byte in key), bytearray(byte ^ 0x5C for byte in key))]
    secrets = rows.sparkSession.createDataFrame(pads, "_inner binary, _outer binary")
    inner = F.sha2(F.concat("_inner", F.encode(identifier, "UTF-8")), 256)
    outer = F.sha2(F.concat("_outer", F.unhex(inner)), 256)
    return rows.crossJoin(F.broadcast(secrets)).withColumn(name, outer).drop("_inner", "_outer")
