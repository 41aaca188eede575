"""The replay core: what code does live, it does again over its history."""
