"""
Structure-preserving pseudonyms of Chinese identifiers, one file a kind.

A valid identifier is the number of a place in its format: rank, FF1 on the integers below the size of the format,
unrank. So distinct identifiers keep distinct pseudonyms, tables join under one key, and a pseudonym has the length and
alphabet of what it stands for. It is recognisably invalid, so that nobody takes it for a living person's number.
"""

from masking.techniques.identifiers import bank_card, credit_code, email, mobile, plate, resident_id

__all__ = ["bank_card", "credit_code", "email", "mobile", "plate", "resident_id"]
