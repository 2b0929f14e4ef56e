import psycopg
import pytest
from psycopg import errors

from tests.projections.builders import Story
from tests.services.postgres import Database

ROLES = (
    "wattledger_writer",
    "wattledger_control",
    "wattledger_calendar",
    "wattledger_payments",
    "wattledger_projector",
    "wattledger_sealer",
    "wattledger_finance",
    "wattledger_auditor",
)
REWRITINGS = (
    "UPDATE ledger.events SET topic = 'other'",
    "DELETE FROM ledger.events",
    "TRUNCATE ledger.events",
)
INSERT = (
    "INSERT INTO ledger.events (originator_id, originator_version, topic, state, notification_id)"
    " VALUES (gen_random_uuid(), 1, 'account.opened/1', '{}', 1000)"
)
READ_MODELS = (
    "account_conditions",
    "balances",
    "event_links",
    "journal_daily",
    "proposals",
    "supplies",
    "occupancies",
    "relay",
    "sites",
    "held_readings",
    "tracking",
)


def _refused(url: str, statement: str) -> None:
    with psycopg.connect(url) as connection, pytest.raises(errors.InsufficientPrivilege):
        connection.execute(statement.encode())


@pytest.mark.parametrize("statement", REWRITINGS)
@pytest.mark.parametrize("role", ROLES)
def test_no_role_rewrites_events(database: Database, role: str, statement: str) -> None:
    _refused(database.url(role), statement)


@pytest.mark.parametrize("statement", REWRITINGS)
def test_a_trigger_stops_the_owner_from_rewriting_events(database: Database, story: Story, statement: str) -> None:
    story.move_in("flat-1", "anna")
    with (
        psycopg.connect(database.url()) as connection,
        pytest.raises(errors.InsufficientPrivilege, match="a committed event never changes"),
    ):
        connection.execute(statement.encode())


@pytest.mark.parametrize("role", ["wattledger_projector", "wattledger_finance", "wattledger_auditor"])
def test_who_only_reads_appends_no_events(database: Database, role: str) -> None:
    _refused(database.url(role), INSERT)
    _refused(database.url(role), "UPDATE ledger.gate SET head = 1")


@pytest.mark.parametrize("role", ["wattledger_writer", "wattledger_control", "wattledger_calendar"])
def test_the_writer_control_and_the_calendar_may_append_events(database: Database, role: str) -> None:
    with psycopg.connect(database.url(role)) as connection:
        assert connection.execute(INSERT.encode()).rowcount == 1


@pytest.mark.parametrize(
    "role", ["wattledger_writer", "wattledger_control", "wattledger_finance", "wattledger_auditor"]
)
@pytest.mark.parametrize("table", READ_MODELS)
def test_only_the_projector_changes_read_models(database: Database, role: str, table: str) -> None:
    with psycopg.connect(database.url(role)) as connection:
        connection.execute(f"SELECT count(*) FROM projections.{table}".encode())
    _refused(database.url(role), f"DELETE FROM projections.{table}")


@pytest.mark.parametrize("view", ["journal", "trial_balance"])
def test_finance_reads_the_journal_but_changes_nothing(database: Database, view: str) -> None:
    url = database.url("wattledger_finance")
    with psycopg.connect(url) as connection:
        connection.execute(f"SELECT * FROM projections.{view}".encode())
    _refused(url, "INSERT INTO projections.balances VALUES ('anna', '', 1, 0, 1, 0, 0, 0, 1)")
    _refused(url, "INSERT INTO ledger.command_keys VALUES ('k', '', '{}', 1)")
