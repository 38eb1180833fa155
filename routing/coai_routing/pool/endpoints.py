"""The places that the settings name: vendors with a key, model servers, the embedded engine."""

from __future__ import annotations

import logging
import os
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Literal, TypeAlias

from coai_routing.credentials.keys import CredentialError, users_keys
from coai_routing.pool.place import Place
from coai_routing.privacy.egress import is_loopback, is_trusted
from coai_routing.providers.discovery import placed, provider_for
from coai_routing.registry.vendors import builtin_vendors
from coai_routing.wiring.configured import configured_endpoints
from coai_routing.wiring.configured_routing import routing_egress

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from coai_routing.privacy.egress import Egress
    from coai_routing.providers.base import Provider
    from coai_routing.providers.discovery import Found, ModelServer
    from coai_routing.registry.vendors import Vendor
    from coai_routing.settings.router_sections import CloudEndpoint
    from coai_routing.settings.schema import Settings


logger = logging.getLogger(__name__)

Origin: TypeAlias = Literal["settings", "environment", "key store", "encrypted file", ""]


def key_of(
    name: str, endpoint: CloudEndpoint, environment: Mapping[str, str] = os.environ
) -> tuple[str | None, Origin]:
    """Return a vendor's key and where it comes from: the settings, the environment, or kept.

    None with an origin is a key that is kept and cannot be read, such as a locked one.
    """
    if endpoint.api_key is not None:
        return endpoint.api_key.get_secret_value(), "settings"
    key = environment.get(builtin_vendors()[name].variable, "").strip()
    if key:
        return key, "environment"
    if environment is not os.environ:
        return None, ""
    keys = users_keys()
    try:
        return keys.get(name), keys.where(name) or ""
    except CredentialError as error:
        logger.warning("%s", error)
        return None, keys.where(name) or ""


def cloud_places(
    settings: Settings,
    environment: Mapping[str, str] = os.environ,
    *,
    given: Mapping[str, CloudEndpoint] | None = None,
) -> tuple[Place, ...]:
    """Return the vendors, ready where a key is set; `given` count before the settings'."""
    egress = routing_egress(settings)
    places: list[Place] = []
    for name, endpoint in {**settings.cloud.by_name(), **(given or {})}.items():
        vendor = builtin_vendors()[name]
        key, origin = key_of(name, endpoint, environment)
        place = Place(
            name,
            endpoint.url,
            local=_may_see_everything(endpoint.url, egress),
            connect=partial(_connect_cloud, vendor, endpoint.url, key, egress),
            bound=(key, egress),
            billed=True,
            takes_prompts=False,
        )
        if not endpoint.enabled:
            place = absent(place, "It is switched off.", f"Set `cloud.{name}.enabled`.")
        elif key is None and origin:
            place = absent(
                place, f"The key of {vendor.title} is locked.", "`coai auth status` says why."
            )
        elif key is None:
            place = absent(place, f"There is no key for {vendor.title}.", f"Set {vendor.variable}.")
        places.append(place)
    return tuple(places)


def server_place(endpoint: ModelServer, egress: Egress) -> Place:
    """Return where a model server is, and what may go there."""
    endpoint = placed(endpoint)
    return Place(
        endpoint.name,
        endpoint.base_url,
        local=_may_see_everything(endpoint.base_url, egress),
        connect=partial(provider_for, endpoint, egress=egress),
        bound=(endpoint, egress),
    )


def server_places(settings: Settings, found: Sequence[Found]) -> tuple[Place, ...]:
    """Return the model servers that the settings name, as they were last found."""
    egress = routing_egress(settings)
    seen = {server.name: server for server in found}
    places: list[Place] = []
    for endpoint in configured_endpoints(settings):
        place = server_place(endpoint, egress)
        server = seen.get(endpoint.name)
        if server is None:
            place = absent(place, "It was not looked for yet.", "`coai doctor` looks.")
        elif not server.ok:
            place = absent(place, server.detail, server.remedy)
        elif not server.models:
            place = absent(place, "It has no model.", "`coai doctor` says how to get one.")
        places.append(place)
    return tuple(places)


def absent(place: Place, detail: str, remedy: str) -> Place:
    """Return a place that cannot be asked now, why not, and what to do."""
    return replace(place, ready=False, detail=detail, remedy=remedy)


def _may_see_everything(url: str, egress: Egress) -> bool:
    return is_loopback(url) or is_trusted(url, egress.trusted_hosts)


def _connect_cloud(vendor: Vendor, url: str, key: str | None, egress: Egress) -> Provider:
    if vendor.protocol == "anthropic":
        from coai_routing.providers.anthropic import AnthropicProvider  # noqa: PLC0415 - first use

        return AnthropicProvider(name=vendor.name, base_url=url, api_key=key, egress=egress)
    from coai_routing.providers.openai_compatible import (  # noqa: PLC0415 - as above
        OpenAICompatibleProvider,
    )

    return OpenAICompatibleProvider(
        name=vendor.name, base_url=url, api_key=key, egress=egress, vendor=vendor
    )
