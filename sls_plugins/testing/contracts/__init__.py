"""Contract suites: whoever writes a part inherits its tests."""
