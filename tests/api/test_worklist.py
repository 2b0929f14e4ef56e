"""Held readings and the rest of the worklist over HTTP: listed, decided once, in pages that leave nothing out."""

from datetime import UTC, datetime, timedelta

import msgspec
import psycopg

from ledger.domain.cuts import Cuts, CutsHeld, evolve
from ledger.domain.event import Event
from ledger.store.application import Ledger
from ledger.values.identity import cuts_stream, meter_stream
from tests.api.conftest import Api
from tests.projections.builders import reading_held

WORDS = {"reason": "seen-on-site", "operator": "op-7"}
AN_HOUR_AGO = datetime.now(UTC) - timedelta(hours=1)


def hold(api: Api, *supplies: str) -> list[int]:
    """Have a reading of each supply point held, and return where they stand."""
    with Ledger(url=api.database.url("wattledger_writer")) as ledger:
        positions = [
            ledger.append(
                Event(
                    meter_stream(supply),
                    1,
                    msgspec.structs.replace(reading_held(supply=supply, at=AN_HOUR_AGO), import_milliwh=7_000),
                )
            )
            for supply in supplies
        ]
    api.catch_up()
    return positions


def hold_cuts(api: Api, *supplies: str) -> None:
    """Have so many cuts of a site held at once that somebody looks first."""
    with Ledger(url=api.database.url("wattledger_writer")) as ledger:
        cuts, version = ledger.folded(cuts_stream("north"), evolve, Cuts("north"))
        fact = CutsHeld(
            site="north",
            batch=cuts.batch + 1,
            supplies=supplies,
            recent=0,
            limit=1,
            of=3,
            ledger_position=0,
            recorded_at=datetime.now(UTC),
        )
        ledger.append(Event(cuts_stream("north"), version + 1, fact))


def test_a_held_reading_is_listed_and_decided_once_per_key(api: Api) -> None:
    key = api.key("operator")
    assert api.get("/v1/held-readings", key, open="true").json()["items"] == []
    first, second = hold(api, "room-1", "room-2")
    listed = api.get("/v1/held-readings", key, open="true", limit=1).json()
    assert [(row["position"], row["claimed_kwh"]) for row in listed["items"]] == [(first, "0.007000")]
    rest = api.get("/v1/held-readings", key, open="true", cursor=listed["next_cursor"]).json()["items"]
    assert [row["position"] for row in rest] == [second]
    path = f"/v1/held-readings/{first}/releases"
    released, again = (api.post(path, key, WORDS, Idempotency_Key="k1") for _ in range(2))
    assert (released.status_code, released.json()["outcome"]) == (201, "released"), released.text
    assert again.json() == released.json()
    assert (released.json()["supply"], released.json()["reading"]) == ("room-1", listed["items"][0]["reading"])
    other = api.post(path, key, WORDS | {"reason": "other"}, Idempotency_Key="k1")
    assert (other.status_code, other.json()["type"]) == (409, "conflict")
    twice = api.post(path, key, WORDS, Idempotency_Key="k2")
    assert (twice.status_code, "decided on by op-7: release" in twice.json()["detail"]) == (409, True)
    path2 = f"/v1/held-readings/{second}/dismissals"
    dismissed, again = (api.post(path2, key, WORDS, Idempotency_Key="k4") for _ in range(2))
    assert (dismissed.status_code, dismissed.json()["outcome"]) == (201, "dismissed")
    assert again.json() == dismissed.json()
    released_instead = api.post(f"/v1/held-readings/{second}/releases", key, WORDS, Idempotency_Key="k4")
    assert (released_instead.status_code, released_instead.json()["type"]) == (409, "conflict")
    assert api.post("/v1/held-readings/1/dismissals", key, WORDS, Idempotency_Key="k3").status_code == 404
    assert api.post(path, key, WORDS).status_code == 422


