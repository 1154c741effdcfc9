"""Made-up people share no address, and nobody owns theirs."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from command.generators import people as people_module
from command.generators.people import PEOPLE, addresses, people


def test_no_two_people_share_an_address_and_none_is_anybodys() -> None:
    found = people(1)

    assert len({person.email for person in found}) == len(found) == PEOPLE
    assert all(re.fullmatch(r"[a-z]+[.][a-z]+[.]\d+@example[.](com|net|org)", each.email) for each in found)
    assert any(not person.name.isascii() for person in found)


def test_every_customer_has_a_street_on_one_line() -> None:
    found = addresses(1)

    assert len(found) == PEOPLE
    assert all(address.strip() and address.isprintable() for address in found)
    assert any(not address.isascii() for address in found)
    assert addresses(1) == found != addresses(2)


@pytest.mark.parametrize("feed", ["bookings", "shipments"])
def test_without_faker_a_feed_of_people_fails_with_the_command_that_installs_it(
    airline, feed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "faker", None)

    status, out, err = airline(feed, "--from", "2013-01-01", "--to", "2013-01-01", "--out", str(tmp_path))

    assert (status, out) == (1, "")
    assert "Faker, which makes up the people, is not installed" in err
    assert "pip install" in err


def test_faker_is_imported_only_where_people_are_made_up() -> None:
    code = "import sys, command.cli, airline_platform.definitions; sys.exit('faker' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False, capture_output=True).returncode == 0
    assert not hasattr(people_module, "Faker")
