"""The air network has every carrier, airports that exist, and no flight number twice."""

from command.demo.new_york import airports
from command.generators.network import CARRIERS, HUBS, schedule


def test_a_schedule_has_every_carrier_known_airports_and_no_flight_number_twice() -> None:
    flights = schedule(1)
    known = {airport.airport_id for airport in airports()}

    assert {flight.carrier for flight in flights} == set(CARRIERS)
    assert len({(flight.carrier, flight.number) for flight in flights}) == len(flights)
    assert all({flight.origin, flight.dest} <= known and flight.origin != flight.dest for flight in flights)


def test_the_hubs_are_airports() -> None:
    assert {airport.iata for airport in airports()} >= HUBS
