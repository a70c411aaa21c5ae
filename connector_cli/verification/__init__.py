"""`connector verify`: reads what a transfer delivered and compares it with its receipt."""
