"""What is wrong with a component, a calendar, or with how they fit together: told with its place and its remedy."""

import pytest

from ledger.rating.tariff import parse_tariff
from ledger.values.errors import InvalidValue
from tests.ledger.tariff_files import ENERGY, HOURS, block_charge, tariff_file


def told(*parts: str) -> list[str]:
    with pytest.raises(InvalidValue) as caught:
        parse_tariff(tariff_file(*parts))
    return [line.removeprefix("  - ") for line in str(caught.value).splitlines()[1:]]


SEASONS = """
[[time_of_use.seasons]]
name = "warm"
from = "04-01"
to = "09-30"
[[time_of_use.seasons]]
name = "cold"
from = "09-30"
to = "03-15"
"""


def test_every_gap_and_overlap_of_a_calendar_is_told_at_once() -> None:
    hours = """
[[time_of_use.hours]]
period = "峰"
days = ["weekday"]
times = ["08:00-12:00", "14:00-22:30"]
[[time_of_use.hours]]
period = "谷"
times = ["22:00-08:00"]
"""
    assert told(SEASONS, hours, ENERGY) == [
        "time_of_use.seasons: 03-16 to 03-31 is in no season; let one of them reach so far",
        "time_of_use.seasons: 09-30 to 09-30 is in warm and cold; leave it in one of them",
        *(
            f"time_of_use, season '{season}', {line}"
            for season in ("warm", "cold")
            for line in (
                "weekday: 12:00-14:00 has no period; add it to one of the [[time_of_use.hours]]",
                "weekday: 22:00-22:30 is in 峰 and 谷; leave it in one of them",
                "weekend: 08:00-22:00 has no period; add it to one of the [[time_of_use.hours]]",
            )
        ),
    ]


@pytest.mark.parametrize(
    ("parts", "complaint"),
    [
        (["[time_of_use]\ncountry = 'XX'", HOURS, ENERGY], "country 'XX' with subdivision '' is not known"),
        (["[time_of_use]\nsubdivision = 'BY'", HOURS, ENERGY], "subdivision is 'BY' of no country"),
        (["[time_of_use]\nholidays = ['x']", HOURS, ENERGY], "time_of_use.holidays holds 'x'; give dates"),
        (["[time_of_use]", ENERGY], "time_of_use.hours: there is none"),
        ([HOURS.replace("22:00-08:00", "22:00-25:00"), ENERGY], "hours[2].times holds '22:00-25:00'; give HH:MM"),
        (
            [HOURS + 'days = ["holiday"]\n', ENERGY],
            "days names 'holiday'; known: ['weekday', 'weekend']; give a country",
        ),
        ([HOURS + 'seasons = ["wet"]\n', ENERGY], "seasons names 'wet'; known: ['all year']"),
        ([HOURS, SEASONS.replace("09-30", "09-31"), ENERGY], "to is '09-31'; give a month and a day"),
        ([ENERGY + 'periods = ["峰"]\n'], "charges[1].periods names '峰'; add a [time_of_use] table first"),
        ([HOURS, ENERGY + 'periods = ["平"]\n'], "charges[1].periods names '平'; known: ['峰', '谷']"),
        (
            [HOURS, '[[charges]]\ncomponent = "e"\nkind = "time-of-use"\nprices = { "峰" = "1" }\n'],
            "charges[1].prices has no price for period '谷'; add it",
        ),
        (
            [block_charge(("20", "1"), ("10", "2"), ("", "3"))],
            "blocks[2].up_to_kwh does not ascend: 10 kWh after 20 kWh",
        ),
        ([block_charge(("0", "1"), ("", "3"))], "blocks[1].up_to_kwh does not ascend: 0 kWh after 0 kWh"),
        ([block_charge(("20", "1"), ("30", "3"))], "blocks[2].up_to_kwh: the last block has no end; leave it out"),
        ([block_charge(("", "1"), ("", "3"))], "blocks[1].up_to_kwh is None; give a decimal"),
        ([block_charge(("0.0000001", "1"), ("", "3"))], "it is finer than 0.000001 kWh"),
        ([block_charge(("", "1"), more='anchor = "04-01"')], "charges[1].anchor is for blocks per year"),
        ([block_charge(("", "1"), more='window = "year"\nanchor = "02-29"')], "which most years lack; use 03-01"),
        ([block_charge(("", "1"), more='window = "year"\nmode = "volume"')], 'charges[1].mode is "volume"; it knows'),
        (['[[charges]]\ncomponent = "e"\nkind = "blocks"\n'], "charges[1].blocks: there is none"),
        ([ENERGY + 'price_per_kvarh = "1"\n'], "has price_per_kwh and price_per_kvarh; give one of them"),
        ([ENERGY, '[[levies]]\ncomponent = "l"\n'], "levies[1] needs either percent or price_per_kwh"),
        (
            [ENERGY, '[[rebates]]\ncomponent = "r"\npercent = "101"\non = ["energy"]\n'],
            "a rebate gives back 100 at most",
        ),
        (
            [ENERGY, '[[taxes]]\ncomponent = "t"\npercent = "1"\non = ["t"]\n'],
            "taxes[1].on names 't', which is no charge",
        ),
        (
            [
                ENERGY,
                '[[free_units]]\ncomponent = "f"\nkwh = "1"\non = ["d"]\n'
                '[[charges]]\ncomponent = "d"\nkind = "daily"\nprice_per_day = "1"\n',
            ],
            "free_units[1].on names 'd', which has no price per kWh",
        ),
        (
            [ENERGY, *(f'[[allowances]]\ncomponent = "{c}"\namount_per_day = "1"\non = ["energy"]\n' for c in "ab")],
            "allowances[2].on names 'energy', which allowances[1] gives back too",
        ),
        (
            [ENERGY, '[[classes]]\nname = "c"\nmultiplier = "2"\non = ["x"]\n'],
            "classes[1].on names 'x', which is no charge",
        ),
        (
            [ENERGY, '[proration]\nblocks = "weeks"\n'],
            "proration.blocks is 'weeks'; this version knows 'none' or 'days'",
        ),
    ],
)
def test_a_wrong_part_is_told_with_its_place_and_remedy(parts: list[str], complaint: str) -> None:
    assert any(complaint in line for line in told(*parts)), told(*parts)


def test_levies_that_wait_for_one_another_are_told_as_a_cycle() -> None:
    levies = "".join(
        f'[[levies]]\ncomponent = "{name}"\npercent = "1"\non = ["energy", "{other}"]\n'
        for name, other in [("a", "b"), ("b", "c"), ("c", "a")]
    )
    assert told(ENERGY, levies) == ["a → b → c → a is a cycle; take one of them off the other's 'on'"]
