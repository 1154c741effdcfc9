"""The environment is parsed once; what it cannot mean is an error, and a laptop never reaches an account."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import pydantic
import pydantic_settings
import pytest
from dagster._utils.schedules import is_valid_cron_string
from hypothesis import given
from hypothesis import strategies as st

from airline_platform.errors import StackUnavailable
from airline_platform.settings import CRON, Settings, get_settings, variable_of
from resources.aws.client import make_client

ENDPOINT = "http://127.0.0.1:4566"


def start(settings: Settings) -> None:
    """Leave what `airline up` leaves behind."""
    settings.home.mkdir()
    settings.stack_file.write_text(json.dumps({"endpoint_url": ENDPOINT, "ui_url": "http://127.0.0.1:3000"}))


def test_an_empty_environment_is_a_laptop(no_stack: Settings) -> None:
    assert (no_stack.stage, no_stack.name, no_stack.region) == ("local", "airline", "us-east-1")
    assert no_stack.start_date == date(2013, 1, 1)
    assert no_stack.endpoint_url is None


@pytest.mark.usefixtures("no_stack")
@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("AIRLINE_STAGE", "prod"),
        ("AIRLINE_STAGE", ""),
        ("AIRLINE_NAME", "Acme Air"),
        ("AIRLINE_NAME", "9lives"),
        ("AIRLINE_START_DATE", "yesterday"),
        ("AIRLINE_MAX_PARTITIONS_PER_RUN", "0"),
        ("AIRLINE_PEOPLE_DAYS", "0"),
        ("AIRLINE_RECONCILE_SECONDS", "-1"),
        ("AIRLINE_WAIT_FOR_AIRPORTS", "-1"),
        ("AIRLINE_WAIT_FOR_AIRPORTS", "1801"),
        ("AIRLINE_UI_PORT", "70000"),
        ("AIRLINE_TRIGGER", "sometimes"),
        ("AIRLINE_DUE_HOUR", "24"),
        ("AIRLINE_SCHEDULE", ""),
        ("AIRLINE_SCHEDULE", "6 o'clock"),
        ("AIRLINE_SCHEDULE", "0 6 * *"),
        ("AIRLINE_SCHEDULE", "0 0 6 * * *"),
        ("AIRLINE_SCHEDULE", "60 6 * * *"),
        ("AIRLINE_SCHEDULE", "0 24 * * *"),
        ("AIRLINE_SCHEDULE", "0 6 0 * *"),
        ("AIRLINE_SCHEDULE", "0 6 * 13 *"),
        ("AIRLINE_SCHEDULE", "0 6 * * 8"),
        ("AIRLINE_SCHEDULE", "*/0 * * * *"),
        ("AIRLINE_SCHEDULE", "0 6 * * *\n"),
    ],
)
def test_a_value_that_means_nothing_is_an_error_that_names_it(
    variable: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)

    with pytest.raises(pydantic.ValidationError) as error:
        Settings.load()

    assert [problem["loc"] for problem in error.value.errors()] == [
        (variable.removeprefix("AIRLINE_").lower(),)
    ]


@given(st.from_regex(CRON, fullmatch=True))
def test_every_hour_that_is_let_through_is_one_to_dagster(schedule: str) -> None:
    assert Settings(schedule=schedule).schedule == schedule
    day, month = schedule.split(" ")[2:4]
    assert is_valid_cron_string(schedule) or (day in ("30", "31") and month.lower() in ("2", "02", "feb"))


@pytest.mark.parametrize(
    ("trigger", "events", "schedule"),
    [("events", True, False), ("schedule", False, True), ("both", True, True)],
)
def test_what_starts_runs_is_events_or_the_schedule_or_both(
    trigger: Any, *, events: bool, schedule: bool
) -> None:
    settings = Settings(trigger=trigger)

    assert (settings.events_start_runs, settings.schedule_starts_runs) == (events, schedule)


@pytest.mark.usefixtures("no_stack")
def test_every_name_derives_from_the_one_name() -> None:
    settings = Settings(name="acme-air")

    assert settings.landing_bucket == "acme-air-landing"
    assert settings.lake_bucket == "acme-air-lake"
    assert settings.landing_queue == "acme-air-landing-events"
    assert settings.landing_dead_letter_queue == "acme-air-landing-events-dead"
    assert settings.alerts_topic == "acme-air-alerts"
    assert settings.alerts_inbox == "acme-air-alerts-inbox"
    assert settings.glue_database == "acme_air"
    assert settings.warehouse_secret == "acme-air/warehouse"
    assert settings.workgroup == "acme-air"
    assert settings.job_name("flights") == settings.crawler_name("flights") == "acme-air-flights"


def test_the_home_does_not_move_with_the_working_directory(
    no_stack: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    home = Settings(home=Path("here")).home
    monkeypatch.chdir("/")

    assert home == tmp_path / "here"
    assert no_stack.home.is_absolute()


def test_the_endpoint_is_the_running_stacks(no_stack: Settings) -> None:
    start(no_stack)

    assert Settings.load().endpoint_url == ENDPOINT
    assert Settings.load().running_stack()["ui_url"] == "http://127.0.0.1:3000"


def test_an_endpoint_in_the_environment_wins(no_stack: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    start(no_stack)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")

    assert Settings.load().endpoint_url == "http://127.0.0.1:1"


def test_an_account_takes_no_endpoint_from_a_stack_that_runs_here(no_stack: Settings) -> None:
    start(no_stack)

    assert Settings.load(stage="aws", AWS_REGION="eu-central-1").endpoint_url is None


def test_without_a_stack_nothing_is_recorded(no_stack: Settings) -> None:
    assert no_stack.running_stack() == {}


def test_a_laptop_without_a_stack_has_no_client_at_all(no_stack: Settings) -> None:
    with pytest.raises(StackUnavailable, match="airline up"):
        make_client(no_stack, "s3")


def test_a_laptops_client_has_the_laptops_credentials_whatever_the_environment_says(
    no_stack: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    start(no_stack)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAREAL")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "real")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "https://s3.amazonaws.com")

    client = make_client(Settings.load(), "s3")

    signed = client.generate_presigned_url("get_object", Params={"Bucket": "b", "Key": "k"})
    assert signed.startswith(f"{ENDPOINT}/b/k?")
    assert "AKIAREAL" not in signed


def test_an_account_uses_the_credentials_boto3_finds(no_stack: Settings) -> None:
    assert no_stack.credentials() == {"aws_access_key_id": "airline", "aws_secret_access_key": "airline"}
    assert Settings.load(stage="aws", AWS_REGION="eu-central-1").credentials() == {}


def test_a_laptops_child_process_inherits_no_way_into_an_account(
    no_stack: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    start(no_stack)
    for variable in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(variable, "real")
    monkeypatch.setenv("UNRELATED", "kept")

    environment = Settings.load().environment()

    assert "real" not in environment.values()
    assert "AWS_PROFILE" not in environment
    assert "AWS_SESSION_TOKEN" not in environment
    assert environment["AWS_ENDPOINT_URL"] == ENDPOINT
    assert environment["UNRELATED"] == "kept"


@pytest.mark.usefixtures("no_stack")
def test_an_accounts_child_process_keeps_its_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "production")

    environment = Settings.load(stage="aws", AWS_REGION="eu-central-1").environment()

    assert environment["AWS_PROFILE"] == "production"
    assert environment.keys().isdisjoint({"AWS_ACCESS_KEY_ID", "AWS_ENDPOINT_URL"})


PROFILES = "[default]\nregion = eu-central-1\n[profile other]\nregion = eu-west-1\n[profile vague]\n"


@pytest.fixture
def profiles(no_stack: Settings, tmp_path: Path) -> None:
    """AWS profiles, as a person's home has them."""
    assert no_stack.region == "us-east-1"
    (tmp_path / "aws-config").write_text(PROFILES)


