"""Sandbox projects: who works on which datasets, for what, until when, and what they run."""
