"""Telling people: what happens to their account, once per event, in their language, by the channels they chose."""
