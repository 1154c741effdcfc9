"""The doctor names what is missing and the way to get it."""

from pathlib import Path

import pytest
from packaging.requirements import Requirement

from airline_platform.errors import StackUnavailable
from airline_platform.settings import Settings
from laptop import doctor
from laptop.doctor import Check


def test_a_machine_that_runs_the_tests_has_what_it_takes(tmp_path: Path) -> None:
    found = {check.name: check for check in doctor.checks(Settings(home=tmp_path))}
    for name in ("Python", "Python packages", "PostgreSQL"):
        assert found[name].ok, found[name]
    assert "18" in found["PostgreSQL"].found


def test_a_check_has_a_remedy_exactly_when_it_fails(tmp_path: Path) -> None:
    checks = list(doctor.checks(Settings(home=tmp_path)))

    assert checks
    assert [check for check in checks if check.ok is not (check.remedy == "")] == []


def test_a_package_that_is_missing_or_of_another_version_is_named() -> None:
    assert doctor.package_problem(Requirement("no-such-airline")) == "no-such-airline is missing"
    assert "not <1" in (doctor.package_problem(Requirement("dagster<1")) or "")
    assert doctor.package_problem(Requirement("dagster>=1")) is None


def test_too_little_is_told_with_how_much_there_is() -> None:
    assert doctor.at_least("Free disk", 1.25e9, 2, "Free some") == Check(
        "Free disk", ok=False, found="1.2 GB of 2 GB needed", remedy="Free some"
    )
    assert doctor.at_least("Free disk", 2.5e9, 2, "Free some").ok


def test_a_home_with_a_long_path_is_refused(tmp_path: Path) -> None:
    assert doctor.home_check(tmp_path / "short").ok
    check = doctor.home_check(tmp_path / ("x" * 200))
    assert not check.ok
    assert "AIRLINE_HOME" in check.remedy


def test_a_server_that_does_not_run_here_is_told_with_its_remedy(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def broken() -> str:
        raise StackUnavailable("no such library", remedy="install it")

    monkeypatch.setattr(doctor.postgres, "version_check", broken)
    checks = doctor.checks(Settings(home=tmp_path))
    assert Check("PostgreSQL", ok=False, found="no such library", remedy="install it") in checks
