"""The service: catalogue, opening by grade, publishing chain, ledger and doors.

It never imports the sandbox; both register as parts (see `opendata.parts`).
"""
