"""Whether two ways of doing the same have made the same rows: who is measured must have done the work."""

from collections.abc import Mapping
from typing import Any

from airline_platform.errors import AirlineError

TOTALS = (
    "count(*) AS flights, count(DISTINCT cast(flight_date AS date)) AS days, "
    "sum(origin_airport_id + dest_airport_id) AS airports, "
    "sum(dep_delay) AS dep_delay, sum(arr_delay) AS arr_delay, "
    "count(dep_airport) AS departures_named, count(arr_airport) AS arrivals_named"
)
"""What is compared of the fact's rows: a SELECT list for any engine."""

Totals = Mapping[str, Any]


def require_agreement(found: Mapping[str, Totals]) -> None:
    """Compare what everybody has made; at least one row is expected.

    Args:
        found: By name, the columns of `TOTALS`.

    Raises:
        AirlineError: They have not made the same rows, or none.
    """
    whole = {who: {name: int(value or 0) for name, value in row.items()} for who, row in found.items()}
    first, *others = whole.values()
    if not first["flights"] or any(other != first for other in others):
        raise AirlineError(
            f"expected the same rows of everybody, found {whole}",
            remedy="Correct the peer that differs; its time says nothing.",
        )
