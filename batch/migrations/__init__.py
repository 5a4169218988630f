"""The ledger's migrations, oldest first: the last one is what this program works with."""

REVISIONS = ("0001", "0002", "0003", "0004")
