"""Screens for a terminal, one folder for each. Only imported by commands that show one."""
