"""From what a user wrote to validated values. A mistake is an ``errors.UsageError`` that names the value."""
