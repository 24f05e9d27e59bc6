"""Measures policies on recorded traces: readers, the replay, rivals, figures, the report."""
