"""Ports are remembered, given way to, and never chosen twice."""

import socket
from contextlib import closing
from pathlib import Path

import pytest

from airline_platform.settings import Settings
from laptop.ports import PortClaims, choose_ports


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home", ui_port=0)


def claims(tmp_path: Path) -> PortClaims:
    return PortClaims(tmp_path / "claims")


def ignore(_line: str) -> None:
    pass


def test_ports_are_the_same_in_the_next_life(settings: Settings, tmp_path: Path) -> None:
    with claims(tmp_path) as first:
        ports = choose_ports(settings, first, ignore)
    with claims(tmp_path) as second:
        assert choose_ports(settings, second, ignore) == ports
    assert len(set(ports.by_component().values())) == 4


def test_a_remembered_port_that_is_taken_is_replaced(settings: Settings, tmp_path: Path) -> None:
    with claims(tmp_path) as first:
        ports = choose_ports(settings, first, ignore)
    with closing(socket.create_server(("127.0.0.1", ports.gateway))), claims(tmp_path) as second:
        found = choose_ports(settings, second, ignore)
    assert found.gateway != ports.gateway
    assert found.warehouse == ports.warehouse


def test_a_taken_ui_port_gives_way_to_the_next_and_says_so(tmp_path: Path) -> None:
    told: list[str] = []
    with closing(socket.create_server(("127.0.0.1", 0))) as server, claims(tmp_path) as mine:
        taken = server.getsockname()[1]
        settings = Settings(home=tmp_path / "home", ui_port=taken)
        found = choose_ports(settings, mine, told.append)
    assert found.ui > taken
    assert told == [f"port {taken} is taken: the Dagster UI is on {found.ui}"]


def test_two_stacks_never_choose_the_same_port(settings: Settings, tmp_path: Path) -> None:
    with claims(tmp_path) as first, claims(tmp_path) as second:
        one = choose_ports(settings, first, ignore)
        other = choose_ports(settings, second, ignore)
    assert set(one.by_component().values()).isdisjoint(other.by_component().values())


def test_a_damaged_memory_of_ports_is_no_obstacle(settings: Settings, tmp_path: Path) -> None:
    settings.home.mkdir()
    (settings.home / "ports.json").write_text('{"gateway": ')
    with claims(tmp_path) as mine:
        assert choose_ports(settings, mine, ignore).gateway > 0
