"""The tariffs that pricing is measured by: flat, time of use, and time of use × blocks × levies."""

_HEAD = """
code = "measured"
currency = "CNY"
time_zone = "Asia/Shanghai"
billing_period = "month"
prices = "tax-exclusive"
tax_point = "supply"
"""

_HOURS = """
[time_of_use]
country = "CN"
[[time_of_use.hours]]
period = "峰"
times = ["10:00-15:00", "18:00-21:00"]
[[time_of_use.hours]]
period = "平"
times = ["07:00-10:00", "15:00-18:00", "21:00-23:00"]
[[time_of_use.hours]]
period = "谷"
times = ["23:00-07:00"]
"""

_VAT = """
[[taxes]]
component = "vat"
percent = "13"
on = ["energy"]
"""

FLAT = (
    _HEAD
    + """
[[charges]]
component = "energy"
kind = "flat"
price_per_kwh = "0.617"
"""
    + _VAT
)

TIME_OF_USE = (
    _HEAD
    + _HOURS
    + """
[[charges]]
component = "energy"
kind = "time-of-use"
prices = { "峰" = "1.025", "平" = "0.617", "谷" = "0.307" }
"""
    + _VAT
)

EVERYTHING = (
    _HEAD
    + _HOURS
    + """
[[charges]]
component = "energy"
kind = "blocks"
[[charges.blocks]]
up_to_kwh = "0.260"
prices = { "峰" = "1.025", "平" = "0.617", "谷" = "0.307" }
[[charges.blocks]]
up_to_kwh = "600"
prices = { "峰" = "1.075", "平" = "0.667", "谷" = "0.357" }
[[charges.blocks]]
prices = { "峰" = "1.325", "平" = "0.917", "谷" = "0.607" }
[[levies]]
component = "fund"
price_per_kwh = "0.0062"
[[levies]]
component = "surcharge"
percent = "1.5"
on = ["energy"]
[[taxes]]
component = "vat"
percent = "13"
on = ["energy", "fund", "surcharge"]
"""
)

TARIFFS = {"flat": FLAT, "time of use": TIME_OF_USE, "time of use × blocks × levies": EVERYTHING}
