"""An OpenAI-compatible server on loopback, told what to say and how to fail."""

from sls_plugins.testing.openai.replies import Called, Fault, Heard, Reply, obliging
from sls_plugins.testing.openai.server import OpenAIServer

__all__ = ["Called", "Fault", "Heard", "OpenAIServer", "Reply", "obliging"]
