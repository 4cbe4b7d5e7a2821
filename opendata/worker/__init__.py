"""The worker process: durable jobs, the raw door, checkpoints. The only holder of vault and checkpoint keys."""
