"""From a sealed upload to a signed edition: intake, masking, measuring, review, publication, withdrawal."""
