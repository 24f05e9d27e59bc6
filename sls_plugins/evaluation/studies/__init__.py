"""Questions to recorded traces, one module each; `sls study` lists and runs them."""
