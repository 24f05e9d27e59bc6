"""The demo: a made-up workload, simulated chat models, the whole road through ChatSLS."""

from langchain_sls.demo.run import run_demo

__all__ = ["run_demo"]
