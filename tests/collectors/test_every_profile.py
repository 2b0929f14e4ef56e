"""Every profile that comes with us, held against register facts written by hand, and read from a simulated meter.

The facts are words as they lie in the meter's registers, from the documents that the profiles cite; the profile is
used only to be checked. The simulated meters are served from the profiles, through real Modbus frames.
"""

import asyncio
from fractions import Fraction
from pathlib import Path

import pytest

from collectors.decode import milliwh, value
from collectors.metrics import CollectorMetrics
from collectors.modbus import Bus
from collectors.profile import Quantity
from collectors.profile_library import load_profile, profile_names
from collectors.simulator.run import simulating
from collectors.site import read_site
from collectors.sweep import Sweeper
from tests.collectors.builders import NOON, free_port, serial_of

# Profile, quantity, function, address, words as sent, what they show in the quantity's unit.
FACTS = [
    ("acrel_ddsy1352", "total", 3, 0x0000, "000186a3", "1000.03"),
    ("acrel_ddsy1352", "valley", 3, 0x0008, "00000064", "1"),
    ("acrel_ddsy1352", "power", 3, 0x000D, "ffff", "-0.001"),
    ("acrel_ddsy1352", "voltage", 3, 0x000B, "08fc", "230"),
    ("acrel_ddsy1352", "current", 3, 0x000C, "007b", "1.23"),
    ("acrel_ddsy1352", "purchases", 3, 0x004E, "0003", "3"),
    ("acrel_ddsy1352", "remaining", 3, 0x004F, "00010001", "65537"),
    ("acrel_dtsy1352", "total", 3, 0x0000, "000186a3", "1000.03"),
    ("acrel_dtsy1352", "peak", 3, 0x0004, "000186a3", "1000.03"),
    ("acrel_adl400", "total", 3, 0x0000, "000186a3", "1000.03"),
    ("acrel_adl400", "power", 3, 0x016A, "fffffc18", "-1000"),
    ("acrel_adl3000_e", "total", 3, 0x000A, "00000001", "0.01"),
    ("acrel_adl3000_e", "export", 3, 0x0014, "00000001", "0.01"),
    ("acrel_adl3000_e", "flat", 3, 0x0006, "00000001", "0.01"),
    ("acrel_adw300", "total", 3, 62, "00000064", "1"),
    ("acrel_adw300", "export", 3, 64, "00000064", "1"),
    ("acrel_adw300", "power", 3, 36, "000003e8", "1000"),
    ("eastron_sdm120", "total", 4, 0x0048, "42f6e979", "123.45600128173828125"),
    ("eastron_sdm120", "power", 4, 0x000C, "43960000", "300"),
    ("eastron_sdm230", "total", 4, 0x0048, "42f60000", "123"),
    ("eastron_sdm230", "export", 4, 0x004A, "3f800000", "1"),
    ("eastron_sdm630", "total", 4, 0x0048, "42f60000", "123"),
    ("eastron_sdm630", "power", 4, 0x0034, "c3960000", "-300"),
    ("eastron_sdm630", "both_ways", 4, 0x0156, "42f60000", "123"),
    ("eastron_sdm320y", "total", 4, 0x0048, "42f60000", "123"),
    ("eastron_sdm320y", "unit_price", 4, 0xFC04, "3f000000", "0.5"),
    ("eastron_sdm530y", "total", 4, 0x0048, "42f60000", "123"),
    ("schneider_iem3000", "total", 3, 0x0C83, "000000000001e240", "123456"),
    ("schneider_iem3000", "export", 3, 0x0C87, "000000000001e240", "123456"),
    ("schneider_iem3000", "power", 3, 0x0BF3, "40200000", "2.5"),
    ("schneider_pm5100", "total", 3, 3203, "000000000001e240", "123456"),
    ("schneider_pm5100", "export", 3, 3207, "000000000001e240", "123456"),
    ("schneider_pm5100", "power", 3, 3059, "40200000", "2.5"),
    ("carlo_gavazzi_em24", "total", 4, 0x0042, "e2400001", "12345.6"),
    ("carlo_gavazzi_em24", "export", 4, 0x005C, "00010000", "0.1"),
    ("carlo_gavazzi_em24_e1", "total", 4, 0x0034, "e2400001", "12345.6"),
    ("carlo_gavazzi_em330", "total", 4, 0x0034, "e2400001", "12345.6"),
    ("carlo_gavazzi_em340", "total", 4, 0x0034, "e2400001", "12345.6"),
    ("carlo_gavazzi_em340", "export", 4, 0x004E, "e2400001", "12345.6"),
    ("carlo_gavazzi_em340", "power", 4, 0x0028, "ffffffff", "-0.1"),
    ("abb_b23", "total", 3, 0x5000, "000000000001e240", "1234.56"),
    ("abb_b23", "power", 3, 0x5B14, "0001e240", "1234.56"),
    ("abb_b24", "total", 3, 0x5000, "000000000001e240", "1234.56"),
    ("abb_b24", "export", 3, 0x5004, "000000000001e240", "1234.56"),
    ("janitza_b_series", "total", 3, 0x4A7C, "47f12000", "123456"),
    ("janitza_b_series", "export", 3, 0x4A84, "47f12000", "123456"),
    ("janitza_b_series", "power", 3, 0x4A52, "43960000", "300"),
    ("chint_dtsu666", "total", 3, 0x101E, "42f60000", "123"),
    ("chint_dtsu666", "power", 3, 0x2012, "43960000", "30"),
    ("chint_dtsu666/import_at_401e", "total", 3, 0x401E, "42f60000", "123"),
    ("chint_ddsu666", "total", 3, 0x4000, "42f60000", "123"),
    ("chint_ddsu666", "power", 3, 0x2004, "3f000000", "0.5"),
    ("hiking_dds238_2", "total", 3, 0x0000, "000186a3", "1000.03"),
    ("hiking_dds238_2", "power", 3, 0x000E, "ff9c", "-100"),
]
# Profile, address written, words that open and close, address of the state, its words when open and closed.
RELAYS = [
    ("acrel_ddsy1352", 0x0057, (1, 1), (1, 0), 0x0022, 1, 0),
    ("acrel_dtsy1352", 0x0057, (1, 1), (1, 0), 0x0022, 1, 0),
    ("hiking_dds238_2", 0x001A, (0,), (1,), 0x001A, 0, 1),
]


