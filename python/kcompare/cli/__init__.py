"""The command line: parse, call the engine, print. Nothing else writes to stdout or knows exit codes."""
