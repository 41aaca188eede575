"""How findings are shown: for people, for programs, for code scanning."""
