"""A recorded order, its code edited in every way, and what replay says of each edit."""
