"""The shell around the domain: intake, pump, receipts, write-backs."""
