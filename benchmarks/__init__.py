"""Measurements that print ratios; run by hand and by `make bench`."""
