"""Platforms and carriers, one folder each."""
