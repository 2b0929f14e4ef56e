"""Credit policy files: every example of the documentation is read, and every error is told at once."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.domain.credit.policy import CreditPolicy, DebtTerms, EmergencyCredit, FriendlyHours, FriendlyTimes
from ledger.domain.credit.policy_file import _KEYS, _TABLES, WrongPolicy, read_policy
from ledger.domain.credit.policy_text import policy_text
from tests.ledger.credit_facts import POLICY

PAGE = Path(__file__).parents[2] / "docs" / "credit.md"
EXAMPLES = re.findall(r"```toml\n(.*?)```", PAGE.read_text(), re.DOTALL)

WRONG = """
zone = "Asia/Shangri-La"
warnings = ["10.00", "20.00"]
cut_at = 5
reconnect_margin = "-1"
charges_while_off = "forgiven"
order = ["balance", "debt", "accrued", "below-threshold", "emergency"]
colour = "blue"
[emergency]
limit = "ten"
[debt]
percent_of_top_up = "101"
[top_up]
least = "10"
most = "5"
[friendly]
country = "Atlantis"
dates = ["tomorrow"]
[[friendly.hours]]
days = ["someday", "holiday"]
times = ["25:00-26:00"]
"""


@pytest.mark.parametrize("text", EXAMPLES)
def test_every_example_of_the_page_is_read_and_written_back(text: str) -> None:
    policy = read_policy(text)
    assert read_policy(policy_text(policy)) == policy


@pytest.mark.parametrize("key", sorted(_KEYS | _TABLES))
def test_every_key_has_an_example(key: str) -> None:
    assert any(re.search(rf"^({key} =|\[+{key}[].])", text, re.MULTILINE) for text in EXAMPLES)


def test_a_file_says_what_the_policy_holds() -> None:
    text = next(text for text in EXAMPLES if "[debt]" in text)
    assert read_policy(text).debt == DebtTerms(500_000, 2_500, 10_000_000)
    text = next(text for text in EXAMPLES if "[emergency]" in text)
    assert read_policy(text).emergency == EmergencyCredit(10_000_000, 5_000_000, "on-request")
    text = next(text for text in EXAMPLES if "[friendly]" in text)
    assert read_policy(text).friendly.hours[1] == FriendlyHours(("saturday", "sunday", "holiday"), 0, 1_440)


def test_every_error_is_told_at_once_with_its_place_and_remedy() -> None:
    with pytest.raises(WrongPolicy) as caught:
        read_policy(WRONG)
    told = "\n".join(caught.value.errors)
    for place in (
        "zone is 'Asia/Shangri-La'",
        "warnings are",
        "cut_at is 5",
        "reconnect_margin is '-1'",
        "charges_while_off is 'forgiven'",
        "order ends with 'emergency'",
        "colour is not known",
        "emergency.limit is 'ten'",
        "emergency.offered_below is None",
        "debt.percent_of_top_up is 101",
        "top_up.most is below",
        "friendly.country 'Atlantis'",
        "friendly.dates is ['tomorrow']",
        "names 'someday'",
        "names 'holiday'; give friendly.country",
        "holds '25:00-26:00'",
    ):
        assert place in told


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("zone = ", "no TOML"),
        ("", "zone is None"),
        ('zone = "UTC"\norder = ["balance"]', "name each once"),
        ('zone = "UTC"\norder = ["debt", "accrued", "emergency", "below-threshold", "balance"]', "rises through"),
        ('zone = "UTC"\n[[friendly.hours]]\ndays = []\ntimes = []', "lacks days or times"),
        ('zone = "UTC"\nwarnings = [5]', "warnings is [5]"),
        ('zone = "UTC"\ncut_at = "0.0000001"', "cut_at is '0.0000001'"),
    ],
)
def test_a_wrong_file_is_told(text: str, told: str) -> None:
    with pytest.raises(WrongPolicy, match=re.escape(told)):
        read_policy(text)


amounts = st.integers(0, 10**12)
emergencies = st.builds(EmergencyCredit, amounts, amounts, st.sampled_from(["automatic", "on-request"]))


@given(
    st.builds(
        CreditPolicy,
        zone=st.sampled_from(["UTC", "Asia/Shanghai"]),
        warnings_micros=st.lists(amounts, unique=True).map(lambda rows: tuple(sorted(rows, reverse=True))),
        cut_at_micros=st.integers(-(10**12), 10**12),
        reconnect_micros=amounts,
        emergency=st.none()
        | st.builds(EmergencyCredit, amounts, amounts, st.sampled_from(["automatic", "on-request"])),
        debt=st.builds(DebtTerms, amounts, st.integers(0, 10_000), st.none() | amounts),
        charges_while_off=st.sampled_from(["collected", "accrued"]),
        top_up_least_micros=amounts,
    )
)
def test_any_policy_is_read_as_it_was_written(policy: CreditPolicy) -> None:
    assert read_policy(policy_text(policy)) == policy


def test_friendly_times_are_read_as_they_were_written() -> None:
    assert read_policy(policy_text(POLICY)).friendly == POLICY.friendly
    assert read_policy(policy_text(CreditPolicy())).friendly == FriendlyTimes()
