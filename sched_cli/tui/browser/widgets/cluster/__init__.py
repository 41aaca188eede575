"""Widgets of workers and cluster."""
