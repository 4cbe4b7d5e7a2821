"""The ledger: salted commitments in an RFC 9162 tree, signed heads, offline verification.

Nothing is imported here, so that ``opendata.ledger.verify`` needs only the standard library and ``cryptography``.
"""
