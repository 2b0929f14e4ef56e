"""Personal data is beside the ledger, never in an event: no event type has a text that takes a person's words."""

import hmac
from collections.abc import Iterator
from typing import Any, get_type_hints

import msgspec
import psycopg
import pytest
from psycopg import Connection, errors

from ledger.domain.event import FACTS
from ledger.store.application import Ledger
from ledger.store.people import erase_person, keep_details, keep_reference, person_of
from ledger.values.errors import InvalidValue
from ledger.values.outside import reference_hash
from tests.ledger.till import Till
from tests.services.postgres import Database

KEY = "5a" * 32

# Texts that are codes (checked by the use cases), hashes, or made by the software itself, each looked at by somebody.
CODES = {
    "account", "account_class", "against", "approved_by", "bank", "building", "channel", "collector", "component",
    "before", "concentrator", "former", "landlord", "multiplier", "successor",
    "currency", "dispute", "from_account", "meter", "month", "operator", "period", "profile", "proposal",
    "proposed_by", "reason", "receipt", "room", "serial", "site", "source", "supply", "tariff", "time_of_use",
    "to_account", "zone", "failed", "payer", "evidence", "agent",
    "charge", "method", "provider",
}  # fmt: skip
HASHES = {"key_hash", "reference_hash", "signature"}
MADE_BY_SOFTWARE = {"code", "detail", "kind", "quality", "raw", "replaced_quality", "week", "why"}
# What people write on purpose for auditors to read, about prices and not about persons.
ABOUT_PRICES = {"note", "text"}


@pytest.fixture
def people(database: Database) -> Iterator[Connection[Any]]:
    with psycopg.connect(database.url("wattledger_people"), autocommit=True) as connection:
        yield connection


@pytest.mark.parametrize("topic", sorted(FACTS))
def test_every_text_of_an_event_is_a_code_a_hash_or_made_by_the_software(topic: str) -> None:
    texts = {name for name, kind in get_type_hints(FACTS[topic]).items() if kind is str and name != "topic"}
    assert texts <= CODES | HASHES | MADE_BY_SOFTWARE | ABOUT_PRICES


def test_what_an_operator_types_as_a_reason_is_refused_where_it_is_a_sentence(ledger: Ledger) -> None:
    from ledger.usecases.money.putting_right import Adjust

    till = Till(ledger)
    till.opens("a-1")
    with pytest.raises(InvalidValue, match="is not a code"):
        till.orders(Adjust(account="a-1", amount_micros=1), reason="Mrs Wang called, +86 139 1234")


def test_details_are_kept_shown_changed_and_erased_without_a_trace(people: Connection[Any]) -> None:
    keep_details(people, account="a-1", details={"name": "王芳", "phone": "+86 139 1234", "ip": "192.0.2.7"})
    keep_details(people, account="a-1", details={"phone": "", "email": "fang@example.org"})
    keep_reference(people, account="a-1", reference="ICBC 4711", reference_hash="0f" * 32)
    keep_details(people, account="a-2", details={"name": "李明"})
    person = person_of(people, account="a-1")
    assert person.details == {"email": "fang@example.org", "ip": "192.0.2.7", "name": "王芳"}
    assert person.references == {"0f" * 32: "ICBC 4711"}
    assert erase_person(people, account="a-1") == 4
    assert person_of(people, account="a-1").details == {}
    assert person_of(people, account="a-2").details == {"name": "李明"}


@pytest.mark.parametrize(("details", "told"), [({"shoe": "42"}, "'shoe' is no kind"), ({"note": "a\nb"}, "one line")])
def test_what_cannot_be_kept_is_told(people: Connection[Any], details: dict[str, str], told: str) -> None:
    with pytest.raises(InvalidValue, match=told):
        keep_details(people, account="a-1", details=details)


@pytest.mark.parametrize(
    "role",
    ["wattledger_writer", "wattledger_control", "wattledger_projector", "wattledger_finance", "wattledger_auditor"],
)
def test_no_other_role_reads_personal_data(database: Database, role: str) -> None:
    with psycopg.connect(database.url(role)) as connection, pytest.raises(errors.InsufficientPrivilege):
        connection.execute("SELECT * FROM people.details")


def test_who_keeps_personal_data_reads_nothing_of_the_ledger(people: Connection[Any]) -> None:
    with pytest.raises(errors.InsufficientPrivilege):
        people.execute("SELECT * FROM ledger.events")


def test_a_reference_is_hashed_with_the_key_and_not_without() -> None:
    hashed = reference_hash("ICBC 4711", key_hex=KEY)
    assert hashed == hmac.new(bytes.fromhex(KEY), b"ICBC 4711", "sha256").hexdigest()
    assert hashed != reference_hash("ICBC 4711", key_hex="5b" * 32)
    with pytest.raises(InvalidValue, match="openssl rand -hex 32"):
        reference_hash("ICBC 4711", key_hex="")


def test_the_commands_that_wait_for_a_second_person_hold_no_more_text_than_events_do() -> None:
    from ledger.usecases.money.proposals import Proposable

    for kind in Proposable.__args__:
        texts = {field.name for field in msgspec.structs.fields(kind) if field.type is str}
        assert texts <= CODES | ABOUT_PRICES | {"effective_from"}
