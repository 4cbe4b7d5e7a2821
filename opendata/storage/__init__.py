"""Storage: the vault (sealed, worker only), open editions, and the keys of both."""
