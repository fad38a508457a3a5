"""A folder of CSV files, as a marketing platform or as a source of people."""
