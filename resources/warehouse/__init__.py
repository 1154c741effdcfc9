"""The warehouse, its ledger and its outbox."""
