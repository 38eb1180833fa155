"""Vendors' keys: in the system's key store, or in an encrypted file where there is none."""
