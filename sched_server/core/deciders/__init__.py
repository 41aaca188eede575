"""Decisions by topic; each is a free function of state, input and time."""
