"""What can go wrong with runs that several machines share."""

from __future__ import annotations

from coai_agents.workflows.errors import WorkflowError


class ClusterError(WorkflowError):
    """Runs cannot be shared as it was wanted."""
