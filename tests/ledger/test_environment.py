"""Settings: everything that is wrong is told at once, and no secret with it."""

import pytest

from ledger.values.environment import Environment
from ledger.values.errors import InvalidValue


def test_every_wrong_setting_is_named_in_one_go() -> None:
    environment = Environment({"PORT": "99999", "PAUSE": "soon", "DURABLE": "perhaps"})
    environment.text("URL", help_="where the ledger is")
    environment.integer("PORT", default=1, maximum=65535)
    environment.seconds("PAUSE", default=1.0)
    environment.flag("DURABLE", default=True)
    with pytest.raises(InvalidValue) as caught:
        environment.check()
    told = str(caught.value).splitlines()
    assert len(told) == 5
    assert "URL is not set (where the ledger is)" in told[1]
    assert "PORT=99999 is out of range; use 0 to 65535" in told[2]
    assert "PAUSE='soon' is not a number" in told[3]
    assert "DURABLE='perhaps' is neither true nor false" in told[4]


def test_a_wrong_setting_elsewhere_does_not_show_a_secret() -> None:
    environment = Environment({"DATABASE_URL": "postgresql://u:hunter2@db/x", "PORT": "x"})
    environment.text("DATABASE_URL")
    environment.integer("PORT", default=1)
    with pytest.raises(InvalidValue) as caught:
        environment.check()
    assert "hunter2" not in str(caught.value)


def test_settings_that_are_right_are_returned_and_nothing_is_raised() -> None:
    environment = Environment({"URL": "x", "PORT": " 80 ", "PAUSE": "0.5", "DURABLE": "Off"})
    assert environment.text("URL") == "x"
    assert environment.integer("PORT", default=1) == 80
    assert environment.seconds("PAUSE", default=9) == 0.5
    assert environment.flag("DURABLE", default=True) is False
    environment.check()


def test_an_empty_variable_is_as_good_as_none() -> None:
    environment = Environment({"URL": "", "PORT": " ", "DURABLE": ""})
    assert environment.text("URL", default="here") == "here"
    assert environment.integer("PORT", default=7) == 7
    assert environment.flag("DURABLE", default=True) is True
    environment.check()


@pytest.mark.parametrize("text", ["nan", "inf", "-1", "1e10"])
def test_a_duration_that_never_ends_or_runs_backwards_is_refused(text: str) -> None:
    environment = Environment({"PAUSE": text})
    environment.seconds("PAUSE", default=1)
    with pytest.raises(InvalidValue, match="PAUSE"):
        environment.check()
