"""The airlock: quarantined outputs become typed tables, are checked, voted on and released, or stay."""
