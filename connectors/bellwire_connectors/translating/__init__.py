"""What the translators of timecard and task platforms share: bodies read without trust, events in canonical words, notes back."""
