"""What the settings want of the router: its registry of models, objective, egress, sensitivity."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coai_routing.privacy.egress import Egress
from coai_routing.privacy.sensitivity import SensitivityRules
from coai_routing.registry.capabilities import Capabilities, Objective, load_capabilities
from coai_routing.settings.files import default_user_file

if TYPE_CHECKING:
    from pathlib import Path

    from coai_routing.settings.schema import Settings
    from coai_routing.web.pages import WebPages


def user_registry_file() -> Path:
    """Return where the user's own models and capabilities are kept."""
    return default_user_file().with_name("models.toml")


def registry() -> Capabilities:
    """Return the registry with the user's own changes; raises SettingsError if they are wrong."""
    return load_capabilities(user_file=user_registry_file())


def chosen_objective(settings: Settings) -> Objective | None:
    """Return the objective that the user set for everything."""
    chosen = settings.routing.objective
    return None if chosen == "auto" else Objective(chosen)


def routing_egress(settings: Settings) -> Egress:
    """Return what the settings let leave this machine other than completions."""
    return Egress(
        trusted_hosts=frozenset(settings.privacy.trusted_hosts),
        allow=settings.routing.allow_cloud and not settings.privacy.mode,
    )


def web_pages(settings: Settings) -> WebPages | None:
    """Return the web as tools may ask it; None where the user has not switched it on."""
    if not settings.web.enabled:
        return None
    from coai_routing.privacy.departures import EgressLog, location  # noqa: PLC0415 - off mostly
    from coai_routing.web.pages import WebPages  # noqa: PLC0415 - as above

    egress = Egress(
        trusted_hosts=frozenset(settings.privacy.trusted_hosts),
        allow=not settings.privacy.mode,
    )
    return WebPages(
        settings.web,
        egress=egress,
        rules=sensitivity_rules(settings),
        departures=EgressLog(location()),
    )


def sensitivity_rules(settings: Settings) -> SensitivityRules:
    """Return what counts as sensitive by the settings."""
    privacy = settings.privacy
    return SensitivityRules(
        privacy_mode=privacy.mode,
        personal_data=privacy.personal_data,
        emails=privacy.emails,
        patterns=privacy.patterns,
        private_files=(*privacy.exclude, *privacy.private),
    )
