"""Displays, and the report made of them (extra `plots`)."""
