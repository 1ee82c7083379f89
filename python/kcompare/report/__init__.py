"""A report as text or bytes: pure functions of the model, so that a saved report can be rendered again."""
