"""A source for each kind of view: bounds, slices, records around an offset."""
