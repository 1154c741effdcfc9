"""Synthetic customers: names and streets from Faker, and e-mail addresses in domains that nobody can own."""

import re
import unicodedata
from random import Random
from typing import TYPE_CHECKING, NamedTuple

from airline_platform.errors import AirlineError

if TYPE_CHECKING:
    import faker

PEOPLE = 5_000
LOCALES = {"en_US": 80, "es_MX": 8, "en_GB": 4, "fr_FR": 3, "de_DE": 3, "pl_PL": 2}
"""Where people come from, and how many of a hundred come from there."""

DOMAINS = ("example.com", "example.net", "example.org")
"""Reserved (RFC 2606): no mail to them ever reaches anybody."""


class Person(NamedTuple):
    """A customer; no two have the same e-mail address."""

    name: str
    email: str


def people(seed: int) -> list[Person]:
    """Make up the customers of a seed; one version of Faker always makes the same.

    Raises:
        AirlineError: Faker is not installed.
    """
    fakers = _fakers(f"{seed}/people")
    chance = Random(f"{seed}/people")  # noqa: S311 - repeatable on purpose
    names = ((fakers[home].first_name(), fakers[home].last_name()) for home in _homes(chance))
    return [
        Person(f"{first} {last}", f"{_ascii(first)}.{_ascii(last)}.{number}@{chance.choice(DOMAINS)}")
        for number, (first, last) in enumerate(names, start=1)
    ]


def addresses(seed: int) -> list[str]:
    """Make up street and number of each customer of a seed, in the order of `people`, each on one line.

    Raises:
        AirlineError: Faker is not installed.
    """
    fakers = _fakers(f"{seed}/addresses")
    homes = _homes(Random(f"{seed}/people"))  # noqa: S311 - repeatable on purpose
    return [fakers[home].street_address().replace("\n", ", ") for home in homes]


def _homes(chance: Random) -> list[str]:
    """Draw the locale of each customer."""
    return chance.choices(list(LOCALES), list(LOCALES.values()), k=PEOPLE)


def _fakers(seed: str) -> dict[str, "faker.Faker"]:
    """Make a Faker for each locale."""
    try:
        from faker import Faker  # noqa: PLC0415 - production installs no Faker
    except ImportError as error:
        raise AirlineError(
            "Faker, which makes up the people, is not installed",
            remedy="Install the laptop's parts: pip install -c constraints.txt -e '.[local]'.",
        ) from error
    # Drawing real frequencies of names costs ten times as much.
    fakers = {locale: Faker(locale, use_weighting=False) for locale in LOCALES}
    for locale, made in fakers.items():
        made.seed_instance(f"{seed}/{locale}")
    return fakers


def _ascii(name: str) -> str:
    """Spell a name as it stands in an address: `Müller-Lüdenscheidt` as `mullerludenscheidt`."""
    plain = unicodedata.normalize("NFKD", name.replace("ß", "ss").replace("ł", "l").replace("Ł", "L"))
    return re.sub("[^a-z]", "", plain.lower())
