"""A folder of CSV files as a marketing platform."""
