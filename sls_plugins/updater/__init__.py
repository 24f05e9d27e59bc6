"""The updater room."""
