"""What connections that this device opens have in common: which addresses they reach, how they trust the far end."""
