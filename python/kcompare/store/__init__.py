"""What is kept of a log: digest tables, later fingerprints and run state."""
