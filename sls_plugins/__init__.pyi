from sls_plugins.assembly import build as build
from sls_plugins.engine import AsyncEngine as AsyncEngine
from sls_plugins.engine import Engine as Engine
from sls_plugins.hookspecs import hookimpl as hookimpl
from sls_plugins.settings import Budget as Budget
from sls_plugins.settings import CacheSettings as CacheSettings
from sls_plugins.settings import Settings as Settings
from sls_plugins.types import Answer as Answer
from sls_plugins.types import CacheHit as CacheHit
from sls_plugins.types import Candidate as Candidate
from sls_plugins.types import Decision as Decision
from sls_plugins.types import Estimate as Estimate
from sls_plugins.types import Feedback as Feedback
from sls_plugins.types import Outcome as Outcome
from sls_plugins.types import Query as Query
from sls_plugins.types import Source as Source
from sls_plugins.types import Usage as Usage

__version__: str
