"""Registries and pages in Prometheus' form. Imports prometheus-client; import it late."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.exposition import choose_encoder


def process_registry() -> CollectorRegistry:
    """A registry with the usual metrics of a Python process."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    return registry


def render(registry: CollectorRegistry, accept: str) -> tuple[bytes, str]:
    """The page in the form that the `Accept` header asks for, and its content type."""
    encode, content_type = choose_encoder(accept)
    return encode(registry), content_type
