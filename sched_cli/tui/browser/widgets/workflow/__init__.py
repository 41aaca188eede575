"""Widgets of one workflow."""
