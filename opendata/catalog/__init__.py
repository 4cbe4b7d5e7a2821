"""The catalogue: datasets, their information items, editions as the public may know them, grades and search."""
