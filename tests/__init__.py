"""Unit, property, integration and acceptance tests."""