def _words(text: str) -> tuple[int, ...]:
    return tuple(int(text[at : at + 4], 16) for at in range(0, len(text), 4))


def _quantity(profile: str, name: str) -> Quantity:
    (quantity,) = (quantity for quantity in load_profile(profile).quantities if quantity.name == name)
    return quantity


@pytest.mark.parametrize(("profile", "name", "function", "address", "words", "shows"), FACTS)
def test_a_profile_reads_a_register_as_its_document_says(
    profile: str, name: str, function: int, address: int, words: str, shows: str
) -> None:
    if (profile, name) == ("acrel_adl3000_e", "total"):
        quantity: Quantity = load_profile(profile).total
    else:
        quantity = _quantity(profile, name)
    assert (quantity.function, quantity.address) == (function, address)
    assert value(_words(words), quantity=quantity, layout=load_profile(profile).layout) == Fraction(shows)


def test_every_profile_s_total_is_held_against_a_fact() -> None:
    told = {(profile, name) for profile, name, *_ in FACTS}
    assert [name for name in profile_names() if "/log_by" not in name and (name, "total") not in told] == []


@pytest.mark.parametrize(("profile", "address", "opens", "closes", "state", "is_open", "is_closed"), RELAYS)
def test_a_profile_switches_a_relay_as_its_document_says(
    profile: str,
    address: int,
    opens: tuple[int, ...],
    closes: tuple[int, ...],
    state: int,
    is_open: int,
    is_closed: int,
) -> None:
    relay = load_profile(profile).relay
    assert relay is not None
    assert (relay.address, relay.open_words, relay.close_words) == (address, opens, closes)
    assert (relay.state_address, relay.state_open_value, relay.state_closed_value) == (state, is_open, is_closed)


def test_only_meters_whose_relay_is_known_have_one() -> None:
    assert [name for name in profile_names() if load_profile(name).relay] == [relay[0] for relay in RELAYS]


@pytest.mark.parametrize("profile", ["abb_b23", "abb_b24"])
@pytest.mark.parametrize("words", ["ffffffffffffffff", "7fffffffffffffff"])
def test_abb_s_codes_for_no_value_are_never_energy(profile: str, words: str) -> None:
    total = load_profile(profile).total
    with pytest.raises(Exception, match="not available"):
        milliwh(_words(words), register=total)


@pytest.mark.parametrize("profile", profile_names())
def test_a_simulated_meter_of_every_profile_is_read_through_real_frames(tmp_path: Path, profile: str) -> None:
    async def scene() -> None:
        port = free_port()
        path = tmp_path / "site.toml"
        serial = serial_of(1) if "acrel" in profile else "4000001"
        path.write_text(
            f'[collector]\nid = "edge-1"\n[[concentrators]]\nid = "C1"\nhost = "127.0.0.1"\nport = {port}\n'
            f'[[concentrators.meters]]\nserial = "{serial}"\nunit = 9\nsupply = "S1"\nprofile = "{profile}"\n'
        )
        site = read_site(path)
        async with simulating(site=site, speed=3600) as simulator:
            await asyncio.sleep(0.02)
            simulator.freeze()
            bus = Bus.over_tcp(host="127.0.0.1", port=port, timeout_s=2)
            sweeper = Sweeper(
                concentrator=site.concentrators[0], bus=bus, retries=0, metrics=CollectorMetrics(), now=lambda: NOON
            )
            (reading,) = await sweeper.sweep()
            bus.close()
        assert reading.register is not None
        shown = simulator.state().meters[serial]
        assert reading.register.import_milliwh == shown.register_milliwh > 0
        # What the register cannot show is less than its step: nothing is read that was not used.
        assert 0 <= shown.total_milliwh - shown.register_milliwh < load_profile(profile).total.resolution_milliwh
        assert reading.register.profile == profile
        assert reading.register.raw

    asyncio.run(scene())
