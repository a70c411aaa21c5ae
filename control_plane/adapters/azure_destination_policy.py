"""DestinationPolicy for Azure Blob Storage: names are checked, and only configured storage endpoints are served."""

from typing import Final

from azure_storage.address import AzureBlobAddress
from azure_storage.endpoints import StorageEndpoints
from azure_storage.errors import SasMalformedError
from azure_storage.sas import SasToken
from connector_spi.data_address import KEY_NAME, SECRET, DataAddress
from connector_spi.errors import InvalidInputError

_PASSED_ON: Final = ("transferNonce",)
_VALUE_MAX: Final = 256


class AzureDestinationPolicy:
    """What a consumer may name as the destination of an AzureStorage-PUSH transfer."""

    def __init__(self, endpoints: StorageEndpoints) -> None:
        self._endpoints = endpoints

    def accept(self, address: DataAddress) -> DataAddress:
        """Rebuild the address from its checked parts; a key name that the consumer chose is dropped."""
        blob = AzureBlobAddress.of_destination(address)
        self._check_endpoint(address, blob)
        secret = address.get(SECRET)
        try:
            SasToken.from_secret(secret)
        except SasMalformedError as error:
            raise InvalidInputError(
                field="dataAddress.secret", value="***", problem="is not a shared access signature"
            ) from error
        passed_on = {name: address.get(name)[:_VALUE_MAX] for name in _PASSED_ON if address.get(name)}
        return blob.to_data_address().without(KEY_NAME).with_properties(**passed_on, **{SECRET: secret})

    def _check_endpoint(self, address: DataAddress, blob: AzureBlobAddress) -> None:
        endpoint = address.get("endpoint")
        account_url = self._endpoints.account_url(blob.account)
        if endpoint and endpoint.rstrip("/") != account_url and not endpoint.startswith(f"{account_url}/"):
            raise InvalidInputError(
                field="dataAddress.endpoint",
                value=endpoint,
                problem="is not a storage endpoint that this connector writes to",
                remedy=f"Leave it out, or use {account_url}.",
            )
