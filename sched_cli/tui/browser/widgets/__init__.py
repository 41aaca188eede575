"""A folder for each area of a screen, a file for each widget."""
