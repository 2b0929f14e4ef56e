"""A data concentrator with DDSY1352 meters, for demonstrations and tests.

Its register map is written here a second time, on purpose, and shares nothing with the profile that the collector
reads by: so that the two cannot share one mistake.
"""
