"""Tests of leadership: who leads, who waits, and who has to stop."""
