"""The demonstration: real public tables through the whole chain, by the doors a user has."""
