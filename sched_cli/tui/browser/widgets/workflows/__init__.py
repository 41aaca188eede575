"""Widgets of the list of workflows."""
