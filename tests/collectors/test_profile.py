from importlib.resources import files

import pytest

from collectors.errors import BadFile
from collectors.profile import load_profile, parse_profile, profile_names

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
        _DDSY1352.replace('kind = "s16"', 'kind = "float32"')
        .replace("read_function = 3", "read_function = 5")
        .replace("[number]", "[nubmer]")
        .replace("open_value = 0x0001", "open_value = 0x0002")
    )
    with pytest.raises(BadFile) as refused:
        parse_profile(path="profiles/broken.toml", text=broken)
    text = str(refused.value)
    assert "profiles/broken.toml" in text
    assert "measure.power.kind: 'float32' is wrong; use one of u16, s16" in text
    assert "modbus.read_function: 5 is wrong; use a whole number from 3 to 4" in text
    assert "nubmer: is not known here; remove it" in text
    assert "relay.state.open_value: 0x2 has bits outside mask 0x1" in text
    assert len(refused.value.errors) == 4


def test_a_relay_whose_words_cannot_be_told_apart_is_refused() -> None:
    with pytest.raises(BadFile, match="close_words: are the same as open_words"):
        parse_profile(path="p", text=_DDSY1352.replace("close_words = [1, 0]", "close_words = [1, 1]"))


def test_an_unknown_profile_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(BadFile, match="use one of acrel_ddsy1352"):
        load_profile("acrel_ddsy1353")
