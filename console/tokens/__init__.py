"""Tokens that people type into a meter: their digits, the meters' secrets, and what registers say of it all."""
