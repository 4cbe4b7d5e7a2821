"""Fixed tables and private queries. Not open yet: until the tables exist every query is refused with one clear sentence."""
