import tomllib
from importlib.resources import files
from pathlib import Path

import pytest

from collectors.errors import BadFile
from collectors.profile_file import parse_profile
from collectors.profile_library import load_profile, profile_names

_DDSY1352 = files("collectors").joinpath("profiles", "acrel_ddsy1352.toml").read_text(encoding="utf-8")


def test_every_profile_that_comes_with_us_loads_under_its_own_name_and_cites_its_source() -> None:
    for name in profile_names():
        profile = load_profile(name)
        assert profile.name == name
        assert len(profile.source) > 20


def test_a_profile_tells_the_energy_at_which_its_register_starts_again() -> None:
    assert load_profile("acrel_ddsy1352").total.modulus_milliwh == 4_294_967_296 * 10_000


def test_the_time_of_use_registers_lie_behind_the_total() -> None:
    registers = load_profile("acrel_ddsy1352").energy_registers
    assert [(register.name, register.address) for register in registers] == [
        ("total", 0),
        ("sharp", 2),
        ("peak", 4),
        ("flat", 6),
        ("valley", 8),
    ]


def test_all_errors_of_a_profile_are_reported_at_once_with_file_key_and_remedy() -> None:
    broken = (
        _DDSY1352.replace('kind = "s16"', 'kind = "float16"')
        .replace("read_function = 3", "read_function = 5")
        .replace("[serial]", "[seiral]")
        .replace("open_value = 0x0001", "open_value = 0x0002")
    )
    with pytest.raises(BadFile) as refused:
        parse_profile(path="profiles/broken.toml", text=broken)
    text = str(refused.value)
    assert "profiles/broken.toml" in text
    assert "measure.power.kind: 'float16' is wrong; use one of u16, u32" in text
    assert "modbus.read_function: 5 is wrong; use a whole number from 3 to 4" in text
    assert "seiral: is not known here; remove it" in text
    assert "relay.state.open_value: 0x2 has bits outside mask 0x1" in text
    assert len(refused.value.errors) == 4


def test_a_relay_whose_words_cannot_be_told_apart_is_refused() -> None:
    with pytest.raises(BadFile, match="close_words: are the same as open_words"):
        parse_profile(path="p", text=_DDSY1352.replace("close_words = [1, 0]", "close_words = [1, 1]"))


def test_an_unknown_profile_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(BadFile, match=r"use one of abb_b23, .*acrel_ddsy1352"):
        load_profile("acrel_ddsy1353")


def _broken(old: str, new: str) -> str:
    assert old in _DDSY1352
    with pytest.raises(BadFile) as refused:
        parse_profile(path="p", text=_DDSY1352.replace(old, new, 1))
    return str(refused.value)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("address = 0x0057", "address = 0x0001", "relay.address: its words would overwrite total"),
        ('scale = "0.01"', "scale = 0.01", "energy.total.scale: 0.01 is wrong; write a decimal above 0 in quotes"),
        ('scale = "0.01"', 'scale = "0.0000000001"', "energy.total.scale: one count is finer than 0.001 Wh"),
        ('unit = "kWh"', 'unit = "kVAh"', "energy.total.unit: 'kVAh' is wrong; use one of Wh, kWh, MWh"),
        ('kind = "u32"', 'kind = "float32"', "energy.total.resolution: is missing; write the register"),
        ('kind = "u32"', 'kind = "u32"\nmultiplied_by = ["ct"]', "'ct' is no multiplier; add [multiplier.ct]"),
        ('kind = "u32"', 'kind = "u32"\nnot_available = ["ffff"]', "'ffff' is not 8 hex digits in lower case"),
        ('kind = "u32"', 'kind = "u32"\nmodulus_counts = 4294967297', "use a whole number from 1 to 4294967296"),
        ("closed_value = 0x0000", "closed_value = 0x0001", "closed_value: is the same as open_value"),
        ("close_words = [1, 0]", "close_words = [0]", "close_words: are not as many as open_words"),
        ("words_per_read = 32", "words_per_read = 126", "modbus.words_per_read: 126 is wrong"),
        ("address = 0x0000\n", "address = 0xFFFF\n", "energy.total.address: 65535 is wrong"),
    ],
)
def test_a_profile_that_could_cost_money_is_refused(old: str, new: str, told: str) -> None:
    assert told in _broken(old, new)


def test_a_variant_lays_its_own_keys_over_the_profile_s() -> None:
    base, variant = load_profile("chint_dtsu666"), load_profile("chint_dtsu666/import_at_401e")
    assert (base.total.address, variant.total.address) == (0x101E, 0x401E)
    assert (variant.name, variant.total.kind) == ("chint_dtsu666/import_at_401e", base.total.kind)
    assert variant.measures == base.measures


def test_an_unknown_variant_is_refused_with_those_there_are() -> None:
    with pytest.raises(BadFile, match="this profile has none"):
        parse_profile(path="p", text=_DDSY1352, variant="other")


def test_a_number_that_is_written_goes_out_in_the_order_of_those_that_are_read() -> None:
    relay = "open_words = [1, 1]\nclose_words = [1, 0]"
    numbers = 'kind = "u32"\nopen_number = 0x01020304\nclose_number = 0'
    text = _DDSY1352.replace(relay, numbers)
    for order, words in (('"high-first"', (0x0102, 0x0304)), ('"low-first"', (0x0304, 0x0102))):
        switched = parse_profile(
            path="p", text=text.replace('word_order = "high-first"', f"word_order = {order}")
        ).relay
        assert switched is not None
        assert (switched.open_words, switched.close_words) == (words, (0, 0))
    swapped = parse_profile(
        path="p", text=_DDSY1352.replace("[energy.total]", 'byte_order = "low-first"\n[energy.total]', 1)
    )
    assert swapped.relay is not None
    assert swapped.relay.open_words == (0x0100, 0x0100)


def test_the_page_of_profiles_tells_every_key_that_a_profile_may_have() -> None:
    page = (Path(__file__).parents[2] / "docs" / "profiles.md").read_text(encoding="utf-8")
    used = {key for name in profile_names() if "/" not in name for key in _keys(_shipped(name))}
    rarer = {"max_power_w", "clock", "format", "utc_offset_minutes", "multiplier", "multiplied_by", "modulus_counts"}
    named = {"energy.total", "kind", "open_number", "close_number", "reactive", "apparent", "demand"} | rarer | used
    assert sorted(key for key in named if key not in page) == []


def _shipped(name: str) -> dict[str, object]:
    return tomllib.loads(files("collectors").joinpath("profiles", f"{name}.toml").read_text(encoding="utf-8"))


def _keys(table: dict[str, object]) -> set[str]:
    """Return the keys of a profile's tables, but for the names that each profile gives its own quantities."""
    keys = set(table)
    for key, value in table.items():
        if isinstance(value, dict):
            named = key in ("energy", "period", "measure", "credit", "log", "variant", "multiplier")
            inner = [part for part in value.values() if isinstance(part, dict)] if named else [value]
            keys |= {found for part in inner for found in _keys(part)} if key != "variant" else set()
    return keys
