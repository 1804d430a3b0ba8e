"""The steps from one schema version to the next. A released one is never changed."""
