"""Migrations, written by hand, one file a revision."""
