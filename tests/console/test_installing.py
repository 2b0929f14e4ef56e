import pytest

from console.installing import UnknownProfile, meter_facts


def test_an_unknown_profile_is_refused_with_all_that_there_are_files_among_them() -> None:
    with pytest.raises(UnknownProfile, match=r"'none' is not known; use one of .*acrel_ddsy1352.* or nem12 for"):
        meter_facts(serial="1", profile="none", max_power_w=1)


def test_a_meter_of_interval_files_has_no_register() -> None:
    facts = meter_facts(serial="1", profile="nem12", max_power_w=1)
    assert (facts.measures, facts.modulus_milliwh, facts.gives) == ("interval", 0, None)


def test_a_profile_tells_what_the_meter_measures_beside_energy() -> None:
    """The DDSY1352 has no register of reactive energy that a tariff could price."""
    assert meter_facts(serial="1", profile="acrel_ddsy1352", max_power_w=1).gives == ()
