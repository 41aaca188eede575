"""Screens for a terminal, one folder for each. Only imported by commands that show one.

palette     the colours of all of them, dark and light
"""
