"""Fixed tables and private queries. Not open yet: every query is refused with one clear sentence."""