def test_the_worklist_comes_in_pages_the_longest_first(api: Api) -> None:
    hold(api, "room-1", "room-2", "room-3")
    api.post("/v1/receipts", api.key("finance"), {"receipt": "b/1", "amount": "5"}, Idempotency_Key="k")
    days = [datetime.now(UTC) - timedelta(days=ago) for ago in (9, 2, 400, 300)]
    with psycopg.connect(api.database.url(), autocommit=True) as connection:
        connection.execute(
            """INSERT INTO ledger.heartbeats
            (concentrator, collector, at, heard_at, meters, failing, spool_sweeps, spool_oldest_s)
            VALUES ('c1', 'c1-a', now(), now() - interval '1 day', 1, 0, 0, 0)"""
        )
        told = [("m1", "purchases"), ("m1", "recharge-1"), ("m2", "remaining")]
        for meter, name in told:
            for told_at in days[:2]:
                row = (meter, name, told_at, told_at.isoformat())
                connection.execute("INSERT INTO ledger.meter_credit VALUES (%s, %s, %s, %s)", row)
        for told_at in days[2:]:
            connection.execute("INSERT INTO ledger.meter_credit VALUES ('m3', 'purchases', %s, 'x')", (told_at,))
        connection.execute("INSERT INTO ledger.meter_credit VALUES ('m4', 'purchases', %s, 'first')", (days[1],))
    api.catch_up()
    key, found, cursor = api.key("operator"), [], ""
    for _ in range(10):
        page = api.get("/v1/worklist", key, limit=2, cursor=cursor).json()
        found += [(row["kind"], row["subject"]) for row in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert found == [
        ("meter-recharged", "m1"),
        ("meter-recharged", "m1"),
        ("collector-silent", "c1"),
        ("reading-held", "room-1"),
        ("reading-held", "room-2"),
        ("reading-held", "room-3"),
        ("unidentified-receipt", "b/1"),
    ]
    kinds = api.get("/v1/worklist", key, kind="meter-recharged").json()["items"]
    assert sorted(row["detail"] for row in kinds) == ["purchases changed", "recharge-1 changed"]
    assert api.get("/v1/worklist", key, cursor="yesterday").status_code == 422


def test_a_meter_tells_where_it_is_and_what_it_tells_of_its_own_credit(api: Api) -> None:
    with psycopg.connect(api.database.url(), autocommit=True) as connection:
        for day, value in ((9, "3"), (2, "4")):
            told_at = datetime.now(UTC) - timedelta(days=day)
            connection.execute("INSERT INTO ledger.meter_credit VALUES ('m2', 'purchases', %s, %s)", (told_at, value))
        connection.execute(
            """INSERT INTO ledger.heartbeats
            (concentrator, collector, at, heard_at, meters, failing, spool_sweeps, spool_oldest_s) VALUES
            ('c1', 'c1-a', now() + interval '2 s', now(), 3, 0, 0, 0),
            ('c0', 'c0-a', now(), now() - interval '1 h', 3, 1, 7, 90)"""
        )
    key = api.key("operator")
    page = api.get("/v1/meters", key, limit=2, site="north").json()
    rest = api.get("/v1/meters", key, limit=2, site="north", cursor=page["next_cursor"]).json()
    assert [(row["meter"], row["supply"]) for row in page["items"] + rest["items"]] == [
        ("m1", "room-1"),
        ("m2", "room-2"),
        ("m3", "room-3"),
    ]
    (told,) = api.get("/v1/meters/m2", key).json()["own_credit"]
    assert (told["first_value"], told["value"], told["changes"]) == ("3", "4", 1)
    assert api.get("/v1/meters/m1", key).json()["own_credit"] == []
    assert api.get("/v1/meters/m9", key).status_code == 404
    heard = api.get("/v1/concentrators", key).json()["items"]
    assert [(row["concentrator"], row["is_silent"], row["clock_ahead_s"]) for row in heard] == [
        ("c0", True, 3600.0),
        ("c1", False, 2.0),
    ]
    assert api.get("/v1/concentrators", key, cursor="c0").json()["items"] == heard[1:]


def test_held_cuts_are_decided_once_per_key_and_a_later_batch_waits_for_its_own(api: Api) -> None:
    key, words = api.key("operator"), WORDS
    nothing = api.post("/v1/held-cuts/north/releases", key, words, Idempotency_Key="k0")
    assert (nothing.status_code, "no cuts wait at site 'north'" in nothing.json()["detail"]) == (409, True)
    for what, body in (("releases", words), ("dismissals", words | {"hours": 3})):
        path = f"/v1/held-cuts/north/{what}"
        hold_cuts(api, "room-2", "room-1")
        decided = api.post(path, key, body, Idempotency_Key="k1")
        assert (decided.status_code, decided.json()["supplies"]) == (201, ["room-1", "room-2"]), decided.text
        assert api.post(path, key, body, Idempotency_Key="k2").status_code == 409
        # An answer that was lost is asked for again: what is held by then was looked at by nobody.
        hold_cuts(api, "room-3")
        assert api.post(path, key, body, Idempotency_Key="k1").json() == decided.json()
        other = api.post(path, key, body | {"operator": "op-8"}, Idempotency_Key="k1")
        assert (other.status_code, other.json()["type"]) == (409, "conflict")
        own = api.post(path, key, body, Idempotency_Key="k3").json()
        assert (own["supplies"], own["position"] > decided.json()["position"]) == (["room-3"], True)
    bad = api.post("/v1/held-cuts/north/dismissals", key, words | {"hours": "3"}, Idempotency_Key="k4")
    assert (bad.status_code, bad.json()["errors"][0]["where"]) == (422, "body.hours")
    assert api.post("/v1/held-cuts/north/releases", key, words).status_code == 422
