"""Views in the terminal, driven by key presses."""
