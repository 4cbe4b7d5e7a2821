"""Who may take what: applications, grants, app keys, and the one decider of every door."""
