"""Widgets of every screen."""
