"""HashiCorp Vault and OpenBao: KV version 2, through hvac."""
