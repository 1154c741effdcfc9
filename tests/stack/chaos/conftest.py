"""One stack behind a fault-injecting proxy for all scenarios, and the table of how each of them ended."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent
sys.path.insert(0, str(FOLDER.parent))

from chaos.composition import ENDPOINT_VARIABLE  # noqa: E402
from chaos.faults import Faults  # noqa: E402
from chaos.laptop import ChaosLaptop  # noqa: E402
from chaos.oracle import Oracle  # noqa: E402
from chaos.scenarios import Scenario, chosen  # noqa: E402
from listed_calls import KEEPING_ALL_CALLS, not_listed  # noqa: E402

from command.dagster_client import DagsterClient  # noqa: E402


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--chaos",
        choices=("short", "full"),
        default="short",
        help="which faults strike: the most dangerous ones, or every fault at every stage",
    )


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Odd files through the whole stack are the full form's: the short one has them in Spark's tests."""
    is_short = config.getoption("--chaos", default="short") == "short"
    return True if is_short and collection_path.name == "test_odd_files.py" else None


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "scenario" in metafunc.fixturenames:
        form = metafunc.config.getoption("--chaos", default="short")
        metafunc.parametrize("scenario", chosen(form), ids=str)


@dataclass
class Results:
    """How each scenario ended."""

    rows: list[tuple[str, ...]] = field(default_factory=list)

    @contextmanager
    def row(self, scenario: Scenario) -> Iterator["Ending"]:
        """Note how a block ends."""
        ending = Ending()
        try:
            yield ending
        finally:
            self.rows.append((scenario.fault, scenario.stage, *ending.words()))


@dataclass
class Ending:
    """What a scenario came to: seconds to converge, and how often the day's load was told."""

    seconds: float | None = None
    told: int = 0

    def words(self) -> tuple[str, str, str]:
        if self.seconds is None:
            return "FAILED", "", ""
        return "converged", f"{self.seconds:.1f}", str(self.told)


RESULTS = pytest.StashKey[Results]()


@pytest.fixture(scope="session")
def results(pytestconfig: pytest.Config) -> Results:
    return pytestconfig.stash.setdefault(RESULTS, Results())


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if RESULTS not in config.stash:
        return
    table = [("fault", "stage", "result", "seconds", "told"), *config.stash[RESULTS].rows]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    terminalreporter.section("chaos: seconds to converge, and how often the load was told")
    for row in table:
        cells = (f"{word:{width}}" for word, width in zip(row, widths, strict=True))
        terminalreporter.write_line(" | ".join(cells).rstrip())


# Not longer than its module: it costs a tenth of a core, and its settings are not for other stacks.
@pytest.fixture(scope="module")
def chaos_laptop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChaosLaptop]:
    """The stack, with the airports loaded."""
    home = tmp_path_factory.mktemp("chaos")
    with pytest.MonkeyPatch.context() as patch, Faults(lambda: laptop.ports["gateway"]) as faults:
        laptop = ChaosLaptop(home, tmp_path_factory.mktemp("files"), faults)
        patch.setenv(ENDPOINT_VARIABLE, faults.url)
        patch.setenv("AIRLINE_RECONCILE_SECONDS", "10")
        patch.setenv(*KEEPING_ALL_CALLS)
        patch.setenv("PYTHONPATH", str(FOLDER.parent), prepend=":")
        try:
            laptop.up()
            # What follows from the facts is not judged here, and would only take the scenarios' time.
            DagsterClient.of(laptop.settings).set_sensor("automation_sensor", running=False)
            yield laptop
        finally:
            laptop.down()
    assert not_listed(home) == [], "add them to command/deploy/permissions/ours.py, and to the policies"


@pytest.fixture(scope="module")
def oracle(chaos_laptop: ChaosLaptop, tmp_path_factory: pytest.TempPathFactory) -> Oracle:
    oracle = Oracle(chaos_laptop, tmp_path_factory.mktemp("landed"))
    chaos_laptop.land_airports()
    oracle.converge()
    return oracle


@pytest.fixture
def laptop(chaos_laptop: ChaosLaptop) -> ChaosLaptop:
    """The stack, up again where the scenario before left it down."""
    chaos_laptop.up_again()
    return chaos_laptop
