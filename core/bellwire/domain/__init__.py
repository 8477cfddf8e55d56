"""The pure part: values in, values out. No clock, no logger, no I/O."""
