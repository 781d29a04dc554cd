"""Archive, verify, tombstone, purge, restore: each step is written down before it is done."""
