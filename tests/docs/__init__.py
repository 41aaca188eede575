"""The documentation is run: its code, its commands, the JSON that it shows."""
