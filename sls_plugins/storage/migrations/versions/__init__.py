"""One revision per schema version; `v0001` is the first schema that was released."""
