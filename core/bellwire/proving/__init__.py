"""What Bellwire promises, shown on the machine where it is to run: `bellwire prove`."""
