"""Who runs slices: threads of this process."""
