"""The sandbox: sealed execution, notebooks and the airlock. Plugs into the service as a part."""
