"""Makes the warehouse's tables what they are declared to be, and records each change in the warehouse."""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime

from airline_platform.contract.table import Table
from airline_platform.settings import Settings
from resources.warehouse.own_tables import LOAD_LOCK, SCHEMA_CHANGES
from resources.warehouse.session import Database, Session


def apply_schema(
    settings: Settings,
    tables: Sequence[Table],
    on_progress: Callable[[str], None] = lambda _line: None,
) -> None:
    """Create the schema and its tables, and give those that exist what their declarations have more.

    New tables, new columns and what tables and columns say of themselves come in one transaction, which keeps
    loads out; a column whose type is changed comes after it, by a statement of its own. It can be repeated at
    any time and does only what is missing. Rows and columns that are there stay.

    Args:
        settings: Whose warehouse.
        tables: What it is to have.
        on_progress: Called with a line about each change, and about each column that nothing declares.

    Raises:
        StackUnavailable: The warehouse does not answer.
        TableDiffers: Some column can't be made what it is declared to be; nothing was changed.
    """
    warehouse = Database.of(settings)
    with warehouse.transaction(read_only=True) as session:
        session.changes(tables)
    with warehouse.transaction() as session:  # what the next transaction needs, in a warehouse that is new
        session.execute(f"CREATE SCHEMA IF NOT EXISTS {Table.SCHEMA}")
        for table in (LOAD_LOCK, SCHEMA_CHANGES):
            session.execute(table.ddl())
    with warehouse.exclusive_transaction() as session:
        changes = session.changes(tables)
        existing = session.columns()
        created = [table.ddl() for table in tables if table.name not in existing]
        for statement in (*created, *changes.additions):
            session.execute(statement)
        session.describe(tables)
        _record(session, (*created, *changes.additions))
    for statement in changes.alterations:
        warehouse.alter(statement)
        with warehouse.transaction() as session:
            _record(session, [statement])
    for statement in (*changes.additions, *changes.alterations):
        on_progress(statement)
    for table_name, column in changes.kept:
        on_progress(f"{table_name} keeps the column {column}, which its declaration does not have")
    with warehouse.transaction() as session:
        for table in tables:
            session.index(table)


def _record(session: Session, statements: Iterable[str]) -> None:
    now = datetime.now(UTC)
    session.insert(SCHEMA_CHANGES, [{"changed_at": now, "statement": each} for each in statements])
