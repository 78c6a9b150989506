"""What several tests lean on, one module a subject; no test is collected here."""
