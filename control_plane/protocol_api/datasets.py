"""A dataset as the catalog shows it: the offers, how the data can be had, and the asset's public properties."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from connector_spi.data_address import EDC_NAMESPACE
from control_plane.domain.asset import Asset
from control_plane.domain.catalog import Dataset
from control_plane.dsp_messages import odrl

_DCAT: Final = "http://www.w3.org/ns/dcat#"
_ODRL: Final = "http://www.w3.org/ns/odrl/2/"
_PREFIXES: Final[Mapping[str, str]] = {
    "edc:": EDC_NAMESPACE,
    "odrl:": _ODRL,
    "dcat:": _DCAT,
    "dct:": "http://purl.org/dc/terms/",
    "dspace:": "https://w3id.org/dspace/2025/1/",
}
_PROTOCOLS_OWN: Final = frozenset(
    {f"{_ODRL}hasPolicy", *(_DCAT + name for name in ("distribution", "dataset", "service", "catalog"))}
)
"""A property of one of these names would be an offer or a distribution to whoever reads JSON-LD."""


def dataset_body(dataset: Dataset, formats: Sequence[str], service: Mapping[str, Any]) -> dict[str, Any]:
    """The dataset; `formats`: the transfer types by which its data can be had."""
    return {
        "@id": dataset.asset.id,
        "@type": "Dataset",
        "hasPolicy": [odrl("Offer", offer.policy, policy_id=str(offer.id)) for offer in dataset.offers],
        "distribution": [{"@type": "Distribution", "format": name, "accessService": service} for name in formats],
        **_public_properties(dataset.asset),
    }


def _public_properties(asset: Asset) -> dict[str, Any]:
    """Under their full names, as EDC writes them: those can never be members of the protocol."""
    named = {_full(name): value for name, value in asset.properties.items() if not name.startswith("@")}
    named[f"{EDC_NAMESPACE}id"] = asset.id
    return {name: value for name, value in named.items() if name not in _PROTOCOLS_OWN}


def _full(name: str) -> str:
    for prefix, namespace in _PREFIXES.items():
        if name.startswith(prefix):
            return namespace + name.removeprefix(prefix)
    return name if ":" in name else EDC_NAMESPACE + name
