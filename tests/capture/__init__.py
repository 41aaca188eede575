"""Captured histories: exact, stable, redacted, and clear about what is wrong."""