@pytest.mark.usefixtures("profiles")
@pytest.mark.parametrize(
    ("environment", "region"),
    [
        ({}, "eu-central-1"),
        ({"AWS_PROFILE": "other"}, "eu-west-1"),
        ({"AWS_PROFILE": "other", "AWS_REGION": "ap-south-1"}, "ap-south-1"),
        ({"AWS_PROFILE": "other", "AWS_DEFAULT_REGION": "ap-south-1"}, "ap-south-1"),
        ({"AWS_PROFILE": "other", "AWS_REGION": ""}, "eu-west-1"),
    ],
)
def test_an_accounts_region_is_the_variables_or_the_profiles(
    environment: dict[str, str], region: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    assert Settings.load(stage="aws").region == region
    assert Settings.load(stage="aws").environment()["AWS_REGION"] == region


@pytest.mark.usefixtures("profiles")
@pytest.mark.parametrize(
    ("profile", "told"), [("vague", "set AWS_REGION, or `region`"), ("nobody", "profile .* not be found")]
)
def test_an_accounts_region_is_never_guessed(
    profile: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", profile)

    with pytest.raises(pydantic.ValidationError, match=told) as error:
        Settings.load(stage="aws")

    assert [variable_of(str(problem["loc"][0])) for problem in error.value.errors()] == ["AWS_REGION"]


@pytest.mark.usefixtures("profiles")
def test_a_laptop_has_a_region_whatever_the_profile_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")

    assert Settings.load().region == "us-east-1"


@pytest.mark.usefixtures("no_stack")
def test_a_child_process_reads_the_same_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRLINE_START_DATE", "2024-02-29")
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    settings = Settings.load(name="acme")

    for name, value in settings.environment().items():
        monkeypatch.setenv(name, value)

    assert Settings.load() == settings


def test_settings_do_not_change_once_parsed(no_stack: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRLINE_NAME", "other")

    assert get_settings() is no_stack
    with pytest.raises(pydantic.ValidationError, match="frozen"):
        no_stack.name = "other"  # type: ignore[misc]


@pytest.mark.usefixtures("no_stack")
@pytest.mark.parametrize("text", ["5%", '{"flights": 5}', '{"flights": -0.1}'])
def test_a_share_that_is_none_is_an_error(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRLINE_MAX_REJECTED_SHARES", text)

    with pytest.raises((pydantic.ValidationError, pydantic_settings.SettingsError)):
        Settings.load()


@pytest.mark.usefixtures("no_stack")
def test_a_feeds_share_of_rejects_is_its_own_or_its_declarations(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRLINE_MAX_REJECTED_SHARES", '{"flights": 0.2}')
    settings = Settings.load()

    assert settings.rejected_share_allowed("flights", 0.05) == 0.2
    assert settings.rejected_share_allowed("airports", 0.05) == 0.05


def test_settings_survive_the_way_into_a_childs_environment(
    no_stack: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = no_stack.model_copy(update={"max_rejected_shares": {"flights": 0.2}, "reconcile_seconds": 7})
    for name, value in mine.environment().items():
        monkeypatch.setenv(name, value)

    assert Settings.load() == mine
